"""The fold: which paths live, of records in any order and in any pieces; pure.

Comes in: records, some of them perhaps the outcome of an earlier fold. Goes out: one record per living path, and the
*acts*, which say what was removed and moved, for records that come late. Folding again, together with other records,
gives the same as folding all at once:

- the latest record of a path wins, by (`at`, `order`); a path is gone if that record says so;
- a directory that went takes with it what is below it by true prefix and came before, and nothing else;
- a directory that moved takes it along, through as many moves as follow: `moved_to`, or, where an agent does not tell
  it (Elastic), the directory with the same inode that lives elsewhere;
- names of one inode (`host`, `device`, `inode`) share the newest of what is known of it;
- a record that says nothing of the file leaves what was known.

Cost: joins and one sort over the records; rounds of as-of joins over those that moved only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.twin import tree
from tailrace.twin.records import FILE, KEY, SCHEMA, empty, known

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEP: Final = 2**64
_INODE: Final = ("host", "device", "inode")
_FILE: Final = ("type", "inode", "device", "links")
_DECIDING: Final = (*KEY, "placed_at", "placed_order", "action", "alive", "cut", "moved_to", *_FILE)
_FOLDER: Final = (pl.col("type") == "dir") | pl.col("type").is_null()
"""Objects that may have something below them: directories, and what nobody told the type of."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What records come to."""

    live: pl.DataFrame  # one record per living path
    acts: pl.DataFrame  # records of what was removed and moved, one per path and destination


def fold(records: pl.DataFrame) -> Folded:
    """Return the living paths of records and the acts among them.

    What decides is a few columns; the rest of a record is gathered at the end, by its place (`source`, `told`).
    """
    if not records.height:
        return Folded(empty(), empty())
    rows = records.select(
        *_DECIDING,
        rank=_rank("at", "order"),
        pos=_rank(pl.coalesce("placed_at", "at"), pl.coalesce("placed_order", "order")),
        source=pl.int_range(pl.len(), dtype=pl.UInt32),
        told=pl.when(known()).then(pl.int_range(pl.len(), dtype=pl.UInt32)),
    )
    acts = _destinations(rows, rows.filter("cut"))
    last = _latest(_settled(rows, acts))
    return Folded(_gathered(records, _links(last.filter("alive"))), _kept(records, acts))


