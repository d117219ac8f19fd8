"""Paths come in order as long as they are few enough to be held."""

import polars as pl

from tailrace.twin import listing
from tailrace.twin.records import FILE


class _View:
    def __init__(self, paths):
        known = pl.DataFrame({"host": ["h"] * len(paths), "path": paths}, schema={"host": pl.String, "path": pl.String})
        self._rows = known.lazy().with_columns(pl.lit(None, kind).alias(name) for name, kind in FILE.items())

    def rows(self, _hosts, _top):
        return self._rows


def _listed(paths):
    return [path for piece in listing.pages(_View(paths), recursive=True) for path in piece["path"]]


def test_few_paths_come_in_order_however_they_are_found():
    assert _listed(["/c", "/a", "/b/d", "/b"]) == ["/a", "/b", "/b/d", "/c"]
    assert _listed([]) == []


def test_many_paths_come_once_each(monkeypatch):
    monkeypatch.setattr(listing, "ORDERED_ROWS", 10)
    monkeypatch.setattr(listing, "_PAGE_ROWS", 4)
    paths = [f"/{number:02d}" for number in range(99, -1, -1)]
    assert sorted(_listed(paths)) == sorted(paths)
