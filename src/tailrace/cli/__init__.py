"""The command line: one file per command. Only this folder exits."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from tailrace.cli.app import run

    run()
