"""Metrics from logs: what is kept by name, how it is kept, who reads it; and a new one, tried before it is saved."""
