"""Drift: how files differ from a signed baseline of them.

`rules` says which attributes count for which paths, `evidence` reads what `lstat` does not tell (hashes, extended
attributes), `baseline` is the signed file, `compare` is pure, `report` writes for people, programs, and as AIDE does.
Who walks the folders is handed in: nothing here knows how.
"""
