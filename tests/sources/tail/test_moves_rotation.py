"""Rotation in all its forms, each named by its number in the list of scenarios: every line once and in order."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sources.tail.tailing import Tailing
from tailrace import limits
from tailrace.limits import RESCAN_S

Make = Callable[..., Tailing]


def lines(first: int, last: int) -> str:
    return "".join(f"line {number:05} of the log\n" for number in range(first, last))


def shift(path: Path, most: int = 9) -> None:
    """Rename `app.log` to `app.log.1`, that to `app.log.2`, and so on."""
    for number in range(most, 0, -1):
        if (older := path.with_name(f"{path.name}.{number}")).exists():
            older.rename(path.with_name(f"{path.name}.{number + 1}"))
    path.rename(path.with_name(f"{path.name}.1"))


class TestCopyTruncate:
    def test_t2_the_copy_is_in_a_folder_below(self, tail: Make, tmp_path: Path) -> None:
        t = tail(paths=(str(tmp_path / "logs" / "*.log"),))
        (t.folder / "old").mkdir()
        path = t.write("app.log", lines(0, 5))
        t.read()
        t.write("app.log", lines(5, 9))
        shutil.copy(path, t.folder / "old" / "app.log.1")
        os.truncate(path, 0)
        t.write("app.log", lines(9, 12))
        assert t.read() == {"app.log": lines(5, 12)}
        assert t.source.counters["possibly_lost_bytes"] == 0

    def test_t2_the_copy_is_in_another_folder_that_is_followed(self, tail: Make) -> None:
        t = tail()
        path = t.write("web/app.log", lines(0, 5))
        (t.folder / "archive").mkdir()
        t.read()
        t.write("web/app.log", lines(5, 9))
        shutil.copy(path, t.folder / "archive" / "app.log.1")
        os.truncate(path, 0)
        t.write("web/app.log", lines(9, 12))
        assert "".join(t.read().values()) == lines(5, 12)
        assert t.later(RESCAN_S) == {}

    def test_t3_copy_and_original_are_both_written(self, tail: Make) -> None:
        t = tail()
        path = t.write("app.log", lines(0, 5))
        t.read()
        t.write("app.log", lines(5, 6))
        shutil.copy(path, path.with_name("app.log.1"))
        os.truncate(path, 0)
        t.write("app.log", lines(10, 12))
        t.write("app.log.1", lines(6, 8))
        assert t.later(0) == {"app.log": lines(5, 8) + lines(10, 12)}
        t.write("app.log.1", lines(8, 9))
        t.write("app.log", lines(12, 13))
        assert sorted("".join(t.later(0).values()).splitlines()) == (lines(8, 9) + lines(12, 13)).splitlines()

    @pytest.mark.parametrize("before", ["", "x\n", "half of a line"])
    def test_t4_the_hole_of_a_stale_writer_is_skipped_wherever_it_is(self, tail: Make, before: str) -> None:
        t = tail()
        path = t.folder / "app.log"
        with path.open("wb", buffering=0) as stale:
            stale.write(lines(0, 400).encode())  # 8,800 bytes
            t.read()
            os.truncate(path, 0)
            t.write("app.log", before)
            stale.write(b"after the hole\n")
            stale.flush()
            assert t.read() == {"app.log": before + "after the hole\n"}
            assert t.source.counters["nul_bytes_skipped"] == 8800 - len(before)
            stale.write(b"a\x00b and on\n")
            assert t.read() == {"app.log": "a\x00b and on\n"}  # one NUL is data

    def test_t4_a_hole_that_was_there_before_the_first_look(self, tail: Make) -> None:
        t = tail()
        path = t.write("app.log", "first\n")
        with path.open("r+b") as file:
            file.seek(1 << 20)
            file.write(b"second\n")
        assert t.read() == {"app.log": "first\nsecond\n"}

    def test_t4_a_small_hole_before_the_first_line_at_first_sight(self, tail: Make) -> None:
        """The file system has no holes that small, but no text begins with a run of NULs."""
        t = tail()
        t.write("app.log", "\0" * 70 + lines(0, 200))
        t.write("b.log", lines(0, 200) + "\0" * 70 + lines(200, 300))
        assert t.read() == {"app.log": lines(0, 200), "b.log": lines(0, 200) + "\0" * 70 + lines(200, 300)}
        assert t.source.counters["nul_bytes_skipped"] == 70

    def test_t4_a_hole_of_a_gigabyte_takes_no_time(self, tail: Make) -> None:
        t = tail()
        path = t.write("app.log", lines(0, 2))
        t.read()
        with path.open("r+b") as file:
            file.truncate(0)
            file.seek(1 << 30)
            file.write(b"after\n")
        began_s = time.monotonic()
        assert t.read() == {"app.log": "after\n"}
        assert time.monotonic() - began_s < 2
        assert t.source.counters["nul_bytes_skipped"] == 1 << 30

    def test_t4_room_that_a_writer_reserved_is_no_hole(self, tail: Make) -> None:
        t = tail()
        path = t.write("app.log", lines(0, 2))
        os.truncate(path, 100_000)
        assert t.read() == {"app.log": lines(0, 2)}
        with path.open("r+b") as file:
            file.seek(len(lines(0, 2)))
            file.write(lines(2, 4).encode())
        assert t.read() == {"app.log": lines(2, 4)}

    @pytest.mark.parametrize("regrown", [3, 20])
    def test_t5_while_stopped(self, tail: Make, regrown: int) -> None:
        t = tail()
        path = t.write("app.log", lines(0, 10))
        t.read()
        t.source.close()
        t.write("app.log", lines(10, 15))
        shutil.copy(path, path.with_name("app.log.1"))
        os.truncate(path, 0)
        t.write("app.log", lines(20, 20 + regrown))
        t.start()
        assert t.later(0) == {"app.log": lines(10, 15) + lines(20, 20 + regrown)}
        assert t.later(RESCAN_S) == {}

    def test_t6_cut_and_regrown_to_the_very_same_size(self, tail: Make) -> None:
        t = tail()
        path = t.write("app.log", lines(0, 10))
        t.read()
        os.truncate(path, 0)
        t.write("app.log", lines(10, 20))
        assert t.later(RESCAN_S) == {"app.log": lines(10, 20)}
        assert t.source.counters["truncations"] == 1


class TestRename:
    @pytest.mark.parametrize("events", [True, False])
    def test_t9_three_rotations_between_two_looks_then_more(self, tail: Make, events: bool) -> None:
        t = tail(events=events)
        path = t.write("app.log", lines(0, 3))
        t.read()
        for begin in (10, 20, 30):
            t.write("app.log", lines(begin - 5, begin))
            shift(path)
            t.write("app.log", lines(begin, begin + 3))
        found = t.later(RESCAN_S)["app.log"]
        wanted = "".join(lines(a, b) for a, b in ((5, 10), (10, 13), (15, 20), (20, 23), (25, 30), (30, 33)))
        assert found == wanted
        assert t.source.counters["rotations"] >= 1

    def test_t10_a_file_that_lives_shorter_than_a_look_is_never_doubled(self, tail: Make) -> None:
        t = tail()
        t.read()
        for number in range(20):
            path = t.write(f"{number}.log", lines(number, number + 1))
            if number % 2:
                path.unlink()
        found = "".join(t.later(RESCAN_S).values()).splitlines()
        assert len(found) == len(set(found)) >= 10

    def test_t17_the_drain_ends_by_quiet(self, tail: Make) -> None:
        t = tail()
        path = t.write("app.log", lines(0, 1) + "tail of a line")
        t.read()
        path.rename(path.with_name("app.log.1"))
        t.write("app.log", lines(1, 2))
        assert t.later(0) == {}
        for _ in range(4):
            t.write("app.log.1", ".")
            assert t.later(1.5) == {}  # it still grows
        assert t.later(3) == {"app.log": "tail of a line...." + lines(1, 2)}

    def test_t20_docker_rotates_to_numbers(self, tail: Make) -> None:
        t = tail()
        path = t.write("0123-json.log", lines(0, 2))
        wanted = lines(0, 2)
        found = t.read()["0123-json.log"]
        for number in range(2, 30, 2):
            shift(path, most=3)
            (path.with_name("0123-json.log.3")).unlink(missing_ok=True)
            t.write("0123-json.log", lines(number, number + 2))
            wanted += lines(number, number + 2)
            if number % 4:
                found += t.read().get("0123-json.log", "")
        assert found + t.later(RESCAN_S).get("0123-json.log", "") == wanted

    def test_t20_docker_with_one_file_only(self, tail: Make) -> None:
        t = tail()
        path = t.folder / "0123-json.log"
        found = wanted = ""
        for number in range(0, 30, 3):
            with path.open("ab", buffering=0) as file:
                file.write(lines(number, number + 1).encode())
                found += t.read().get(path.name, "")
                file.write(lines(number + 1, number + 2).encode())
                path.unlink()
                file.write(lines(number + 2, number + 3).encode())
            wanted += lines(number, number + 3)
            path.touch()
        for _ in range(3):
            found += t.later(3).get(path.name, "")
        assert found == wanted

    def test_t7_copied_and_deleted_under_a_date(self, tail: Make) -> None:
        t = tail()
        path = t.write("app.log", lines(0, 3))
        t.read()
        t.write("app.log", lines(3, 5))
        shutil.copy(path, path.with_name("app.log-20260101"))
        path.unlink()
        t.write("app.log", lines(5, 7))
        found = t.later(0)
        for _ in range(3):
            for name, text in t.later(4).items():
                found[name] = found.get(name, "") + text
        assert "".join(found.values()) == lines(3, 7)

    def test_t15_moved_while_stopped(self, tail: Make) -> None:
        t = tail()
        path = t.write("a/app.log", lines(0, 3))
        t.read()
        t.source.close()
        t.write("a/app.log", lines(3, 5))
        (t.folder / "b").mkdir()
        path.rename(t.folder / "b" / "app.log")
        t.start()
        assert t.read() == {"a/app.log": lines(3, 5)}

    def test_t16_moved_out_of_scope_and_back(self, tail: Make, tmp_path: Path) -> None:
        t = tail()
        path = t.write("app.log", lines(0, 3))
        t.read()
        path.rename(tmp_path / "app.log")
        with (tmp_path / "app.log").open("a") as file:
            file.write(lines(3, 4))
        assert t.read() == {"app.log": lines(3, 4)}  # by its descriptor
        t.later(120)
        with (tmp_path / "app.log").open("a") as file:
            file.write(lines(4, 5))
        (tmp_path / "app.log").rename(path)
        assert t.later(RESCAN_S) == {"app.log": lines(4, 5)}
        t.restart()
        assert t.read() == {}


class TestReplaced:
    def test_t13_deleted_and_made_anew_while_stopped(self, tail: Make) -> None:
        t = tail()
        path = t.write("app.log", lines(0, 3))
        t.read()
        t.source.close()
        path.unlink()
        t.write("app.log", lines(10, 20))
        t.start()
        assert t.read() == {"app.log": lines(10, 20)}

    @pytest.mark.parametrize("stopped", [True, False])
    @pytest.mark.parametrize("more", [0, 3])
    def test_t14_a_save_that_renames_over_goes_on_at_the_offset(self, tail: Make, stopped: bool, more: int) -> None:
        t = tail()
        path = t.write("app.log", lines(0, 10))
        t.read()
        if stopped:
            t.source.close()
        temporary = path.with_name(".app.log.new")
        temporary.write_text(lines(0, 10 + more))
        time.sleep(0.02)  # the kernel's clock of file times is coarse
        temporary.rename(path)
        if stopped:
            t.start()
        assert t.later(0) == ({"app.log": lines(10, 10 + more)} if more else {})
        t.write("app.log", lines(50, 51))
        assert t.later(RESCAN_S) == {"app.log": lines(50, 51)}

    @pytest.mark.parametrize("stopped", [True, False])
    def test_t14_one_with_other_content_is_read_from_its_start(self, tail: Make, stopped: bool) -> None:
        t = tail()
        path = t.write("app.log", lines(0, 10))
        t.read()
        if stopped:
            t.source.close()
        temporary = path.with_name(".app.log.new")
        temporary.write_text(lines(5, 20))
        temporary.rename(path)
        if stopped:
            t.start()
        assert t.later(0) == {"app.log": lines(5, 20)}


class TestDeleted:
    def test_t90_what_deleted_files_pin_is_bounded_in_time(self, tail: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "UNLINKED_S", 5.0)
        t = tail()
        path = t.folder / "app.log"
        with path.open("ab", buffering=0) as file:
            file.write(lines(0, 2).encode())
            t.read()
            path.unlink()
            file.write(lines(2, 3).encode())
            assert t.read() == {"app.log": lines(2, 3)}
            file.write(lines(3, 4).encode() + b"half")
            assert t.later(6) == {"app.log": lines(3, 4) + "half"}
            assert t.source.counters["open_files"] == 0

    def test_t90_and_in_bytes_the_oldest_first(self, tail: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "UNLINKED_BYTES", 1000)
        t = tail()
        for name in ("a", "b"):
            t.write(name, lines(0, 30))
        t.read()
        for name in ("a", "b"):
            t.write(name, lines(30, 32))
            (t.folder / name).unlink()
            time.sleep(0.01)
        found = t.read()
        assert found == {"a": lines(30, 32), "b": lines(30, 32)}
        t.read()
        assert t.source.counters["open_files"] == 1  # the younger one fits
        assert t.source.counters["possibly_lost_bytes"] == 0

    def test_t98_a_mass_of_files_is_deleted(self, tail: Make) -> None:
        t = tail()
        for number in range(500):
            t.write(f"{number}.log", lines(number, number + 1))
        t.read()
        for number in range(500):
            (t.folder / f"{number}.log").unlink()
        assert t.later(RESCAN_S) == {}
        t.later(120)
        assert t.source.counters["open_files"] == 0
        t.later(90_000)
        assert list(t.state) == ["@source"]


def test_t96_the_older_file_of_a_stream_comes_first_and_streams_are_fair(tail: Make) -> None:
    t = tail()
    line = b"x" * 1023 + b"\n"
    path = t.write("a.log", "begin\n")
    t.write("b.log", "begin\n")
    t.read()
    t.write("a.log", line * 4096)
    path.rename(path.with_name("a.log.1"))
    t.write("a.log", "end\n")
    t.write("b.log", line * 4096)
    names = [Path(block.origin.labels["filename"]).name for block in t.source.read(3 << 20, 0)]
    assert {"a.log", "b.log"} == set(names)
    rest = t.read()
    assert rest["a.log"].endswith("end\n")
    assert rest["a.log"].count("end\n") == 1
