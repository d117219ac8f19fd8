"""Aggregation specs of file-event traces: which system calls count, how they are thinned out, and where alerts go."""
