"""What happened to files, folded: events that one program did in one go are one act.

Comes in: events of a span of time. Goes out: acts, newest first, and how many events of each kind there were over time.
An act is what one process and user of a host did in one way (`updated`, say) with never more than `PAUSE_S` in between;
what nobody is known to have done is folded by kind and time alone. Counts are exact; nothing is left out of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from tailrace.clock import NS_PER_S
from tailrace.ecs import STREAM_SOURCE
from tailrace.query.lexer import quote
from tailrace.query.result import Series, Stats
from tailrace.twin import events, tree
from tailrace.web.explorer.search.histogram import Grid, grid
from tailrace.web.explorer.shapes.stacks import Stacks, stacks
from tailrace.web.explorer.texts import files as texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.twin.reading import Twin

PAUSE_S: Final = 5
ACTS_MOST: Final = 100
"""Acts of one page."""

ACTIONS: Final = ("created", "updated", "deleted", "moved", "attributes_modified", "initial_scan", "gap")

_COLUMNS: Final[Mapping[str, pl.DataType]] = {
    "_time_ns": pl.Int64(),
    "event_action": pl.String(),
    "event_sequence": pl.Int64(),
    "event_reason": pl.String(),
    "file_path": pl.String(),
    "file_old_path": pl.String(),
    "process_name": pl.String(),
    "process_executable": pl.String(),
    "process_pid": pl.Int64(),
    "user_name": pl.String(),
    "user_id": pl.String(),
    "container_id": pl.String(),
}
_CLASSES: Final = {
    "created": "c2",
    "updated": "c0",
    "deleted": "c4",
    "moved": "c3",
    "attributes_modified": "c5",
    "initial_scan": "lv-none",
    "gap": "c1",
}
"""Colours of kinds of events, the same in every drawing."""

_SAME: Final = ("action", "process", "pid", "user", "container")
_BELOW: Final = r"([/\\].*)?"
_SPECIAL: Final = frozenset(".^$*+?{}[]|()\\")


@dataclass(frozen=True, slots=True)
class Act:
    """What one program did in one go: to one path, or below `path`."""

    start_ns: int
    end_ns: int
    action: str
    reason: str
    path: str
    old_path: str
    events: int
    paths: int
    process: str
    pid: int | None
    user: str
    container: str

    @property
    def alone(self) -> bool:
        """Whether the act is about one path."""
        return self.paths == 1


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of acts, how many there are in all, the events they are made of, and their drawing."""

    acts: list[Act]
    total: int
    events: int
    bars: Stacks
    grid: Grid
    processes: list[tuple[str, int]]

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.total // ACTS_MOST))


def found(twin: Twin, host: str, top: str, start_ns: int, end_ns: int) -> pl.DataFrame:
    """Return the events of a host at and below a path: time, action, path, who."""
    name = tree.native_text(top)
    rows = events.between(
        twin.logs.snapshot(),
        start_ns,
        end_ns,
        twin.engine,
        columns=_COLUMNS,
        hosts=[host],
        condition=None if top == "/" else _below(name),
    )
    base = pl.col("process_executable").str.extract(r"([^/\\]+)$", 1)
    return rows.select(
        "_time_ns",
        pl.col("event_action").fill_null("").alias("action"),
        pl.col("event_reason").fill_null("").alias("reason"),
        pl.col("file_path").fill_null("").alias("path"),
        pl.col("file_old_path").fill_null("").alias("old_path"),
        pl.coalesce("process_name", base, pl.lit("")).alias("process"),
        pl.col("process_pid").alias("pid"),
        pl.coalesce("user_name", "user_id", pl.lit("")).alias("user"),
        pl.col("container_id").fill_null("").alias("container"),
    )


def began_ns(twin: Twin, host: str, start_ns: int, end_ns: int) -> int | None:
    """Return when the first look at everything ended, if that was in a span."""
    first = nw.col("event_action") == "initial_scan"
    snapshot, columns = twin.logs.snapshot(), {"_time_ns": pl.Int64(), "event_action": pl.String()}
    rows = events.between(snapshot, start_ns, end_ns, twin.engine, columns=columns, hosts=[host], condition=first)
    return int(rows["_time_ns"].max()) + 1 if rows.height else None  # type: ignore[arg-type]  # Int64: not null here


def _below(name: str) -> nw.Expr:
    slash = "\\" if not name.startswith("/") else "/"
    own, old = nw.col("file_path"), nw.col("file_old_path")
    here = (own == name) | own.str.starts_with(name + slash)
    return here | (old == name).fill_null(value=False) | old.str.starts_with(name + slash).fill_null(value=False)


