"""Metrics from a log file for Prometheus: `tailrace export`, wired.

A `profile` says how lines become fields and what is counted of them. The agent reads the file as it reads any:
rotation, half-written lines and restarts are its business. `counting` is its reduction: rows end here as numbers, so
there is no table; what the agent remembers, positions and values in one plan, is all that is kept.
"""

from tailrace.export.profile import Profile, load_profile, shipped
from tailrace.export.running import Exporter, Options

__all__ = ["Exporter", "Options", "Profile", "load_profile", "shipped"]
