from __future__ import annotations

import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from sources.tail.tailing import Tailing
from tailrace.limits import READ_BLOCK_BYTES, READ_TURN_BYTES, RESCAN_S

Make = Callable[..., Tailing]


def test_lines_come_as_they_are_written_and_a_part_of_one_waits(tail: Make) -> None:
    t = tail()
    assert t.read() == {}
    t.write("app.log", "one\ntwo\nthr")
    assert t.read() == {"app.log": "one\ntwo\n"}
    t.write("app.log", "ee\n")
    assert t.read() == {"app.log": "three\n"}
    assert t.read() == {}


def test_a_stream_is_read_on_the_beats_and_much_of_it_at_once(tail: Make) -> None:
    t = tail()
    t.read()
    t.clock.advance(10.1)
    when: list[float] = []
    for text in ("after a quiet time\n", "soon after it\n", "on a beat\n", "on the next\n", "x" * 5_000_000 + "\n"):
        t.write("app.log", text)
        blocks = t.source.read(READ_TURN_BYTES, 0.5)
        assert blocks
        when.append(round(t.clock.monotonic_s(), 3))
    assert when == [10.2, 10.3, 10.5, 10.75, 10.75]


def test_blocks_say_where_they_stand_and_where_they_are_from(tail: Make) -> None:
    t = tail(labels={"env": "test"})
    path = t.write("web/app.log", "one\n")
    t.write("web/app.log", "two\n")
    [first] = t.blocks()
    t.write("web/app.log", "three\n")
    [second] = t.blocks()
    assert (first.offset, second.offset) == (0, 8)
    assert first.origin is second.origin
    assert first.observed_ns == t.clock.now_ns()
    assert dict(first.origin.labels) == {
        "host": "h",
        "source": "files",
        "filename": str(path),
        "service_name": "app",
        "env": "test",
    }


@pytest.mark.parametrize("events", [True, False])
@pytest.mark.parametrize("open_files", [1, 256])
class TestRotation:
    def test_renamed_and_begun_anew(self, tail: Make, events: bool, open_files: int) -> None:
        t = tail(events=events, open_files=open_files)
        path = t.write("app.log", "a1\n")
        t.read()
        t.write("app.log", "a2\n")
        path.rename(path.with_name("app.log.1"))
        t.write("app.log", "b1\n")
        assert t.later(RESCAN_S) == {"app.log": "a2\nb1\n"}

    def test_deleted_and_made_anew_with_the_same_lines(self, tail: Make, events: bool, open_files: int) -> None:
        t = tail(events=events, open_files=open_files)
        text = "the job began and it ended well, which is what a job should do on every night\n"
        path = t.write("app.log", text)
        assert t.read() == {"app.log": text}
        path.unlink()
        t.write("app.log", text)
        assert t.later(RESCAN_S) == {"app.log": text}

    def test_copied_and_cut_short(self, tail: Make, events: bool, open_files: int) -> None:
        t = tail(events=events, open_files=open_files)
        path = t.write("app.log", "a1\n")
        t.read()
        t.write("app.log", "a2\n")
        shutil.copy(path, path.with_name("app.log.1"))
        os.truncate(path, 0)
        t.write("app.log", "b1\n")
        assert t.later(RESCAN_S) == {"app.log": "a2\nb1\n"}
        assert t.later(RESCAN_S) == {}
        assert t.source.counters["possibly_lost_bytes"] == 0

    def test_cut_short_and_grown_past_the_offset_at_once(self, tail: Make, events: bool, open_files: int) -> None:
        t = tail(events=events, open_files=open_files)
        path = t.write("app.log", "a1\n")
        t.read()
        os.truncate(path, 0)
        t.write("app.log", "b1\nb2\nb3\n")
        assert t.later(RESCAN_S) == {"app.log": "b1\nb2\nb3\n"}

    def test_several_rotations_between_two_looks(self, tail: Make, events: bool, open_files: int) -> None:
        t = tail(events=events, open_files=open_files)
        path = t.write("app.log", "a\n")
        t.read()
        for text in ("b\n", "c\n", "d\n"):
            for number in (3, 2, 1):
                if (older := path.with_name(f"app.log.{number}")).exists():
                    older.rename(path.with_name(f"app.log.{number + 1}"))
            path.rename(path.with_name("app.log.1"))
            t.write("app.log", text)
        assert t.later(RESCAN_S) == {"app.log": "b\nc\nd\n"}


