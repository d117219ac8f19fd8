"""The steps of a reduction: one file each, with its settings and what it does."""
