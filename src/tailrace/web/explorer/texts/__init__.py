"""What the page says, a file per room; sentences with markup in them stand in the templates.

`SCRIPT` of each file is what the script says: it is sent in front of the script, and read there as `T.texts`.
"""