def test_a_copy_seen_before_its_original_is_cut_short_is_not_read(tail: Make) -> None:
    t = tail()
    path = t.write("app.log", "a1\na2\n")
    t.read()
    shutil.copy(path, path.with_name("app.log.1"))
    assert t.read() == {}
    assert t.later(5) == {}
    os.truncate(path, 0)
    t.write("app.log", "b1\n")
    assert t.later(5) == {"app.log": "b1\n"}
    t.restart()
    assert t.later(5) == {}


def test_a_file_that_only_begins_like_another_is_read(tail: Make) -> None:
    t = tail()
    header = "# header\n" * 200
    t.write("app.log", header + "one\n")
    t.read()
    t.write("app.log.1", header + "two\n")
    t.write("app.log.2", "another header\n")
    assert t.read() == {"app.log.2": "another header\n"}
    assert t.later(5) == {"app.log.1": header + "two\n"}


def test_a_cut_without_a_copy_counts_what_is_lost(tail: Make) -> None:
    t = tail()
    path = t.write("app.log", "a1\na2")
    assert t.read() == {"app.log": "a1\n"}
    os.truncate(path, 0)
    t.write("app.log", "b1\n")
    assert t.read() == {"app.log": "b1\n"}
    assert t.source.counters["possibly_lost_bytes"] == 2


def test_the_hole_of_a_writer_that_does_not_append_is_skipped(tail: Make) -> None:
    t = tail()
    path = t.folder / "app.log"
    with path.open("wb", buffering=0) as file:
        file.write(b"a" * 99 + b"\n")
        t.read()
        os.truncate(path, 0)
        file.write(b"b1\n")
        assert t.read() == {"app.log": "b1\n"}
    assert t.source.counters["nul_bytes_skipped"] == 100


def test_a_deleted_file_is_read_to_its_end(tail: Make) -> None:
    t = tail()
    path = t.folder / "app.log"
    with path.open("ab", buffering=0) as file:
        file.write(b"a1\n")
        t.read()
        path.unlink()
        file.write(b"a2\nrest")
        assert t.read() == {"app.log": "a2\n"}
        file.write(b" of it")
        assert t.later(1) == {}
        assert t.later(3) == {"app.log": "rest of it"}  # quiet for long enough: this line will not end
    t.later(120)
    assert t.source.counters["open_files"] == 0
    t.later(90_000)
    assert list(t.state) == ["@source"]


def test_a_new_file_waits_for_the_unfinished_line_of_the_one_before(tail: Make) -> None:
    t = tail()
    path = t.write("app.log", "a1\nhalf")
    t.read()
    path.rename(path.with_name("app.log.1"))
    t.write("app.log", "b1\n")
    assert t.read() == {}
    t.write("app.log.1", " a line\n")
    assert t.later(1) == {"app.log": "half a line\nb1\n"}


def test_a_file_moved_out_of_the_pattern_keeps_its_stream(tail: Make, tmp_path: Path) -> None:
    t = tail(paths=(str(tmp_path / "logs" / "*.log"),))
    path = t.write("app.log", "a1\n")
    t.read()
    path.rename(path.with_name("app.log.1"))
    t.write("app.log.1", "a2\n")
    assert t.read() == {"app.log": "a2\n"}
    t.write("app.log", "b1\n")
    assert t.later(5) == {"app.log": "b1\n"}
    t.write("app.log.1", "a3\n")
    assert t.read() == {"app.log": "a3\n"}


