"""The present state of every file system that is watched, folded from file events."""
