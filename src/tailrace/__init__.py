"""Tailrace follows log files, turns them into typed columns as they arrive, and answers questions over them.

The flow, left to right; each word is a folder or a file of this package::

    sources ─▶ parse ─▶ reduce ─▶ sinks ─▶ store ─▶ query ─▶ web, cli
    bytes      frame    frame     batch    Delta    LogQL    page, API, terminal

What is pushed comes in by `web` and `intake`; what an agent elsewhere ships, too. Stages meet in `contracts` and are
wired in `agent`, `server`, `serve` and `up` only.
"""

__version__ = "0.1.0"