class TestRestart:
    def test_goes_on_where_it_was_acknowledged(self, tail: Make) -> None:
        t = tail()
        t.write("app.log", "a1\n")
        t.read()
        t.write("app.log", "a2\n")
        assert t.read(acknowledge=False) == {"app.log": "a2\n"}
        t.restart()
        assert t.read() == {"app.log": "a2\n"}
        t.restart()
        assert t.read() == {}

    def test_finds_what_was_rotated_meanwhile(self, tail: Make, tmp_path: Path) -> None:
        t = tail(paths=(str(tmp_path / "logs" / "app.log"),))
        path = t.write("app.log", "a1\n")
        t.read()
        t.source.close()
        t.write("app.log", "a2\n")
        path.rename(path.with_name("app.log.2"))
        t.write("app.log.1", "b1\n")  # came and went unseen
        t.write("app.log", "c1\n")
        t.start()
        assert t.read() == {"app.log": "a2\nb1\nc1\n"}

    def test_reads_a_rewritten_file_from_its_start(self, tail: Make) -> None:
        t = tail()
        path = t.write("app.log", "a1\na2\n")
        t.read()
        t.source.close()
        path.write_text("b1\nb2\nb3\n")
        t.start()
        [block] = t.blocks()
        assert (block.offset, block.data) == (0, b"b1\nb2\nb3\n")

    def test_finishes_what_was_copied_and_cut_short_meanwhile(self, tail: Make) -> None:
        t = tail()
        path = t.write("app.log", "a1\n")
        t.read()
        t.source.close()
        t.write("app.log", "a2\n")
        shutil.copy(path, path.with_name("app.log.1"))
        os.truncate(path, 0)
        t.write("app.log", "b1\n")
        t.start()
        assert t.read() == {"app.log": "a2\nb1\n"}

    def test_ends_a_long_line_where_it_was_cut(self, tail: Make) -> None:
        t = tail(max_line_bytes=1024)
        t.write("app.log", b"x" * 2500)
        assert [(b.part, b.part_last, len(b.data)) for b in t.blocks()] == [(1, False, 1024), (2, False, 1024)]
        t.restart()
        t.write("app.log", b"x\nnext\n")
        found = [(b.part, b.part_last, b.offset, len(b.data)) for b in t.blocks()]
        assert found == [(3, True, 2048, 454), (None, False, 2502, 5)]

    def test_leaves_out_a_state_that_is_none(self, tail: Make) -> None:
        t = tail()
        t.write("app.log", "a1\n")
        t.state = {"bad": {"path": 1}, "worse": "text", "@source": {"first_start_ns": 5}}
        t.restart()
        assert t.read() == {"app.log": "a1\n"}
        assert set(t.state) - {"@source"} == {key for key in t.state if key.endswith(".0")}

    def test_knows_a_file_whose_device_has_another_number(self, tail: Make) -> None:
        t = tail()
        t.write("app.log", "a line that is long enough to prove that it is the very same file again\n")
        t.read()
        for state in t.state.values():
            if isinstance(state, dict) and "dev" in state:
                state["dev"] += 1
        t.restart()
        assert t.read() == {}


class TestLinks:
    def test_a_file_with_two_names_is_read_once(self, tail: Make) -> None:
        t = tail()
        path = t.write("app.log", "a1\n")
        path.with_name("hard.log").hardlink_to(path)
        path.with_name("soft.log").symlink_to(path)
        found = t.read()
        assert list(found.values()) == ["a1\n"]
        t.write("app.log", "a2\n")
        assert list(t.later(RESCAN_S).values()) == ["a2\n"]

    def test_a_link_that_is_turned_elsewhere(self, tail: Make, tmp_path: Path) -> None:
        t = tail()
        (tmp_path / "one").write_text("a1\n")
        (tmp_path / "two").write_text("b1\n")
        link = t.folder / "app.log"
        link.symlink_to(tmp_path / "one")
        assert t.read() == {"app.log": "a1\n"}
        with (tmp_path / "one").open("a") as file:
            file.write("a2\n")
        assert t.read() == {"app.log": "a2\n"}  # the link's own folder tells nothing about this
        with (tmp_path / "one").open("a") as file:
            file.write("a3\n")
        (tmp_path / "new").symlink_to(tmp_path / "two")
        (tmp_path / "new").rename(link)
        assert t.read() == {"app.log": "a3\nb1\n"}

    def test_a_loop_of_folders_ends(self, tail: Make) -> None:
        t = tail()
        t.write("a/app.log", "a1\n")
        (t.folder / "a" / "loop").symlink_to(t.folder)
        assert t.read() == {"a/app.log": "a1\n"}


