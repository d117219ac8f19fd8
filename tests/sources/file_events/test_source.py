"""The source over stops and overflows: what it keeps in mind, and what it closes."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import polars as pl
import pytest

from sources.file_events.watched import Watched, differences, found, live
from tailrace.sources.file_events.diff import FILE
from tailrace.sources.file_events.inotify import Inotify

_NAMES = {"mtime_ns": "file_mtime", "ctime_ns": "file_ctime"}


class Table:
    """What is durable: the first so many frames that a source told; implements `Known`."""

    def __init__(self, frames=()):
        self.frames = list(frames)
        self.asked = []

    def known(self, roots):
        self.asked.append(list(roots))
        rows = [row["path"] for row in live(self.frames).values()] if self.frames else []
        if not rows:
            return pl.DataFrame(schema=dict.fromkeys(FILE, pl.String))
        told = pl.concat(self.frames, how="diagonal_relaxed").filter(pl.col("file_path").is_in(rows))
        told = told.filter(pl.col("file_mode").is_not_null()).unique("file_path", keep="last")
        missing = [pl.lit(None).alias(name) for name in FILE if name not in told.columns]
        return told.with_columns(missing).select(FILE)


@pytest.fixture
def top(tmp_path):
    top = tmp_path / "top"
    (top / "a").mkdir(parents=True)
    (top / "a/old").write_text("old")
    return top


@pytest.fixture
def lagging(top, monkeypatch):
    """A source whose table has the baseline alone, and what makes it lose all that happens."""
    table = Table()
    watched = Watched(top, known=table, backend="inotify")
    watched.read()
    table.frames = list(watched.frames)
    watched.source.stored(watched.source.mark())
    made = watched.source._watching._chosen.backends[0]

    def lose(act):
        act()
        made._lose(news := SimpleNamespace(gaps=[]))
        monkeypatch.setattr(Inotify, "read", lambda self, events: _once(self, news, events, monkeypatch))
        return watched.read()

    yield watched, lose
    watched.close()


_READ = Inotify.read


def _once(backend, lost, events, monkeypatch):
    monkeypatch.setattr(Inotify, "read", _READ)
    news = _READ(backend, events)
    news.gaps += lost.gaps
    return news


def test_what_is_not_in_the_table_yet_and_gone_in_a_gap_is_told_as_gone(top, lagging):
    watched, lose = lagging
    (top / "new").mkdir()
    (top / "new/file").write_text("x")
    (top / "a/fresh").write_text("x")
    watched.read()
    assert f"{top}/new/file" in watched.live()

    def act():
        shutil.rmtree(top / "new")
        (top / "a/fresh").unlink()

    rows = lose(act).filter(pl.col("event_action") == "deleted", pl.col("event_reason") == "overflow")
    assert sorted(rows["file_path"]) == [f"{top}/a/fresh", f"{top}/new"]
    assert differences(watched.live(), found(top)) == []


def test_what_a_folder_took_along_on_its_way_is_told_as_gone(top, lagging):
    watched, lose = lagging
    (top / "a").rename(top / "b")
    watched.read()
    assert f"{top}/b/old" in watched.live()
    lose((top / "b/old").unlink)
    assert differences(watched.live(), found(top)) == []


def test_what_went_out_and_came_back_in_a_gap_is_told_with_its_content(top, lagging):
    watched, lose = lagging
    (top / "a").rename(top.parent / "outside")
    watched.read(quiet=35)  # half a rename is waited for
    assert set(watched.live()) == {str(top)}
    lose(lambda: (top.parent / "outside").rename(top / "a"))
    assert differences(watched.live(), found(top)) == []


def test_polled_folders_are_walked_when_a_later_change_would_be_seen(top, watch, monkeypatch):
    monkeypatch.setattr("tailrace.sources.file_events.poll._ENTRIES", 1)
    watched = watch(top, backend="poll", poll_s=0.1)
    told = watched.source.read(1, 0.0)
    assert told == []
    (top / "a/old").write_text("changed before it was seen for the first time")
    watched.read(quiet=20)
    assert differences(watched.live(), found(top)) == []


def test_what_is_durable_is_not_kept(top, watch):
    watched = watch(top, known=Table(), backend="inotify")
    watched.read()
    first = watched.source.mark()
    assert watched.source.on_their_way.height == 3
    (top / "later").write_text("x")
    watched.source.stored(first)
    new = watched.read()  # of one reading or of several: the kernel tells the opening before the writing
    assert watched.source.on_their_way.height == new.height


def test_a_source_that_follows_another_knows_what_is_on_its_way(top, watch):
    table = Table()
    before = watch(top, known=table, backend="inotify")
    before.read()
    state = before.source.mark()
    before.close()
    (top / "a/old").unlink()
    after = watch(top, state=state, known=table, backend="inotify")
    after.source.adopt(before.source)
    rows = after.read()
    assert rows.filter(pl.col("event_action") == "deleted")["file_path"].to_list() == [f"{top}/a/old"]


def test_a_gap_that_a_stop_left_open_is_closed_by_the_next_start(top, watch):
    first = watch(top, backend="inotify")
    first.read()
    state = first.source.mark()
    first.close()
    slow = watch(top, state=state, backend="inotify", scan_rate=1)  # the walk cannot be over
    frames = []
    for _ in range(2):
        slow.source.read(1, 0.0)
    state |= slow.source.mark()
    assert slow.source.counters["open_gaps"] == 1
    slow.close()
    assert len(state["gaps"]) == 1

    last = watch(top, state=state, backend="inotify")
    frames = last.read()
    gaps = frames.filter(pl.col("event_action") == "gap")
    closed = gaps.filter(pl.col("event_end").is_not_null())["event_start"]
    assert gaps["event_start"].n_unique() == 2  # the one of before, and the new one
    assert sorted(closed) == sorted(gaps["event_start"].unique())
    assert last.source.mark()["gaps"] is None


def test_a_gap_about_what_is_not_watched_any_more_stays_open(top, watch):
    state = {"sequence": 1, "time_ns": 1, "gaps": [[1, 2, "restart", ["/elsewhere"]], "no gap"]}
    watched = watch(top, state=state, backend="inotify")
    watched.read()
    assert watched.source.mark()["gaps"] == [[1, 2, "restart", ["/elsewhere"]]]


def test_what_waits_in_the_kernel_is_handed_out_at_the_end(top, watch):
    watched = watch(top, backend="inotify")
    watched.read()
    assert not watched.source.done
    (top / "last").write_text("x")
    watched.source.finish()
    blocks = []
    while not watched.source.done:
        blocks += watched.source.read(1 << 20, 60.0)  # never waits
    assert b"/last" in b"".join(block.data for block in blocks)


def test_a_source_that_was_never_read_is_done_at_once(top, watch):
    watched = watch(top)
    watched.source.finish()
    assert watched.source.read(1, 60.0) == []
    assert watched.source.done
