"""Which rows of a walk stand beside the events that waited."""

import polars as pl

from tailrace.sources.file_events import backend as bits
from tailrace.sources.file_events.backend import News
from tailrace.sources.file_events.window import Window

ROWS = pl.DataFrame({"file_path": ["/r/a", "/r/a/x", "/r/ab", "/r/b/y", "/r/b/z"]})


def spared(*changes, walk=(), silent=()):
    news = News(walk=list(walk), silent=list(silent))
    for what, path, old in changes:
        news.changes.add(what, path, old_path=old)
    window = Window()
    window.note(news)
    return window.spared(ROWS)["file_path"].to_list(), list(window.again)


def test_nothing_happened():
    assert spared() == (ROWS["file_path"].to_list(), [])


def test_of_a_touched_path_its_event_tells():
    assert spared((bits.UPDATED, b"/r/b/y", None)) == (["/r/a", "/r/a/x", "/r/ab", "/r/b/z"], [])


def test_a_renamed_folder_takes_what_was_seen_at_both_places_and_is_walked_again():
    assert spared((bits.MOVED | bits.FOLDER, b"/r/b", b"/r/a")) == (["/r/ab"], [b"/r/b"])


def test_a_renamed_file_takes_its_own_names_only():
    assert spared((bits.MOVED, b"/r/b", b"/r/a")) == (["/r/a/x", "/r/ab", "/r/b/y", "/r/b/z"], [])


def test_a_removed_folder_takes_what_was_below():
    assert spared((bits.DELETED | bits.FOLDER, b"/r/b", None)) == (["/r/a", "/r/a/x", "/r/ab"], [])


def test_folders_that_are_silent_or_about_to_be_walked():
    assert spared(walk=[(b"/r/b", "moved_in")], silent=[b"/r/a"]) == (["/r/a", "/r/ab"], [])
