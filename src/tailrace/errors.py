"""Four families of failure, by who acts on them; anything else is a bug and stops loudly.

=================  ===========================  ==========================================
family             who acts                     what happens
=================  ===========================  ==========================================
`ConfigError`      the operator                 all mistakes of a file are shown at once
`QueryError`       the person who asked         HTTP 400 or exit code 2, with a caret
`DataError`        nobody at once               the record is kept aside, counted and shown
`TransientError`   the program                  bounded retry with jitter
=================  ===========================  ==========================================

A message says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class TailraceError(Exception):
    """Everything that Tailrace raises on purpose; shown to a person without a traceback."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake of a configuration: where (`$.sources[2].path`, line and column from 1), what, and what to do."""

    where: str
    what: str
    hint: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """Render as one line: `line:column: where: what (hint)`."""
        return self.one_line()

    def one_line(self, file: str | None = None) -> str:
        """Render as one line that starts as editors and terminals link it: `file:line:column: `."""
        place = ":".join(str(part) for part in (file, self.line, self.column) if part is not None)
        said = f"{self.where}: {self.what}" + (f" ({self.hint})" if self.hint else "")
        return f"{place}: {said}" if place else said


class ConfigError(TailraceError):
    """The configuration, a flag or the environment is wrong; holds every problem found."""

    def __init__(self, problems: Sequence[Problem] | str, *, file: str | None = None) -> None:
        self.problems: tuple[Problem, ...] = (Problem("$", problems),) if isinstance(problems, str) else tuple(problems)
        self.file = file
        if isinstance(problems, str):
            text = f"{file}: {problems}" if file else problems
        else:
            text = "\n".join(problem.one_line(file) for problem in self.problems)
        super().__init__(text if len(self.problems) == 1 else f"{len(self.problems)} problems\n{text}")


class QueryError(TailraceError):
    """A query cannot be answered as written; points at the place.

    `position` is a 0-based character index into `query`; both may be missing when the
    whole request is at fault (a limit, a time range).
    """

    def __init__(self, what: str, *, query: str | None = None, position: int | None = None, hint: str = "") -> None:
        self.what = what
        self.query = query
        self.position = position
        self.hint = hint
        super().__init__(what)

    @property
    def line_column(self) -> tuple[int, int] | None:
        """The 1-based line and column of `position`, if it is known."""
        if self.query is None or self.position is None:
            return None
        before = self.query[: self.position]
        return before.count("\n") + 1, self.position - (before.rfind("\n") + 1) + 1

    def one_line(self) -> str:
        """Say what and where on one line, as the HTTP API answers it."""
        place = self.line_column
        head = f"parse error at line {place[0]}, col {place[1]}: " if place else ""
        text = head + self.what + (f" ({self.hint})" if self.hint else "")
        return text.replace("\r", "\\r").replace("\n", "\\n")  # words of the query may hold some

    def __str__(self) -> str:
        """Say what and where, then show the line with a caret under the place."""
        place = self.line_column
        if place is None or self.query is None:
            return self.one_line()
        text = self.query.split("\n")[place[0] - 1]
        return f"{self.one_line()}\n  {text}\n  {' ' * (place[1] - 1)}^"


class QueryTimeoutError(QueryError):
    """A query took longer than it may; the same query over less may be answered."""


class DataError(TailraceError):
    """A record, block or file cannot be taken as it is; it goes to the reject lane."""


class TransientError(TailraceError):
    """Something outside failed and may work again: a full disk, a lost connection."""


class EngineAwayError(TransientError):
    """The engine that was to run a scan cannot be reached; `another` tells whether a second try finds another one."""

    def __init__(self, what: str, *, another: bool = False) -> None:
        self.another = another
        super().__init__(what)


class TableError(TailraceError):
    """The table in the data folder cannot be opened or written as it is."""


class OutOfTurnError(TailraceError):
    """A batch does not follow the last one that the table holds of its agent; whoever sends it looks again."""

    def __init__(self, agent: str, number: int, after: int, held: int) -> None:
        self.agent, self.number, self.after, self.held = agent, number, after, held
        super().__init__(f"batch {number} of agent {agent} is to follow number {after}, and the table holds {held}")


def one_line(error: BaseException) -> str:
    """Return what a failure says on one line, for places that have no more room; its kind where it says nothing."""
    said = error.one_line() if isinstance(error, QueryError) else " ".join(str(error).split())
    return said or type(error).__name__


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean 'x'?` for the closest known word, else an empty text."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else ""
