"""A directory as a map: a tile for each entry, and in large ones a tile for each of what stands in them.

Comes in: the entries of a directory, and what stands in its directories. Goes out: tiles, largest first; entries beyond
`TILES_MOST`, and what is too small to be seen in an inner map, are one tile together, so that areas add up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.twin import tree
from tailrace.web.explorer.amounts import age_class
from tailrace.web.explorer.shapes.treemap import Tile, treemap

if TYPE_CHECKING:
    from collections.abc import Mapping

TILES_MOST: Final = 48
INNER_MOST: Final = 24
INNER_AREA: Final = 4.0
"""Percent of the drawing from which on a tile shows what stands in it."""

COLUMNS: Final[Mapping[str, str]] = {"size": "bytes", "files": "files"}
HEIGHT_PX: Final = 460
"""Height of the drawing, as the style sheet has it."""

_HEAD_PX: Final = 24
_INNER_HEIGHT: Final = 14.0  # percent of the drawing: below that the name would leave no room
_RATIO: Final = 2.6


@dataclass(frozen=True, slots=True)
class Entry:
    """A tile: an entry, or with `rest` so many small ones together."""

    tile: Tile
    name: str
    path: str
    kind: str
    bytes: int
    files: int
    newest_ns: int | None
    shade: str
    rest: int = 0
    inner: list[Entry] = field(default_factory=list)

    @property
    def head(self) -> float:
        """Percent of the tile that its name needs above what stands in it."""
        return round(100 * _HEAD_PX / (HEIGHT_PX * self.tile.height / 100), 3)


def tiles(entries: pl.DataFrame, below: pl.DataFrame | None, by: str, shade: str, now_ns: int) -> list[Entry]:
    """Return the tiles of a directory; `by` what areas are, `shade` by `age` or by `kind`."""
    outer = _tiles(entries, COLUMNS[by], TILES_MOST, _RATIO, shade, now_ns)
    found = []
    for one in outer:
        large = one.tile.width * one.tile.height / 100 >= INNER_AREA and one.tile.height >= _INNER_HEIGHT
        if below is not None and one.kind == "dir" and large:
            rows = below.filter(name=one.name).select(
                pl.col("inner").alias("name"),
                pl.lit("").alias("kind"),
                (pl.lit(one.path + "/") + pl.col("inner")).alias("path"),
                "bytes",
                "files",
                "newest_ns",
            )
            ratio = _RATIO * one.tile.width / one.tile.height
            inner = _tiles(rows, COLUMNS[by], INNER_MOST, ratio, shade, now_ns)
            one.inner.extend(inner if len(inner) > 1 else [])
        found.append(one)
    return found


def _tiles(entries: pl.DataFrame, column: str, most: int, ratio: float, shade: str, now_ns: int) -> list[Entry]:
    ordered = entries.sort([column, "name"], descending=[True, False])
    shown, rest = ordered.head(most), ordered.slice(most)
    values = shown[column].to_list()
    rows = list(shown.with_columns(tree.native(pl.col("path"))).iter_rows(named=True))
    if rest.height:
        values.append(int(rest[column].sum()))
        sums = {name: int(rest[name].sum()) for name in ("bytes", "files")}
        rows.append({"name": "", "path": "", "kind": "", "newest_ns": None, **sums})
    found = []
    for tile in treemap(values, ratio):
        row = rows[tile.place]
        how = age_class(row["newest_ns"], now_ns) if shade == "age" else row["kind"]
        told = (row["name"], row["path"], row["kind"], row["bytes"], row["files"], row["newest_ns"])
        found.append(Entry(tile, *told, shade=how, rest=0 if row["name"] else rest.height))
    return found