def _gathered(records: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the whole records of rows: where they are now, with what was told of their files."""
    placed = rows.select("path", "placed_at", "placed_order")
    rest = records.drop(*placed.columns, *FILE)[rows["source"]]
    file = records.select(*FILE)[rows["told"].fill_null(rows["source"])]
    return pl.concat([placed, rest, file], how="horizontal").select(*SCHEMA)


def _rank(at: pl.Expr | str, order: pl.Expr | str) -> pl.Expr:
    """Return one number for the order of records."""
    first = pl.col(at) if isinstance(at, str) else at
    second = pl.col(order) if isinstance(order, str) else order
    return first.cast(pl.Int128) * _STEP + second.cast(pl.Int128)


# --- acts -----------------------------------------------------------------------------------------


def _destinations(rows: pl.DataFrame, acts: pl.DataFrame) -> pl.DataFrame:
    """Say where directories went whose move does not tell: where their inode lives."""
    lost = acts.filter(~pl.col("alive") & pl.col("moved_to").is_null() & pl.col("action").str.ends_with("moved"))
    folders = rows.filter(pl.col("alive") & (pl.col("type") == "dir") & pl.col("inode").is_not_null()).sort("rank")
    if not lost.height or not folders.height:
        return acts
    before = folders.select(*KEY, "inode", seen="rank")
    was = lost.select(*KEY, "rank").sort("rank")
    was = was.join_asof(before, left_on="rank", right_on="seen", by=list(KEY), check_sortedness=False)
    places = folders.select("host", "inode", now="path", since="rank")
    found = (
        was.drop_nulls("inode")
        .join(places, on=["host", "inode"])
        .filter((pl.col("now") != pl.col("path")) & (pl.col("since") > pl.col("seen")))
        .sort("since")
        .unique([*KEY, "rank"], keep="first", maintain_order=True)
    )
    acts = acts.join(found.select(*KEY, "rank", "now"), on=[*KEY, "rank"], how="left")
    return acts.with_columns(moved_to=pl.coalesce("moved_to", "now")).drop("now")


def _kept(records: pl.DataFrame, acts: pl.DataFrame) -> pl.DataFrame:
    """Return the acts as records that are gone: the last one of each path, and all that tell where something went."""
    acts = acts.sort("rank")
    moved = pl.col("moved_to").is_not_null()
    plain = acts.filter(~moved).unique(KEY, keep="last", maintain_order=True)
    kept = pl.concat([plain, acts.filter(moved).unique([*KEY, "rank", "moved_to"], maintain_order=True)])
    whole = records[kept["source"]].with_columns(kept["moved_to"], alive=pl.lit(value=False))
    return whole.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in FILE.items() if name not in _DECIDING)


# --- what the acts do to records ------------------------------------------------------------------


def _settled(rows: pl.DataFrame, acts: pl.DataFrame) -> pl.DataFrame:
    """Return the records that are left, at the paths where they are now."""
    if not acts.height:
        return rows
    marks = acts.select(
        "host",
        tree.directory(pl.col("path")).alias("dir"),
        removed="rank",
        carried=pl.when(pl.col("moved_to").is_not_null() & _FOLDER).then("rank"),
    )
    own = acts.filter(pl.col("moved_to").is_not_null() & pl.col("type").is_null())
    own = own.group_by(KEY).agg(renamed=pl.col("rank").max())
    rows = rows.with_columns(dir=tree.parent(pl.col("path")))
    reached = tree.reach(rows.select(tree.PLACE), marks, ["removed", "carried"])
    rows = rows.join(reached, on=tree.PLACE, how="left").join(own, on=KEY, how="left").drop("dir")
    travels = (pl.max_horizontal("carried", "renamed") > pl.col("pos")).fill_null(value=False)
    stays = (pl.col("removed") <= pl.col("pos")).fill_null(value=True)
    reasons = ("removed", "carried", "renamed")
    still = rows.filter(~travels & stays).drop(reasons)
    moving = rows.filter(travels).drop(reasons)
    if not moving.height:
        return still
    return pl.concat([still, *_travelled(moving, acts)])


def _travelled(moving: pl.DataFrame, acts: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the records that moves carry, round by round, each round one act further; those that an act removes go."""
    steps = acts.select(
        "host",
        tree.directory(pl.col("path")).alias("dir"),
        "rank",
        "moved_to",
        folder=_FOLDER,
        whole=pl.col("moved_to").is_not_null() & pl.col("type").is_null(),
        depth=tree.depth(pl.col("path")),
    ).sort("rank", pl.col("moved_to").is_null())
    hosts = moving["host"].unique()
    by_depth = {
        int(key[0]): part
        for key, part in steps.filter(pl.col("host").is_in(hosts.implode())).partition_by("depth", as_dict=True).items()
    }
    columns = moving.columns
    while moving.height:
        moving = moving.with_row_index("row")
        following = _following(moving, by_depth)
        yield moving.join(following, on="row", how="anti").select(columns)
        on = moving.join(following.filter(pl.col("goes").is_not_null()), on="row")
        rest = pl.col("path").str.slice(pl.col("dir").str.len_chars())
        moving = on.with_columns(
            path=pl.col("goes") + rest,
            pos="next",
            placed_at=(pl.col("next") // _STEP).cast(pl.Int64),
            placed_order=(pl.col("next") % _STEP).cast(pl.Int64),
        ).select(columns)


def _following(moving: pl.DataFrame, by_depth: dict[int, pl.DataFrame]) -> pl.DataFrame:
    """Return the next act on each record: `row`, `dir`, `next`, and where it `goes`, null if it removes."""
    found: list[pl.DataFrame] = []
    names = moving.select("row", "host", "path", "pos", depth=tree.depth(pl.col("path")))
    for depth, acts in by_depth.items():
        inside = names.filter(pl.col("depth") > depth)
        for some, steps in ((inside, acts), (names.filter(pl.col("depth") == depth), acts.filter("whole"))):
            if not some.height or not steps.height:
                continue
            rows = some.select("row", "host", "pos", dir=tree.ancestor(pl.col("path"), depth)).sort("pos")
            carried = pl.when(pl.col("folder") | pl.col("whole")).then("moved_to")  # what is below a file went before
            joined = rows.join_asof(
                steps.select("host", "dir", next="rank", goes=carried),
                left_on="pos",
                right_on="next",
                by=["host", "dir"],
                strategy="forward",
                allow_exact_matches=False,
                check_sortedness=False,
            )
            found.append(joined.filter(pl.col("next").is_not_null()).select("row", "dir", "next", "goes"))
    if not found:
        schema = {"row": pl.get_index_type(), "dir": pl.String(), "next": pl.Int128(), "goes": pl.String()}
        return pl.DataFrame(schema=schema)
    ways = pl.concat(found).sort("next", pl.col("dir").str.len_bytes(), descending=[False, True])
    return ways.unique("row", keep="first", maintain_order=True)


# --- what is left ---------------------------------------------------------------------------------


def _latest(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the last record of each path; at a draw the living one."""
    rows = rows.sort("pos", "rank", "alive")
    last = rows.unique(KEY, keep="last", maintain_order=True)
    silent = last.filter(pl.col("alive") & pl.col("told").is_null())
    return _filled(last, rows, silent) if silent.height else last


def _filled(last: pl.DataFrame, rows: pl.DataFrame, silent: pl.DataFrame) -> pl.DataFrame:
    """Take what is known of some paths from the last record since they were gone that tells it."""
    columns = (*_FILE, "told")
    since = pl.col("pos").filter(~pl.col("alive") | pl.col("cut")).max().over(KEY)
    found = rows.join(silent, on=KEY, how="semi", maintain_order="left").filter(
        (pl.col("pos") >= since).fill_null(value=True) & pl.col("told").is_not_null() & pl.col("alive")
    )
    found = found.unique(KEY, keep="last", maintain_order=True).select(*KEY, *columns)
    filled = silent.drop(columns).join(found, on=KEY, how="left").select(last.columns)
    return pl.concat([last.join(silent, on=KEY, how="anti"), filled])


def _links(live: pl.DataFrame) -> pl.DataFrame:
    """Give all names of an inode the newest of what is known of it."""
    plain = (pl.col("type") != "dir") & pl.col("inode").is_not_null()
    linked = live.filter(plain & (pl.col("links") > 1)).select(_INODE).unique()
    if not linked.height:
        return live
    names = live.filter(plain).join(linked, on=_INODE, how="semi", nulls_equal=True)
    newest = names.sort("rank").unique(_INODE, keep="last").select(*_INODE, "told")
    shared = names.drop("told").join(newest, on=_INODE, how="left", nulls_equal=True).select(live.columns)
    return pl.concat([live.join(names, on=KEY, how="anti"), shared])
