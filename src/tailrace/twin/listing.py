"""List living paths, as `ls` and `find` do: those in a folder, or all below it, in the order of host and path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.twin import tree
from tailrace.twin.records import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tailrace.twin.reading import View

SHOWN: Final = ("path", "type", "size", "mtime", "owner", "group", "mode", "host")
"""Columns that come first; the others of a path follow."""

_PAGE_ROWS: Final = 65_536

ORDERED_ROWS: Final = 262_144
"""So many paths are put in order before they are shown, about 100 MB; of more, pieces come as they are found."""


def ls(
    view: View, top: str = "/", *, hosts: Sequence[str] | None = None, recursive: bool = False, limit: int = 0
) -> pl.DataFrame:
    """Return the living paths in a folder (recursive: below it, and itself), with `mtime` and `ctime` as RFC 3339."""
    rows = _of(view, top, hosts, recursive=recursive).sort("host", "path")
    return _shown(rows.head(limit) if limit else rows).collect(engine="streaming")


def pages(
    view: View, top: str = "/", *, hosts: Sequence[str] | None = None, recursive: bool = False
) -> Iterator[pl.DataFrame]:
    """Yield all of them in pieces of bounded size; in order unless they are more than `ORDERED_ROWS`."""
    rows = _shown(_of(view, top, hosts, recursive=recursive))
    pieces = rows.collect_batches(chunk_size=_PAGE_ROWS, maintain_order=False, lazy=True, engine="streaming")
    held: list[pl.DataFrame] = []
    for piece in pieces:
        held.append(piece)
        if sum(one.height for one in held) > ORDERED_ROWS:
            yield from held
            yield from pieces
            return
    if held:
        yield pl.concat(held).sort("host", "path")


def _of(view: View, top: str, hosts: Sequence[str] | None, *, recursive: bool) -> pl.LazyFrame:
    rows = view.rows(hosts, top)
    if recursive:
        return rows
    name = top.rstrip("/")
    in_it = (tree.depth(pl.col("path")) == name.count("/") + 1) & (pl.col("path") != name)
    itself = (pl.col("path") == (name or "/")) & (pl.col("type") != "dir").fill_null(value=True)
    return rows.filter(in_it | itself)


def _shown(rows: pl.LazyFrame) -> pl.LazyFrame:
    moments = (rfc3339(pl.col(f"{name}_ns")).alias(name) for name in ("mtime", "ctime"))
    rest = [name for name in FILE if name not in SHOWN and not name.endswith("_ns")]
    return rows.with_columns(tree.native(pl.col("path")), *moments).select(*SHOWN, "ctime", *rest)


def rfc3339(time_ns: pl.Expr) -> pl.Expr:
    """Return a time as RFC 3339 in UTC with as many digits as it needs."""
    moment = time_ns.cast(pl.Datetime("ns", "UTC"))
    whole = moment.dt.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = moment.dt.nanosecond().cast(pl.String).str.zfill(9).str.strip_chars_end("0")
    dotted = pl.when(fraction == "").then(pl.lit("")).otherwise(pl.lit(".") + fraction)
    return whole + dotted + pl.lit("Z")
