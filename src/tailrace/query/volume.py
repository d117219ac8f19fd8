"""How many bytes of lines the streams of a selector hold: over a range of time, or along it in buckets.

Exact: what lies in segments that count as a whole comes from their statistics, the rest is read. A bucket holds
`T - step <= t < T` for multiples of the step, and only what lies in the range.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from tailrace.batch import stream_labels
from tailrace.limits import QUERY_TIMEOUT_S
from tailrace.query import leaf
from tailrace.query.afresh import afresh
from tailrace.query.grid import Cells, Grid, aligned, instant
from tailrace.query.needs import Needs
from tailrace.query.reads import Reading, nobody
from tailrace.query.result import SERIES_SCHEMA, Series, Stats
from tailrace.query.samples import LABEL
from tailrace.query.syntax import LogQuery, LogRange, Matcher, RangeAggregation, Selector

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.contracts import Engine, Snapshot, Table

LIMIT_DEFAULT: Final = 100


@dataclass(frozen=True, slots=True)
class Volume:
    """A question for bytes, by the labels `targets`, else those that the selector names, else all.

    `by` is `series` for one sum per set of their values, `labels` for one per label. `step_ns` None asks for the
    whole range at once. Of more than `limit` sums the largest are answered.
    """

    selector: Selector | None
    start_ns: int
    end_ns: int
    step_ns: int | None = None
    limit: int = LIMIT_DEFAULT
    targets: tuple[str, ...] = ()
    by: Literal["series", "labels"] = "series"
    cancelled: Callable[[], bool] = nobody

    @property
    def matchers(self) -> tuple[Matcher, ...]:
        """The matchers of the selector, and one for each target: a stream without it is not asked for."""
        given = self.selector.matchers if self.selector else ()
        return (*given, *(Matcher(name, "!=", "") for name in self.targets))

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that sums are made for; none stands for all."""
        return self.targets or tuple(dict.fromkeys(matcher.name for matcher in self.matchers))


def volume(asked: Volume, table: Table, engine: Engine) -> Series:
    """Answer the sums, the largest first."""
    if asked.end_ns <= asked.start_ns:
        return Series("vector", (), pl.DataFrame(schema=SERIES_SCHEMA), Stats())
    cells = _cells(asked)

    def ask() -> Series:
        began_s = time.perf_counter()
        reading = Reading(engine, Stats(), QUERY_TIMEOUT_S, asked.cancelled)
        sums = _sums(asked, cells, table.snapshot(), reading)
        reading.finish(time.perf_counter() - began_s)
        return _ordered(asked, cells.grid, sums, reading.stats)

    return afresh(ask)


def _cells(asked: Volume) -> Cells:
    """Lay buckets over the range: windows are open at their start, so all edges move by a nanosecond."""
    span = (asked.start_ns, asked.end_ns)
    if asked.step_ns is None:
        return Cells(instant(asked.end_ns - 1), asked.end_ns - asked.start_ns, 0, *span)
    grid = aligned(asked.start_ns - asked.start_ns % asked.step_ns + asked.step_ns, asked.end_ns, asked.step_ns)
    return Cells(Grid(grid.first_ns - 1, grid.step_ns, grid.points), asked.step_ns, 0, *span)


def _sums(asked: Volume, cells: Cells, snapshot: Snapshot, reading: Reading) -> pl.DataFrame:
    """Return label columns, `step` and `value`."""
    needs = Needs(names=frozenset(asked.names)) if asked.names else Needs(names=_all_labels(asked, snapshot))
    log = LogQuery(Selector(asked.matchers))
    summed = RangeAggregation("bytes_over_time", LogRange(log, cells.range_ns))
    frame = leaf.samples(summed, needs, cells, snapshot, reading).frame
    labels = [column for column in frame.columns if column.startswith(LABEL)]
    frame = frame.with_columns(pl.col(name).replace("", None) for name in labels)
    if asked.by == "labels":
        return _by_label(frame, labels)
    return frame.group_by(*labels, "step").agg(pl.col("value").sum())


def _all_labels(asked: Volume, snapshot: Snapshot) -> frozenset[str]:
    """Return the names of all labels of the streams in the range."""
    texts = snapshot.segments(asked.start_ns, asked.end_ns).streams()["_stream"].unique()
    return frozenset(name for text in texts for name in stream_labels(text))


def _by_label(frame: pl.DataFrame, labels: Sequence[str]) -> pl.DataFrame:
    """Return the sums of the streams that have each label, under the label's name and an empty value."""
    parts = [
        frame.filter(pl.col(column).is_not_null())
        .group_by("step")
        .agg(pl.col("value").sum())
        .with_columns(pl.lit(column.removeprefix(LABEL)).alias("name"))
        for column in labels
    ]
    return pl.concat(parts) if parts else pl.DataFrame(schema={"step": pl.Int64, "value": pl.Float64})


def _ordered(asked: Volume, grid: Grid, sums: pl.DataFrame, stats: Stats) -> Series:
    """Give numbers to the series: the largest first value first, then by labels; keep as many as asked for."""
    keys = [column for column in sums.columns if column not in ("step", "value")]
    found = sums.sort("step").group_by(keys, maintain_order=True).agg("step", "value") if keys else _alone(sums)
    sets = [_labels(row, keys) for row in found.select(keys).iter_rows()] if keys else [{}] * found.height
    firsts = [values[0] for values in found["value"]]
    order = sorted(range(found.height), key=lambda at: (-firsts[at], sorted(sets[at].items())))[: asked.limit]
    points = [
        (number, grid.first_ns + 1 + step * grid.step_ns, value)
        for number, at in enumerate(order)
        for step, value in zip(found["step"][at], found["value"][at], strict=True)
    ]
    frame = pl.DataFrame(points, schema=SERIES_SCHEMA, orient="row")
    several = asked.step_ns is not None and len(points) > len(order)
    return Series("matrix" if several else "vector", tuple(sets[at] for at in order), frame, stats)


def _alone(sums: pl.DataFrame) -> pl.DataFrame:
    """Return the sums of a question without any label as the one series that they are."""
    return sums.sort("step").select(pl.col("step").implode(), pl.col("value").implode()).head(min(sums.height, 1))


def _labels(row: Sequence[str | None], keys: Sequence[str]) -> dict[str, str]:
    if keys == ["name"]:
        return {str(row[0]): ""}
    return {name.removeprefix(LABEL): value for name, value in zip(keys, row, strict=True) if value is not None}
