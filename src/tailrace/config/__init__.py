"""The configuration: load it, check it, describe it.

`load` gives a `Config` from a file and flags; `model` joins the settings of all components; `describe` makes the
JSON Schema and the reference page from them.
"""
