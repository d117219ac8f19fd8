"""The configuration: load it, check it, describe it."""
