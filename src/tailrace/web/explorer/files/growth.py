"""What grew and what shrank between two moments: entries of a directory, single files, and the whole over time.

Comes in: two views of the twin. Goes out: rows with the sizes before and after. Entries are compared by the sums of
all below them; of single files those count that events tell of, since nothing else can have changed.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.clock import NS_PER_S
from tailrace.query.result import Series, Stats
from tailrace.twin import sizes, tree
from tailrace.twin.usage import usage
from tailrace.web.explorer.files.folder import child
from tailrace.web.explorer.shapes.curves import Chart, chart

if TYPE_CHECKING:
    from tailrace.twin.reading import Twin, View
    from tailrace.web.explorer.files.folder import Folder

FILES_MOST: Final = 25
MEASURING_S: Final = 0.2
"""Time to measure sizes at moments of the span, where too few were written down."""

_BETWEEN: Final = (4, 2, 6, 1, 3, 5, 7)
"""Eighths of the span at which sizes are measured, those first that say most."""

_WRITERS: Final = 3


@dataclass(frozen=True, slots=True)
class Growth:
    """What changed, the most grown first."""

    before: Folder
    after: Folder
    entries: pl.DataFrame  # name, path, kind, bytes before and after, grown, files, who
    files: pl.DataFrame  # path, before, after, grown
    chart: Chart
    points: list[tuple[int, int]]

    @property
    def grown(self) -> int:
        """Bytes by which the whole grew."""
        return self.after.sums["bytes"] - self.before.sums["bytes"]


def entries(before: Folder, after: Folder, happened: pl.DataFrame) -> pl.DataFrame:
    """Return the entries of a directory whose sums differ, and who wrote there most."""
    columns = ["name", "path", "kind", "bytes", "files"]
    both = after.rows.select(columns).join(
        before.rows.select(columns), on="name", how="full", coalesce=True, suffix=" old"
    )
    rows = both.select(
        "name",
        pl.coalesce("path", "path old").alias("path"),
        pl.coalesce("kind", "kind old").alias("kind"),
        pl.col("bytes old").fill_null(0).alias("before"),
        pl.col("bytes").fill_null(0).alias("after"),
        (pl.col("files").fill_null(0) - pl.col("files old").fill_null(0)).alias("more"),
        there=pl.col("path").is_not_null(),
        new=pl.col("path old").is_null(),
    ).with_columns(grown=pl.col("after") - pl.col("before"))
    changed = rows.filter((pl.col("grown") != 0) | (pl.col("more") != 0) | pl.col("new") | ~pl.col("there"))
    return changed.join(_writers(happened, after.path), on="name", how="left").sort(
        ["grown", "name"], descending=[True, False]
    )


def _writers(happened: pl.DataFrame, top: str) -> pl.DataFrame:
    """Return who had most events below each entry: programs with their users."""
    who = pl.concat_str(pl.col("process"), pl.col("user"), separator=" ").str.strip_chars()
    counts = (
        happened.with_columns(tree.slashed(pl.col("path")))
        .filter(tree.below(pl.col("path"), top))
        .select(child(top).alias("name"), who.alias("who"))
        .filter(pl.col("who") != "")
        .group_by("name", "who")
        .len()
        .sort(["len", "who"], descending=[True, False])
    )
    return counts.group_by("name", maintain_order=True).agg(pl.col("who").head(_WRITERS))


def single_files(before: View, after: View, host: str, top: str, happened: pl.DataFrame) -> pl.DataFrame:
    """Return the files that events tell of with their sizes at both moments, those first that changed most."""
    paths = pl.concat([happened["path"], happened["old_path"]]).unique()
    names = paths.to_frame("path").filter(pl.col("path") != "").with_columns(tree.slashed(pl.col("path")))
    old, new = (_sizes(view, host, top, names) for view in (before, after))
    both = new.join(old, on="path", how="full", coalesce=True, suffix=" old")
    rows = both.select("path", before=pl.col("size old").fill_null(0), after=pl.col("size").fill_null(0))
    rows = rows.with_columns(grown=pl.col("after") - pl.col("before")).filter(pl.col("grown") != 0)
    return rows.sort([pl.col("grown").abs(), pl.col("path")], descending=[True, False]).head(FILES_MOST)


def _sizes(view: View, host: str, top: str, names: pl.DataFrame) -> pl.DataFrame:
    rows = view.rows([host], top).filter((pl.col("type") != "dir").fill_null(value=True))
    return rows.join(names.lazy(), on="path", how="semi").select("path", "size").collect(engine="streaming")


def over_time(
    twin: Twin, before: Folder, after: Folder, host: str, start_ns: int, end_ns: int
) -> list[tuple[int, int]]:
    """Return sizes at moments of a span: its ends, what was written down by day, and a few measured if that is few."""
    top = after.path
    first, last = (dt.datetime.fromtimestamp(at // NS_PER_S, dt.UTC).date() for at in (start_ns, end_ns))
    days = usage(twin.usage, first, last + dt.timedelta(days=1), top, hosts=[host]).filter(path=top)
    points = dict(days.select("taken_ns", "bytes_tree").iter_rows())
    points = {at: size for at, size in points.items() if start_ns < at < end_ns}
    if len(points) < len(_BETWEEN):
        began_s = twin.clock.monotonic_s()
        for part in _BETWEEN:
            if twin.clock.monotonic_s() - began_s > MEASURING_S:
                break
            at = start_ns + (end_ns - start_ns) * part // 8
            points[at] = sizes.du(twin.at(at), top, hosts=[host])["bytes"]
    points |= {start_ns: before.sums["bytes"], end_ns: after.sums["bytes"]}
    return sorted(points.items())


def curve(points: list[tuple[int, int]], name: str, start_ns: int, end_ns: int) -> Chart:
    """Return the drawing of sizes over time."""
    frame = pl.DataFrame(
        [(0, at, float(size)) for at, size in points],
        schema={"series": pl.UInt32(), "_time_ns": pl.Int64(), "value": pl.Float64()},
        orient="row",
    )
    answer = Series("matrix", ({"size": name},), frame, Stats())
    return chart(answer, start_ns, end_ns, end_ns - start_ns)
