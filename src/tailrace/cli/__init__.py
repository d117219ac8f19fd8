"""The command line: one file per command. Only this folder exits.

A command parses its flags, calls the part that does the work, and prints. Nothing heavy is imported before a command
runs, so that `--help` and `version` answer at once.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from tailrace import memory

    memory.before_polars()
    from tailrace.cli.app import run

    run()
