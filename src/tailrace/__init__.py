"""Tailrace follows log files, turns them into typed columns as they arrive, and answers questions over them.

The flow, left to right; each word is a folder or a file of this package::

    sources ─▶ parse ─▶ sinks ─▶ store ─▶ query ─▶ web, cli
    bytes      frame    batch    Delta    LogQL    page, API, terminal

Stages meet in `contracts` and are wired in `agent`, `server` and `up` only.
"""

__version__ = "0.1.0"