class TestFolders:
    @pytest.mark.parametrize("events", [True, False])
    def test_new_ones_are_followed_with_what_is_in_them(self, tail: Make, events: bool) -> None:
        t = tail(events=events)
        t.read()
        t.write("a/b/c/app.log", "a1\n")
        assert t.later(2.5) == {"a/b/c/app.log": "a1\n"}
        t.write("a/b/c/app.log", "a2\n")
        t.write("a/b/other.log", "b1\n")
        assert t.later(2.5) == {"a/b/c/app.log": "a2\n", "a/b/other.log": "b1\n"}

    def test_a_renamed_one_takes_its_files_along(self, tail: Make) -> None:
        t = tail()
        t.write("a/app.log", "a1\n")
        t.read()
        (t.folder / "a").rename(t.folder / "b")
        t.write("b/app.log", "a2\n")
        assert t.read() == {"a/app.log": "a2\n"}
        t.write("b/app.log", "a3\n")
        assert t.read() == {"a/app.log": "a3\n"}

    def test_one_that_is_removed_and_made_again(self, tail: Make) -> None:
        t = tail()
        t.write("a/app.log", "a1\n")
        t.read()
        shutil.rmtree(t.folder / "a")
        t.read()
        t.write("a/app.log", "b1\n")
        assert t.read() == {"a/app.log": "b1\n"}

    def test_one_that_is_not_there_yet(self, tail: Make, tmp_path: Path) -> None:
        t = tail(paths=(str(tmp_path / "later" / "*.log"), str(tmp_path / "single")))
        assert t.read() == {}
        assert t.whys() == {str(tmp_path / "single"): "there is no such file yet"}
        (tmp_path / "later").mkdir()
        (tmp_path / "later" / "app.log").write_text("a1\n")
        (tmp_path / "single").write_text("s1\n")
        assert sorted(t.read().values()) == ["a1\n", "s1\n"]


class TestRefused:
    def test_what_is_not_text_is_named(self, tail: Make) -> None:
        t = tail()
        t.write("old.log.zip", b"PK\x03\x04 and more")
        t.write("packed", b"\x04\x22\x4d\x18 and more")
        t.write("binary", b"a\x00b\n")
        t.write("wtmp", "x\n")
        t.write("text.log", "yes\n")
        os.mkfifo(t.folder / "pipe")
        assert t.read() == {"text.log": "yes\n"}
        assert t.whys() == {
            "old.log.zip": "compressed (zip)",
            "packed": "compressed (lz4)",
            "binary": "binary (NUL bytes)",
            "wtmp": "login records, not text",
            "pipe": "a named pipe, not a file",
        }
        assert t.later(RESCAN_S) == {}

    def test_excluded_and_hidden_files_are_not_mentioned(self, tail: Make) -> None:
        t = tail(exclude=("*.tmp", "skip"))
        for name in ("a.tmp", "skip/b.log", ".hidden", "c.log"):
            t.write(name, "x\n")
        assert t.read() == {"c.log": "x\n"}
        assert t.whys() == {}

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_an_unreadable_file_is_named_and_read_when_it_can_be(self, tail: Make) -> None:
        t = tail()
        path = t.write("app.log", "a1\n")
        path.chmod(0)
        assert t.read() == {}
        assert t.whys() == {"app.log": "Permission denied"}
        path.chmod(0o600)
        assert t.read() == {"app.log": "a1\n"}
        assert t.whys() == {}


