"""Lines that belong together become one record: stack traces, and what a pattern says."""
