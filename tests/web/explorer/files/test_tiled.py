"""The map of a directory."""

from __future__ import annotations

import polars as pl
import pytest

from tailrace.web.explorer.files import tiled
from tailrace.web.explorer.files.folder import SCHEMA

DAY_NS = 86_400_000_000_000


def entries(*rows: tuple[str, str, int, int]) -> pl.DataFrame:
    """Return entries: name, kind, bytes, files."""
    told = [
        {"name": name, "path": f"/d/{name}", "kind": kind, "bytes": size, "files": files}
        for name, kind, size, files in rows
    ]
    return pl.DataFrame(told, schema=SCHEMA)


def below(*rows: tuple[str, str, int]) -> pl.DataFrame:
    told = [{"name": name, "inner": inner, "bytes": size, "files": 1, "newest_ns": 0} for name, inner, size in rows]
    types = {
        "name": pl.String(),
        "inner": pl.String(),
        "bytes": pl.Int64(),
        "files": pl.Int64(),
        "newest_ns": pl.Int64(),
    }
    return pl.DataFrame(told, schema=types)


def area(entry: tiled.Entry) -> float:
    return entry.tile.width * entry.tile.height / 100


def test_areas_are_shares_and_large_folders_show_what_is_in_them() -> None:
    found = tiled.tiles(
        entries(("big", "dir", 900, 1), ("small", "file", 100, 3)),
        below(("big", "x", 600), ("big", "y", 300)),
        "size",
        "kind",
        0,
    )
    assert [(one.name, one.shade) for one in found] == [("big", "dir"), ("small", "file")]
    assert [area(one) for one in found] == pytest.approx([90, 10], abs=0.01)
    assert [(one.name, one.path) for one in found[0].inner] == [("x", "/d/big/x"), ("y", "/d/big/y")]
    assert [area(one) for one in found[0].inner] == pytest.approx([100 * 2 / 3, 100 / 3], abs=0.01)
    by_files = tiled.tiles(entries(("big", "dir", 900, 1), ("small", "file", 100, 3)), below(), "files", "kind", 0)
    assert [area(one) for one in by_files] == pytest.approx([75, 25], abs=0.01)


def test_what_is_too_small_is_one_tile_together() -> None:
    many = entries(*((f"f{number:03}", "file", 1_000 - number, 1) for number in range(60)))
    found = tiled.tiles(many, below(), "size", "age", DAY_NS)
    rest = [one for one in found if one.rest]
    assert len(found) == tiled.TILES_MOST + 1
    assert [(one.rest, one.files, one.bytes) for one in rest] == [(12, 12, sum(1_000 - n for n in range(48, 60)))]
    assert sum(map(area, found)) == pytest.approx(100, abs=0.1)


def test_empty_files_have_no_area() -> None:
    assert tiled.tiles(entries(("empty", "file", 0, 1)), below(), "size", "age", 0) == []
