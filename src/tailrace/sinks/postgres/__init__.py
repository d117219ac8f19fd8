"""Rows for a table of PostgreSQL, exactly once; a hypertable or a distributed table where the extension for it is."""
