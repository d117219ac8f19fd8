"""How far each view is: from when on it is kept, what is still to be read, and what went wrong. Pure values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.rollups.spans import EVER_NS, union, without

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tailrace.rollups.spans import Span

MARKS: Final = {"mark": pl.String(), "low_ns": pl.Int64(), "high_ns": pl.Int64(), "said": pl.String()}
"""The columns of marks, beside `view`."""

_SINCE: Final = "since"
_PENDING: Final = "pending"
_ERROR: Final = "error"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far one view is."""

    since_ns: int  # buckets that end after this are kept
    pending: tuple[Span, ...] = ()  # except these, which have no rows: they are to be read from lines
    error: str = ""  # why they could not be read

    def known(self) -> list[Span]:
        """Return the spans in which the rows say everything up to the version that was taken."""
        return without([(self.since_ns, EVER_NS)], self.pending)

    def spoiled(self, spans: Iterable[Span], error: str = "") -> Mark:
        """Return the mark with more to be read."""
        more = without(union(spans), [(-EVER_NS, self.since_ns)])
        return replace(self, pending=tuple(union([*self.pending, *more])), error=error or self.error)

    def since(self, first_ns: int) -> Mark:
        """Return the mark of a view that is kept from a later time on."""
        return Mark(first_ns, tuple(without(self.pending, [(-EVER_NS, first_ns)])), self.error)

    def filled(self, span: Span) -> Mark:
        """Return the mark with less to be read."""
        left = tuple(without(self.pending, [span]))
        return replace(self, pending=left, error=self.error if left else "")


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of all views."""

    views: Mapping[str, Mark] = field(default_factory=dict)

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Marks:
        """Read marks from their rows."""
        rows = frame.select(
            "view", *(column if column in frame.columns else pl.lit(None).alias(column) for column in MARKS)
        ).rows()
        found = {view: Mark(low) for view, mark, low, _, _ in rows if mark == _SINCE}
        for view, mark, low, high, said in rows:
            if mark == _PENDING:
                found[view] = found[view].spoiled([(low, high)])
            elif mark == _ERROR:
                found[view] = replace(found[view], error=said)
        return cls(found)

    def frame(self) -> pl.DataFrame:
        """Return the marks as rows."""
        rows: list[tuple[str, str, int | None, int | None, str | None]] = []
        for view, mark in self.views.items():
            rows.append((view, _SINCE, mark.since_ns, None, None))
            rows += [(view, _PENDING, low, high, None) for low, high in mark.pending]
            rows += [(view, _ERROR, None, None, mark.error)] if mark.error else []
        return pl.DataFrame(rows, schema={"view": pl.String(), **MARKS}, orient="row")

    def with_view(self, view: str, mark: Mark) -> Marks:
        """Return the marks with one that is new or changed."""
        return Marks({**self.views, view: mark})

    def only(self, views: Sequence[str]) -> Marks:
        """Return the marks of some views."""
        return Marks({view: mark for view, mark in self.views.items() if view in views})
