"""Measures Tailrace on this machine: `python -m bench`, and seeded log generators: `python -m bench.generate`.

Nothing here is imported by the program. Each stage is one file with a function that returns rows of the report; every
comparison is measured in the same run as the thing it is compared with, since absolute numbers drift between machines.
"""
