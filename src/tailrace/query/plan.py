"""From a log query and a time range to scans: which segments, which columns, which conditions, what is left.

In: the query, what its answer needs of a line, and a snapshot. Out: a `Plan` with one `Branch` per way in which
lines must be read: usually one; two when some lines were taken apart at ingest and others wait for the query's
parser. Reads nothing of the table but stream names, statistics and formats.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.query.formats import formats
from tailrace.query.load import Fields, Loader
from tailrace.query.needs import Needs
from tailrace.query.parsed import Parsing
from tailrace.query.pushdown import Scan
from tailrace.query.rows import Rows
from tailrace.query.stages.label_filter import LabelFilter
from tailrace.query.stages.line_filter import LineFilter
from tailrace.query.streams import select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.contracts import Bound, Engine, Segments, Snapshot
    from tailrace.query.syntax import LogQuery, Stage


SIFTED_ROWS: Final = 1_000
"""At least so many rows are worth a look ahead at the filters behind a parser."""

BY_INDEX: Final = "by their skip indexes"
"""Why a segment is not read: no block of it may hold what the query looks for."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Lines that are read in one way: by scans, and the stages that the scans could not do."""

    segments: Segments
    held: pl.DataFrame  # the streams that match, per segment, see Segments.streams
    foreign: pl.DataFrame  # the others
    scan: Scan
    stages: tuple[tuple[Stage, Needs], ...]  # with what is needed after each
    needs: Needs  # of the rows that the scans give

    def loader(self, kept: Sequence[str] = ()) -> Loader:
        """Return what makes rows of this branch's scans; `kept` are envelope columns to keep."""
        formats = [] if "_format" in kept or not any(isinstance(s, Parsing) for s, _ in self.stages) else ["_format"]
        return Loader(self.scan.fields, self.scan.streams, self.needs, self.scan.formats, (*kept, *formats))

    def reading(self, rest: pl.DataFrame, known: pl.DataFrame) -> Branch:
        """Return the branch without what is `known` already: segments that hold some of both need a test of streams."""
        return replace(self, held=rest, foreign=pl.concat([self.foreign, known.select(self.foreign.columns)]))

    def run(self, rows: Rows) -> Rows:
        """Run the stages that are left."""
        for place, (stage, after) in enumerate(self.stages):
            if rows.frame.is_empty():
                break
            rows = stage.apply(self._sifted(rows, place), after)
        return rows

    def _sifted(self, rows: Rows, place: int) -> Rows:
        """Return the rows that pass the filters behind a parser, which runs for the labels of these alone.

        Of a line that is dropped at once not all labels are read: a few are read in columns, many line by line.
        """
        stage, after = self.stages[place]
        if not (after.every and isinstance(stage, Parsing) and rows.frame.height >= SIFTED_ROWS):
            return rows
        behind = (other for other, _ in self.stages[place + 1 :])
        filters = list(takewhile(lambda other: isinstance(other, LabelFilter | LineFilter), behind))
        if not any(isinstance(other, LabelFilter) for other in filters):
            return rows
        afters = _afters([stage, *filters], Needs(owners=True))
        sifted = Rows(rows.frame.with_row_index("_place"))
        for one, narrow in zip([stage, *filters], afters, strict=True):
            sifted = one.apply(sifted, narrow)
        return Rows(rows.frame[sifted.frame["_place"]])


@dataclass(frozen=True, slots=True)
class Plan:
    """How a log query is answered over one range of time."""

    start_ns: int
    end_ns: int
    segments: Segments  # that may hold lines of this time, before streams are looked at
    branches: tuple[Branch, ...]
    skipped: Mapping[str, int]  # segments that are not read, by reason
    rows_by_index: int = 0  # that skip indexes left out, in segments that are read and others


def plan(query: LogQuery, needs: Needs, span: tuple[int, int], snapshot: Snapshot, engine: Engine) -> Plan:
    """Plan a log query over `start <= time < end`."""
    return plan_segments(query, needs, span, snapshot, engine, snapshot.segments(*span))