class TestReadFrom:
    def test_end_skips_what_is_older_than_the_first_start(self, tail: Make) -> None:
        t = tail(read_from="end")
        t.write("old.log", "before\nhalf a")
        t.clock.advance(1)  # the files above are now older than the start
        assert t.read() == {}
        t.write("old.log", " line\nafter\n")
        assert t.read() == {"old.log": "half a line\nafter\n"}

    def test_files_born_later_are_read_from_their_start_after_any_restart(self, tail: Make) -> None:
        t = tail(read_from="end")
        t.read()
        t.source.close()
        t.clock.advance(3600)
        t.write("new.log", "first\n")
        t.start()
        assert t.read() == {"new.log": "first\n"}


class TestOneShot:
    def test_reads_to_the_end_and_is_done(self, tail: Make) -> None:
        t = tail(follow=False)
        t.write("a.log", "a1\nno newline")
        t.write("b.log", "b1\n")
        assert not t.source.done
        assert t.read() == {"a.log": "a1\nno newline", "b.log": "b1\n"}
        assert t.source.done

    def test_a_second_one_brings_only_what_is_new(self, tail: Make) -> None:
        t = tail(follow=False)
        t.write("a.log", "a1\n")
        t.read()
        t.write("a.log", "a2\n")
        t.restart()
        assert t.read() == {"a.log": "a2\n"}

    def test_nothing_to_read_is_done_at_once(self, tail: Make) -> None:
        t = tail(follow=False)
        assert t.read() == {}
        assert t.source.done


class TestShares:
    def test_a_turn_keeps_to_its_budget_and_is_fair(self, tail: Make) -> None:
        t = tail()
        line = b"x" * 1023 + b"\n"
        for name in ("a", "b", "c"):
            t.write(name, line * 4096)
        blocks = t.source.read(3 * READ_BLOCK_BYTES, 0)
        assert {block.origin.labels["service_name"] for block in blocks} == {"a", "b", "c"}
        assert sum(len(block.data) for block in blocks) <= 4 * READ_BLOCK_BYTES
        assert t.source.backlog_bytes() == 3 * 4096 * 1024 - sum(len(block.data) for block in blocks)

    def test_one_file_may_take_a_whole_turn(self, tail: Make) -> None:
        t = tail()
        t.write("a", (b"x" * 1023 + b"\n") * 8192)
        blocks = t.source.read(32 * READ_BLOCK_BYTES, 0)
        assert len(blocks) <= 2
        assert sum(len(block.data) for block in blocks) == 8192 * 1024

    def test_more_files_than_descriptors(self, tail: Make) -> None:
        t = tail(open_files=3)
        names = [f"{number}.log" for number in range(12)]
        for text in ("one\n", "two\n"):
            for name in names:
                t.write(name, text)
            assert t.read() == dict.fromkeys(names, text)
            assert t.source.counters["open_files"] <= 3

    def test_idle_files_hold_no_descriptor_and_are_found_again(self, tail: Make) -> None:
        t = tail()
        t.write("a", "1\n")
        t.read()
        assert t.source.counters["open_files"] == 1
        t.later(120)
        assert t.source.counters["open_files"] == 0
        assert {item.state for item in t.source.status()} == {"idle"}
        t.write("a", "2\n")
        assert t.read() == {"a": "2\n"}


def test_a_lost_event_is_made_good_by_the_next_walk(tail: Make) -> None:
    t = tail()
    t.read()
    t.write("a", "1\n")
    assert t.source._watch._inotify is not None
    t.source._watch._inotify.read()  # as an overflow of the kernel's queue does
    assert t.read() == {}
    assert t.later(RESCAN_S) == {"a": "1\n"}


def test_t92_a_start_with_known_files_opens_none_and_keeps_under_a_kilobyte_of_each(
    tail: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    t = tail()
    count = 2_000
    for number in range(count):
        t.write(f"{number // 100}/app-{number:05}.log", f"a line of file {number}\n")
    assert len(t.read()) == count
    t.source.close()
    opened: list[str] = []
    real = os.open

    def counted(path: str, *args: int) -> int:
        opened.append(path)
        return real(path, *args)

    monkeypatch.setattr(os, "open", counted)
    tracemalloc.start()
    t.start()
    assert t.read() == {}
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert not [path for path in opened if path.endswith(".log")]
    assert size / count < 1024
