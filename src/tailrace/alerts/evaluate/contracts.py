"""What evaluating needs of others: who answers expressions, knows what is complete, fills templates in.

A server gives it the table, its sources and the templates; unit tests of rules, back-tests and the simulation give it
worlds of their own. All are called by the one thread that evaluates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.alerts.evaluate.verdict import Answer


@dataclass(frozen=True, slots=True)
class Answers:
    """What an expression gave at some times, and how many rows were read for it."""

    at: Mapping[int, Answer]
    rows: int = 0


class Ask(Protocol):
    """Answers an expression at windows; a failure is an answer too. Must not raise for what is wrong with the query."""

    def __call__(self, asked: str, times: range) -> Answers:
        """Return one answer for each time."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """An `Ask` that likes to know beforehand all that it will be asked in a round, to read what is shared once."""

    def prepare(self, asked: Sequence[tuple[str, range]]) -> None:
        """Take note of expressions and windows; called before the first of them is asked, must not raise."""
        ...


@dataclass(frozen=True, slots=True)
class Complete:
    """Up to when the lines of some streams are complete, and the sources that are late.

    Windows up to `open_ns` need not wait for late sources: those are missing, not late. No window waits for longer than
    its rule says, and that counts from `since_ns` on if this is later: at a start, sources have all to be read yet.
    """

    upto_ns: int
    late: tuple[str, ...] = ()
    open_ns: int = 0
    since_ns: int = 0


class Fill(Protocol):
    """Fills templates in; a template that fails becomes a text that says so."""

    def __call__(
        self, templates: Mapping[str, str], labels: Mapping[str, str], value: float, at_ns: int
    ) -> dict[str, str]:
        """Return the texts."""
        ...


@dataclass(frozen=True, slots=True)
class Late:
    """Lines that came, or went, just now: the streams they are of, and their times."""

    streams: tuple[str, ...]  # none: nobody knows, so it may be any
    first_ns: int
    last_ns: int
