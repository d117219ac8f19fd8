"""Differences of two whole states, worked out by hand."""

from __future__ import annotations

import polars as pl

from tailrace.ecs import COLUMNS
from tailrace.sources.file_events import diff


def state(*rows: tuple) -> pl.DataFrame:
    """Return a state of (path, type, inode, size) rows; directories end in a slash."""
    return pl.DataFrame(
        [
            {
                "file_path": path.rstrip("/"),
                "file_type": "dir" if path.endswith("/") else "file",
                "file_inode": str(inode),
                "file_device": "d",
                "file_size": size,
                "file_mtime": f"2026-01-01T00:00:0{size % 10}Z",
                "file_mode": mode,
            }
            for path, inode, size, mode in ((*row, *(0, "0644")[len(row) - 2 :]) for row in rows)
        ],
        schema={
            name: COLUMNS[name]
            for name in (
                "file_path",
                "file_type",
                "file_inode",
                "file_device",
                "file_size",
                "file_mtime",
                "file_mode",
            )
        },
    )


def told(known: pl.DataFrame, found: pl.DataFrame, unlisted: tuple[str, ...] = ()) -> list[tuple]:
    rows = diff.compare(known, found, unlisted).select("event_action", "file_old_path", "file_path").rows()
    return [(action, path) if old is None else (action, old, path) for action, old, path in rows]


def test_nothing_differs() -> None:
    one = state(("/r/", 1), ("/r/a", 2, 5))
    assert told(one, one) == []


def test_created_updated_attributes_deleted() -> None:
    known = state(("/r/", 1), ("/r/a", 2, 5), ("/r/b", 3, 5), ("/r/c", 4))
    found = state(("/r/", 1), ("/r/a", 2, 6), ("/r/b", 3, 5, "0600"), ("/r/d", 5))
    assert told(known, found) == [
        ("deleted", "/r/c"),
        ("updated", "/r/a"),
        ("attributes_modified", "/r/b"),
        ("created", "/r/d"),
    ]


def test_a_renamed_file_keeps_its_inode() -> None:
    assert told(state(("/r/", 1), ("/r/a", 2, 5)), state(("/r/", 1), ("/r/b", 2, 5))) == [("moved", "/r/a", "/r/b")]
    assert told(state(("/r/", 1), ("/r/a", 2, 5)), state(("/r/", 1), ("/r/b", 2, 6))) == [
        ("deleted", "/r/a"),
        ("created", "/r/b"),
    ]


def test_a_renamed_folder_is_one_row_and_what_changed_below_it() -> None:
    known = state(("/r/", 1), ("/r/a/", 2), ("/r/a/b/", 3), ("/r/a/b/x", 4), ("/r/a/b/y", 5))
    found = state(("/r/", 1), ("/r/z/", 2), ("/r/z/b/", 3), ("/r/z/b/x", 4, 7), ("/r/z/b/new", 6))
    assert told(known, found) == [
        ("moved", "/r/a", "/r/z"),
        ("deleted", "/r/z/b/y"),
        ("updated", "/r/z/b/x"),
        ("created", "/r/z/b/new"),
    ]


def test_a_folder_that_changed_places_with_another_is_told_anew() -> None:
    known = state(("/r/a/", 2), ("/r/a/x", 3), ("/r/b/", 4), ("/r/b/x", 5))
    found = state(("/r/a/", 4), ("/r/a/x", 5), ("/r/b/", 2), ("/r/b/x", 3))
    assert told(known, found) == [
        ("deleted", "/r/a"),
        ("created", "/r/a"),
        ("created", "/r/a/x"),
        ("deleted", "/r/b"),
        ("created", "/r/b"),
        ("created", "/r/b/x"),
    ]


def test_a_removed_folder_is_one_row_by_true_prefix() -> None:
    known = state(("/r/a/", 1), ("/r/a/x", 2), ("/r/a.b", 3), ("/r/a b", 4))
    assert told(known, state(("/r/a.b", 3), ("/r/a b", 4))) == [("deleted", "/r/a")]


def test_nothing_is_concluded_below_what_was_not_listed() -> None:
    known = state(("/r/a/", 1), ("/r/a/x", 2), ("/r/b", 3))
    assert told(known, state(("/r/a/", 1)), ("/r/a",)) == [("deleted", "/r/b")]


def test_one_of_two_links_moved() -> None:
    known = state(("/r/a", 2, 5), ("/r/b", 2, 5))
    assert told(known, state(("/r/a", 2, 5), ("/r/c", 2, 5))) == [("moved", "/r/b", "/r/c")]


def test_lean_rows_compare_like_whole_ones() -> None:
    known, found = state(("/r/a", 2, 5), ("/r/b", 3)), state(("/r/a", 2, 6), ("/r/c", 4))
    assert diff.compare(diff.lean(known), found).rows() == diff.compare(known, found).rows()
