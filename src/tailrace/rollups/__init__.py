"""Metrics as continuous aggregates: partial states of each bucket, merged when they are asked for."""
