"""The Delta table logs: open, recover, commit, compact, retain, scan."""
