"""Reduction at the edge: what of the rows is kept, dropped, counted, or sent elsewhere, by one declared spec."""
