"""The pipeline: what was read, what became of it, and where it waits; the closed accounting made visible."""
