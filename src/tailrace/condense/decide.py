"""What becomes of each document of some hosts; pure.

Comes in: the documents of whole hosts, all of them (`documents.DOCUMENT`). Goes out: the same rows in the same order
with what to do: `keep`, `delete`, `move` (the file lives, under another path since a directory was renamed), and
whether the document is an *act*, which removes others and so must go after them.

The decision is the twin's own (`twin.fold`), so a condensed index and the table `files` agree: the newest event of a
path by time, then sequence number, wins; one action `deleted` or `moved` means gone, of several the metadata tells; a
directory that went takes with it what is below it by true prefix and came before.

A document that says nothing of a path's life (action `none`, no metadata) goes if others do say that it lives; a gap of
our own stays. A path of Windows has slashes while it is folded (`twin.tree`).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from tailrace.condense.documents import events
from tailrace.condense.moves import destinations
from tailrace.twin import tree
from tailrace.twin.fold import fold
from tailrace.twin.records import of_events

_LAST: Final = (1 << 62) - 1  # behind all documents of one time: where a move put a document in an earlier pass


def decide(documents: pl.DataFrame) -> pl.DataFrame:
    """Return the documents with `verdict`, `act` and, for those to move, `to` and `placed_now`, the move's number."""
    rows = documents.with_row_index("row").with_columns(at=pl.coalesce("event_sequence", "_time_ns"))
    order = rows.select("row", "at", "index", "seq").sort("at", "index", "seq", "row").with_row_index("order")
    rows = rows.join(order.select("row", pl.col("order").cast(pl.Int64)), on="row", how="left", maintain_order="left")
    records = _records(rows)
    folded = fold(records)
    live = folded.live.select("order", now="path", placed_now="placed_at")
    acts = folded.acts.select("order").unique().with_columns(act=pl.lit(value=True))
    said = records.select("order").unique().with_columns(said=pl.lit(value=True))
    judged = rows
    for found in (live, acts, said):
        judged = judged.join(found, on="order", how="left", maintain_order="left")
    lives = judged.filter(pl.col("now").is_not_null()).select("host", "file_path", lives=pl.lit(value=True)).unique()
    judged = judged.join(lives, on=["host", "file_path"], how="left", maintain_order="left")
    path = tree.slashed(pl.col("file_path"))
    here = (pl.col("now") == path) | ((path.str.len_bytes() > 1) & (pl.col("now") == path.str.strip_chars_end("/")))
    silent = pl.col("said").is_null() & (
        (pl.col("event_kind") == "state").fill_null(value=False) | pl.col("lives").is_null()
    )
    verdict = (
        pl.when(here | silent)
        .then(pl.lit("keep"))
        .when(pl.col("now").is_null())
        .then(pl.lit("delete"))
        .otherwise(pl.lit("move"))
    )
    judged = judged.with_columns(verdict=verdict, act=pl.col("act").fill_null(value=False))
    return judged.with_columns(to=pl.when(pl.col("verdict") == "move").then(tree.native(pl.col("now")))).select(
        *documents.columns, "order", "verdict", "act", "to", "placed_now"
    )


def uncondensed(documents: pl.DataFrame) -> int:
    """Return how many paths have more than one document: the health number, 0 when all is condensed."""
    counted = documents.group_by("host", "file_path").len()
    return counted.filter(pl.col("len") > 1).height


def _records(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the records of documents; `order` names the document."""
    plain = rows.with_columns(
        tree.slashed(pl.col("file_path", "file_old_path")),
        pl.col("at").alias("_time_ns"),
        pl.lit(None, pl.Int64).alias("event_sequence"),
    )
    records = of_events(events(plain))
    went = destinations(plain)
    if went.height:
        records = records.join(went.rename({"moved_to": "went"}), on="order", how="left", maintain_order="left")
        records = records.with_columns(moved_to=pl.coalesce("moved_to", "went")).drop("went")
    placed = rows.filter(pl.col("placed").is_not_null()).select("order", was="placed")
    if not placed.height:
        return records
    joined = records.join(placed, on="order", how="left", maintain_order="left")
    return joined.with_columns(
        placed_at=pl.coalesce("was", "placed_at"),
        placed_order=pl.when(pl.col("was").is_not_null()).then(pl.lit(_LAST)).otherwise("placed_order"),
    ).drop("was")