def plan_segments(
    query: LogQuery, needs: Needs, span: tuple[int, int], snapshot: Snapshot, engine: Engine, segments: Segments
) -> Plan:
    """Plan a log query over these segments only."""
    held = segments.streams()
    streams = select(held["_stream"].unique().to_list(), query.selector)
    matching = _holding(segments, held, streams)
    by_path = formats(matching, engine) if query.stages or needs.names else {}
    groups = _kinds(query.stages, by_path)
    branches = []
    indexed: set[str] = set()
    rows_by_index = 0
    for kinds in groups:
        scan = Scan(Fields.of(snapshot), streams, kinds)
        here = matching
        if len(groups) > 1:
            here = here.only([path for path, found in by_path.items() if found & kinds])
            scan.only_formats()
        stages, first = _pushed(query.stages, needs, scan)
        if scan.bounds:
            here = _within(here, span, scan.bounds, snapshot)
        if scan.needles:
            known, here = here, here.holding(scan.needles)
            indexed |= set(known.frame["path"]) - set(here.frame["path"])
            rows_by_index += rows_of(known) - rows_of(here)
        mine = scan.streams.select("_stream")
        branches.append(
            Branch(
                segments=_holding(here, held, scan.streams),
                held=held.join(mine, on="_stream", how="semi"),
                foreign=held.join(mine, on="_stream", how="anti"),
                scan=scan,
                stages=stages,
                needs=first,
            )
        )
    branches = [branch for branch in branches if branch.segments.frame.height]
    read = {path for branch in branches for path in branch.segments.frame["path"]}
    by_index = len(indexed - read)
    skipped = {
        "outside the range of time": segments.skipped,
        "without a stream that matches": segments.frame.height - matching.frame.height,
        "by the statistics of their fields": matching.frame.height - len(read) - by_index,
        BY_INDEX: by_index,
    }
    reasons = {why: count for why, count in skipped.items() if count}
    return Plan(*span, segments, tuple(branches), reasons, rows_by_index)


def rows_of(segments: Segments) -> int:
    """Return how many rows of the segments are to be read."""
    parts = segments.parts
    whole = segments.frame.filter(~pl.col("path").is_in(list(parts))) if parts else segments.frame
    return int(whole["rows"].sum()) + sum(rows for places in parts.values() for _, rows in places)


def _pushed(stages: Sequence[Stage], needs: Needs, scan: Scan) -> tuple[tuple[tuple[Stage, Needs], ...], Needs]:
    """Let the scan do what it can; return the stages that are left, and what they need of the scan's rows."""
    afters = _afters(stages, needs)
    left = [stage for stage, after in zip(stages, afters, strict=True) if not stage.push(scan, after)]
    after_left = _afters(left, needs)
    first = left[0].needs(after_left[0]) if left else needs
    asked = stages[0].needs(afters[0]) if stages else needs
    if first.every and asked.every:  # all labels are shown: those that only the scan reads too
        first = first.plus(asked.names)
    return tuple(zip(left, after_left, strict=True)), first


def _within(segments: Segments, span: tuple[int, int], bounds: Sequence[Bound], snapshot: Snapshot) -> Segments:
    """Return the segments without those that statistics exclude; of one that left the table since nothing is known."""
    excluded = set(snapshot.segments(*span).frame["path"]) - set(snapshot.segments(*span, bounds).frame["path"])
    return segments.only([path for path in segments.frame["path"] if path not in excluded])


def _holding(segments: Segments, held: pl.DataFrame, streams: pl.DataFrame) -> Segments:
    """Return the segments that hold any of the streams."""
    paths = held.join(streams.select("_stream"), on="_stream", how="semi")["path"].unique().to_list()
    return segments.only(paths)


def _afters(stages: Sequence[Stage], needs: Needs) -> list[Needs]:
    """Return what is needed after each stage."""
    afters = []
    for stage in reversed(stages):
        afters.append(needs)
        needs = stage.needs(needs)
    return afters[::-1]


def _kinds(stages: Sequence[Stage], by_path: Mapping[str, frozenset[str | None]]) -> list[frozenset[str | None]]:
    """Split the formats of lines into groups that every parser of the pipeline treats alike."""
    found: frozenset[str | None] = frozenset().union(*by_path.values())
    groups: dict[tuple[bool, ...], set[str | None]] = {}
    for name in found:
        alike = tuple(stage.skips(name) for stage in stages if isinstance(stage, Parsing))
        groups.setdefault(alike, set()).add(name)
    return [frozenset(group) for _, group in sorted(groups.items())] or [frozenset()]
