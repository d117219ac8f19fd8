"""Answer range aggregations from rollups: rows of known buckets, and lines for the rest.

The rest is what was committed since the last taking, spans that are still to be read or whose lines were deleted, and
the edges of a window that begins or ends within a bucket. So a late line counts at once, and an answer does not depend
on how far the keeper is. None where rollups have nothing to say: then the query reads all lines.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.limits import LABEL_SETS, ROLLUP_BEHIND, ROLLUP_PARTS
from tailrace.query import leaf, unwrapped
from tailrace.query.samples import EMPTY, LABEL, Samples
from tailrace.rollups import label_sets, sketches, states
from tailrace.rollups.changes import changes
from tailrace.rollups.lines import keys, merged, of_lines
from tailrace.rollups.spans import Span, common, union, without
from tailrace.rollups.table import BrokenError
from tailrace.rollups.views import views_of
from tailrace.store.scan import LogSnapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.clock import Clock
    from tailrace.contracts import Segments, Snapshot
    from tailrace.query.grid import Cells
    from tailrace.query.needs import Needs
    from tailrace.query.reads import Reading
    from tailrace.query.syntax import RangeAggregation
    from tailrace.rollups.definitions import Definitions
    from tailrace.rollups.table import RollupTable
    from tailrace.rollups.views import View
    from tailrace.store.table import LogTable

_LOGGER: Final = logging.getLogger(__name__)

FRESH_S: Final = 1.0
"""How long the list of metrics is taken for the newest one."""

APPROXIMATE: Final = {
    "values": f"quantiles are of a sketch, whose values are {states.ERROR:.1%} off at most",
    states.DISTINCT: f"different values are counted by a sketch, which is {sketches.ERROR:.1%} off as a rule",
}
"""What is said of answers that are not exact, by the kind of state."""


class Rollups:
    """The rollups of a data folder, for queries (`query.kept.Kept`). Any thread may ask.

    What is not exact, that of sketches, is answered if it is welcome (`rough`), or if the lines are gone.
    """

    def __init__(
        self, rollups: RollupTable, logs: LogTable, definitions: Definitions, clock: Clock, *, rough: bool = False
    ) -> None:
        self._rollups, self._logs, self._definitions, self._clock = rollups, logs, definitions, clock
        self._rough = rough
        self._lock = threading.Lock()
        self._listed: tuple[float, Sequence[View]] | None = None
        self._broken = False

    def samples(
        self, aggregation: RangeAggregation, needs: Needs, cells: Cells, snapshot: Snapshot, reading: Reading
    ) -> Samples | None:
        """Return the samples of a range aggregation, None if its lines are to be read."""
        for view in self._views():
            if view.answers(aggregation, needs) and view.fits(cells):
                asked = replace(view, aggregation=aggregation, needs=needs)
                try:
                    found = self._answer(asked, view, cells, snapshot, reading)
                except BrokenError as error:
                    self._complain(error)
                    return None
                if found is not None:
                    return found
        return None

    def _complain(self, error: BrokenError) -> None:
        """Say once that what is kept cannot be read: answers come from the lines."""
        with self._lock:
            new, self._broken = not self._broken, True
        if new:
            _LOGGER.warning("%s; lines are read instead. Stop Tailrace and remove the folder: it is made anew", error)

    def _views(self) -> Sequence[View]:
        with self._lock:
            now_s = self._clock.monotonic_s()
            if self._listed is None or now_s >= self._listed[0]:
                self._listed = (now_s + FRESH_S, views_of(self._definitions.list()))
            return self._listed[1]

    def _answer(self, asked: View, view: View, cells: Cells, snapshot: Snapshot, reading: Reading) -> Samples | None:
        seen = self._rollups.snapshot()
        mark = seen.marks.views.get(view.key)
        if mark is None or not isinstance(snapshot, LogSnapshot):
            return None
        if not 0 <= snapshot.version - seen.taken <= ROLLUP_BEHIND:
            return None
        new = changes(self._logs, seen.taken, snapshot)
        wanted = [(cells.start_ns - 1, cells.end_ns - 1)]
        whole = _inner(wanted, view, cells)
        known = common(without(mark.known(), _outer(new.spans, view.bucket_ns)), whole)
        rest = without(wanted, known)
        if not known or len(known) + len(rest) > ROLLUP_PARTS:
            return None
        rows = seen.read([view.key], known)
        outlived = common(rest, whole)
        if outlived:  # lines that are read there do not have those that retention dropped
            rows = pl.concat([rows, seen.read([view.key], outlived).filter("retired")])
        if not self._rough and rows["rounded"].any() and not rows["retired"].any():
            return None
        tail = new.added.only(new.added.frame.filter(pl.col("rows") > 0)["path"].to_list())
        parts = [_celled(rows, asked, view, cells)]
        if tail.frame.height:
            parts += self._of_spans(asked, cells, known, snapshot, reading, tail)
        parts += self._of_spans(asked, cells, rest, snapshot, reading, None)
        if view.kind.whole and _by_turns(parts):
            return None
        if any(part["rounded"].any() for part in parts if "rounded" in part.columns):
            reading.stats.approximate = APPROXIMATE[asked.kind.name]
        reading.stats.buckets += rows.height
        return _windows(asked, cells, parts)

    def _of_spans(
        self,
        asked: View,
        cells: Cells,
        spans: Sequence[Span],
        snapshot: Snapshot,
        reading: Reading,
        segments: Segments | None,
    ) -> list[pl.DataFrame]:
        """Return the partial results of lines in spans, of all segments or of some."""
        some = (replace(cells, first_ns=low + 1, until_ns=high + 1) for low, high in spans)
        return [of_lines(asked, one, snapshot, reading, segments, bounded=self._rough) for one in some]


def _inner(wanted: Sequence[Span], view: View, cells: Cells) -> Sequence[Span]:
    """Return the whole buckets of what is wanted; only one window alone may have others."""
    if not cells.whole:
        return wanted
    low, high = wanted[0]
    return union([(-(-low // view.bucket_ns) * view.bucket_ns, high // view.bucket_ns * view.bucket_ns)])


def _outer(spans: Sequence[Span], bucket_ns: int) -> list[Span]:
    return [(low // bucket_ns * bucket_ns, -(-high // bucket_ns) * bucket_ns) for low, high in spans]


def _celled(rows: pl.DataFrame, asked: View, view: View, cells: Cells) -> pl.DataFrame:
    """Return rows of the table by cells of the question, with the labels that it asks for."""
    if not rows.height:
        return pl.DataFrame()
    kept = view.kind.columns if view.kind.name == asked.kind.name else asked.kind.columns
    frame = label_sets.of_text(rows.select("end_ns", "labels", *kept))
    shown = [name for name in label_sets.columns(frame) if asked.shown(name.removeprefix(LABEL))]
    frame = frame.select(*shown, *cells.keys(pl.col("end_ns")), *kept)
    return frame if asked.kind.whole else states.merged(asked.kind, frame, keys(frame), bounded=False)


def _by_turns(parts: Sequence[pl.DataFrame]) -> bool:
    whole = pl.concat([part for part in parts if part.height], how="diagonal") if any(p.height for p in parts) else None
    return whole is not None and states.by_turns(whole, label_sets.columns(whole)).height > 0


def _windows(asked: View, cells: Cells, parts: list[pl.DataFrame]) -> Samples:
    """Lay windows over partial results."""
    whole = merged(asked, parts, bounded=False)
    if not whole.height:
        return Samples(EMPTY)
    leaf.bounded(whole, LABEL_SETS)
    if asked.needs.counted:
        return Samples(unwrapped.laid(whole, cells, lambda part: _counts(asked, part)))
    if asked.aggregation.range.unwrap is None:
        sized = whole if "bytes" in whole.columns else whole.with_columns(bytes=pl.lit(0, pl.Int64))
        return leaf.of_totals(asked.aggregation, asked.needs, cells, sized)
    if asked.kind.keys:
        each = whole.with_columns(pl.col("value").repeat_by("times")).drop("times", "rounded")
        return unwrapped.of_values(each.explode("value").rename({"value": "_value"}), asked.aggregation, cells)
    return Samples(unwrapped.laid(whole, cells, lambda part: _of_windows(asked, part)))


def _counts(asked: View, part: pl.DataFrame) -> pl.DataFrame:
    """Return how many values the states of each window have."""
    by = [*label_sets.columns(part), "step"]
    return sketches.counts(states.merged(asked.kind, part, by, bounded=False), by)


def _of_windows(asked: View, part: pl.DataFrame) -> pl.DataFrame:
    """Return the samples of windows from all states that lie in each."""
    labels = label_sets.columns(part)
    whole = states.merged(asked.kind, part, [*labels, "step", "_from_ns"])
    return states.valued(asked.aggregation, whole, labels)