def changes(rows: pl.DataFrame, start_ns: int, end_ns: int, page: int = 1) -> Changes:
    """Return the acts that events come to."""
    when = grid(start_ns, end_ns)
    acts = folded(rows)
    page = min(page, -(-acts.height // ACTS_MOST) or 1)
    ordered = acts.sort("end_ns", "act", descending=[True, False])
    shown = ordered.slice((page - 1) * ACTS_MOST, ACTS_MOST)
    processes = (
        rows.filter(pl.col("process") != "")
        .group_by("process")
        .len()
        .sort(["len", "process"], descending=[True, False])
    )
    return Changes(
        _acts(shown), acts.height, rows.height, drawn(rows, when), when, list(processes.head(12).iter_rows())
    )


def folded(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row per act."""
    ordered = rows.sort([*_SAME, "_time_ns"], maintain_order=True)
    other = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in _SAME)
    late = pl.col("_time_ns") - pl.col("_time_ns").shift() > PAUSE_S * NS_PER_S
    numbered = ordered.with_columns(act=(other | late).fill_null(value=True).cum_sum())
    return numbered.group_by("act", maintain_order=True).agg(
        pl.col("_time_ns").first().alias("start_ns"),
        pl.col("_time_ns").last().alias("end_ns"),
        *(pl.col(name).first() for name in (*_SAME, "reason", "old_path")),
        pl.len().alias("events"),
        pl.col("path").n_unique().alias("paths"),
        pl.col("path").min().alias("low"),
        pl.col("path").max().alias("high"),
    )


def drawn(rows: pl.DataFrame, when: Grid) -> Stacks:
    """Return the events of each kind over time; one of several kinds counts as its first."""
    kind = pl.col("action").str.split(",").list.first()
    step = (pl.col("_time_ns") - when.start_ns) // when.step_ns
    counts = rows.group_by(kind.alias("action"), step.alias("step")).len()
    known = set(counts["action"])
    names = [name for name in ACTIONS if name in known] + sorted(known - set(ACTIONS))
    number = pl.col("action").replace_strict(names, range(len(names)), return_dtype=pl.UInt32)
    frame = counts.select(
        number.alias("series") if names else pl.lit(0, pl.UInt32).alias("series"),
        (when.start_ns + (pl.col("step") + 1) * when.step_ns).alias(
            "_time_ns"
        ),  # a point stands at the end of its step
        pl.col("len").cast(pl.Float64).alias("value"),
    )
    answer = Series("matrix", tuple({"action": name} for name in names), frame.sort("series", "_time_ns"), Stats())
    bars = stacks(answer, when.start_ns, when.end_ns, when.step_ns)
    titles = [texts.ACTIONS.get(name, name) for name in bars.names]
    return replace(bars, names=titles, classes=[_CLASSES.get(name, "lv-none") for name in bars.names])


def matching(rows: pl.DataFrame, action: str, who: str) -> pl.DataFrame:
    """Return the events of a kind, and of programs, users and process ids that have a text in their name."""
    if action:
        rows = rows.filter(pl.col("action").str.split(",").list.contains(action))
    if who:
        names = (
            pl.col(name).str.to_lowercase().str.contains(who.lower(), literal=True) for name in ("process", "user")
        )
        rows = rows.filter(pl.any_horizontal(*names, pl.col("pid").cast(pl.String) == who))
    return rows


def query(host: str, path: str, *, alone: bool = False, action: str = "") -> str:
    """Return the LogQL that finds the events of a path, and of all below it unless it stands alone."""
    text = f'{{source="{STREAM_SOURCE}", host={quote(host)}}}'
    if alone:
        text += f" | file_path = {quote(path)}"
    elif path != "/":
        text += f" | file_path =~ {quote(regex(path))}"
    return text + (f" | event_action = {quote(action)}" if action else "")


def regex(path: str) -> str:
    """Return a regular expression that fits a path and all below it."""
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in path) + _BELOW


def common(low: str, high: str) -> str:
    """Return the directory that all paths between two stand in, which are the least and the greatest of them.

    >>> common("/srv/a/x", "/srv/ab/y"), common("/srv/a", "/srv/a"), common("/a", "/b")
    ('/srv', '/srv/a', '/')
    """
    if low == high:
        return low
    slash = "/" if low.startswith("/") else "\\"
    left, right = low.split(slash), high.split(slash)
    same = 0
    while same < min(len(left), len(right)) and left[same] == right[same]:
        same += 1
    return slash.join(left[:same]) or slash


def _acts(rows: pl.DataFrame) -> list[Act]:
    return [
        Act(
            row["start_ns"],
            row["end_ns"],
            row["action"],
            row["reason"],
            common(row["low"], row["high"]),
            row["old_path"] if row["paths"] == 1 else "",
            row["events"],
            row["paths"],
            row["process"],
            row["pid"],
            row["user"],
            row["container"],
        )
        for row in rows.iter_rows(named=True)
    ]
