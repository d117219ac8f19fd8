"""T11, T12: files that are compressed when they are rotated, read once, at the same place, whenever that happens."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from sources.tail.tailing import Tailing
from tailrace import limits
from tailrace.limits import RESCAN_S

Make = Callable[..., Tailing]
PACKERS = {".gz": gzip.compress, ".zst": zstandard.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def numbered(first: int, last: int, word: str = "line") -> str:
    return "".join(f"{word} {number:05}\n" for number in range(first, last))


def pack(path: Path, end: str = ".gz", *, keep: bool = False) -> Path:
    """Compress a file as rotation does: into a temporary name, renamed, then the plain one goes."""
    packed = path.with_name(path.name + end)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(PACKERS[end](path.read_bytes()))
    temporary.rename(packed)
    if not keep:
        path.unlink()
    return packed


@pytest.mark.parametrize("end", PACKERS)
@pytest.mark.parametrize("follow", [True, False])
def test_t12_a_compressed_file_alone_is_read_whole(tail: Make, end: str, follow: bool) -> None:
    t = tail(follow=follow)
    (t.folder / f"a.log{end}").write_bytes(PACKERS[end]((numbered(0, 5000) + "no newline").encode()))
    assert list(t.read().values()) == [numbered(0, 5000) + "no newline"]
    assert t.later(RESCAN_S) == {}
    t.restart()
    assert t.read() == {}


def test_t12_offsets_are_those_of_the_content(tail: Make) -> None:
    t = tail()
    (t.folder / "a.gz").write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\nthree\n"))
    [block] = t.blocks()
    assert (block.offset, block.data) == (0, b"one\ntwo\nthree\n")


@pytest.mark.parametrize("pattern", ["*", "*.log"])
def test_t11_the_twin_of_a_file_that_was_read_gives_nothing(tail: Make, tmp_path: Path, pattern: str) -> None:
    t = tail(paths=(str(tmp_path / "logs" / pattern),))
    path = t.write("app.log", numbered(0, 500))
    t.read()
    path.rename(path.with_name("app.log.1"))
    t.write("app.log", numbered(500, 600))
    assert t.read() == {"app.log": numbered(500, 600)}
    t.later(5)
    pack(path.with_name("app.log.1"))
    assert t.read() == {}
    assert t.later(RESCAN_S) == {}
    t.restart()
    assert t.later(RESCAN_S) == {}
    assert t.source.counters["possibly_lost_bytes"] == 0


def test_t11_the_twin_appears_while_the_plain_file_is_still_there(tail: Make) -> None:
    t = tail()
    path = t.write("app.log", numbered(0, 500))
    t.read()
    path.rename(path.with_name("app.log.1"))
    t.write("app.log", numbered(500, 600))
    t.read()
    pack(path.with_name("app.log.1"), keep=True)
    assert t.later(1) == {}
    assert t.later(5) == {}
    t.restart()
    assert t.later(5) == {}
    path.with_name("app.log.1").unlink()
    assert t.later(RESCAN_S) == {}


@pytest.mark.parametrize("end", PACKERS)
def test_t11_what_was_not_read_of_the_plain_file_is_read_from_the_compressed_one(tail: Make, end: str) -> None:
    t = tail()
    path = t.write("app.log", numbered(0, 500))
    t.read()
    t.source.close()
    t.write("app.log", numbered(500, 900))
    path.rename(path.with_name("app.log.1"))
    pack(path.with_name("app.log.1"), end)
    t.write("app.log", numbered(900, 1000))
    t.start()
    assert t.later(0) == {"app.log": numbered(500, 1000)}
    assert t.later(RESCAN_S) == {}
    t.restart()
    assert t.later(RESCAN_S) == {}
    assert t.source.counters["possibly_lost_bytes"] == 0


def test_t11_a_chain_with_files_that_were_never_seen_plain(tail: Make) -> None:
    """The agent is down for three rotations with compression; the oldest it had read in part."""
    t = tail()
    path = t.write("app.log", numbered(0, 500))
    t.read()
    t.source.close()
    t.write("app.log", numbered(500, 600))
    for number in range(3):
        for old in (3, 2, 1):
            for end in (".gz", ""):
                if (older := path.with_name(f"app.log.{old}{end}")).exists():
                    older.rename(path.with_name(f"app.log.{old + 1}{end}"))
        if (second := path.with_name("app.log.2")).exists():
            pack(second)
        path.rename(path.with_name("app.log.1"))
        t.write("app.log", numbered(600 + 100 * number, 700 + 100 * number))
    assert sorted(path.name for path in t.folder.iterdir()) == ["app.log", "app.log.1", "app.log.2.gz", "app.log.3.gz"]
    t.start()
    assert t.later(0) == {"app.log": numbered(500, 900)}
    assert t.later(RESCAN_S) == {}
    assert t.source.counters["possibly_lost_bytes"] == 0


def test_t12_a_rotated_set_at_first_sight_comes_oldest_first_under_one_name(tail: Make) -> None:
    t = tail(follow=False)
    for number, name in enumerate(("app.log.3.gz", "app.log.2.gz")):
        (t.folder / name).write_bytes(gzip.compress(numbered(number * 100, number * 100 + 100).encode()))
    t.write("app.log.1", numbered(200, 300))
    t.write("app.log", numbered(300, 400))
    assert t.read() == {"app.log": numbered(0, 400)}


def test_t12_one_that_grows_is_read_on_and_one_cut_short_is_named(tail: Make) -> None:
    t = tail()
    data = gzip.compress(random.Random(1).randbytes(60_000).hex().encode() + b"\nlast\n", 6)
    path = t.folder / "a.gz"
    path.write_bytes(data[: len(data) // 2])
    first = t.later(0).get("a.gz", "")
    t.later(5)
    assert "cut short" in t.whys()["a.gz"]
    with path.open("ab") as file:
        file.write(data[len(data) // 2 :])
    rest = t.later(0).get("a.gz", "")
    assert (first + rest).encode() == gzip.decompress(data)
    assert t.whys() == {}


def test_t12_a_damaged_one_gives_what_can_be_had_and_is_counted(tail: Make) -> None:
    t = tail()
    good = gzip.compress(numbered(0, 100).encode())
    (t.folder / "a.gz").write_bytes(good + b"\x1f\x8b garbage" * 10)
    t.write("b.log", "b\n")
    assert t.read() == {"a.gz": numbered(0, 100), "b.log": "b\n"}
    assert "damaged" in t.whys()["a.gz"]
    assert t.source.counters["damaged_bytes"] > 0
    t.restart()
    assert t.later(RESCAN_S) == {}


def test_t12_goes_on_inside_after_a_restart(tail: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "READ_TURN_BYTES", 1 << 20)
    monkeypatch.setattr(limits, "UNPACK_TURN_BYTES", 1 << 20)
    t = tail()
    content = numbered(0, 500_000)  # 5.5 MB
    (t.folder / "a.gz").write_bytes(gzip.compress(content.encode(), 1))
    found = ""
    turns = 0
    while len(found) < len(content):
        blocks = t.source.read(1 << 20, 0)
        found += "".join(block.data.decode() for block in blocks)
        t.state.update(t.source.mark())
        if blocks:
            t.restart()
        turns += 1
        assert turns < 100
    assert found == content


def test_t12_a_copy_cut_and_compressed_while_stopped(tail: Make) -> None:
    t = tail()
    path = t.write("app.log", numbered(0, 500))
    t.read()
    t.source.close()
    t.write("app.log", numbered(500, 600))
    path.with_name("app.log.1").write_bytes(path.read_bytes())
    os.truncate(path, 0)
    pack(path.with_name("app.log.1"))
    t.write("app.log", numbered(600, 700))
    t.start()
    assert "".join(t.later(0).values()) == numbered(500, 700)
    assert t.later(RESCAN_S) == {}
    assert t.source.counters["possibly_lost_bytes"] == 0


def test_t23_a_header_does_not_make_a_twin(tail: Make) -> None:
    t = tail()
    header = "# header\n"
    path = t.write("app.log", header)
    t.read()
    (path.with_name("app.log.1.gz")).write_bytes(gzip.compress((header + numbered(0, 10)).encode()))
    assert t.later(1) == {"app.log.1.gz": header + numbered(0, 10)}
    path.unlink()
    t.later(RESCAN_S)
    t.later(100)
    (path.with_name("app.log.2.gz")).write_bytes(gzip.compress((header + numbered(10, 20)).encode()))
    assert list(t.later(1).values()) == [header + numbered(10, 20)]


def test_t23_files_of_nothing_but_a_header_hold_up_no_stream(tail: Make) -> None:
    header = "#Fields: date time cs-method cs-uri-stem sc-status time-taken and some more words\n"
    tailing = tail()
    log = tailing.write("app.log", header + "one\n")
    assert tailing.read() == {"app.log": header + "one\n"}
    tailing.source.close()
    for number in (3, 2, 1):
        log.rename(log.with_name(f"app.log.{number}"))
        time.sleep(0.01)  # births come from a coarse clock
        tailing.write("app.log", header)
    pack(log.with_name("app.log.2"), ".gz")
    tailing.write("app.log", "two\n")
    tailing.start()
    found = "".join(tailing.later(1).get("app.log", "") for _ in range(12))
    assert found == header * 3 + "two\n"


def test_t22_files_with_the_same_first_kilobyte_are_told_apart(tail: Make) -> None:
    t = tail()
    header = "#" * 1500 + "\n"
    path = t.write("app.log", header + numbered(0, 100))
    t.read()
    path.rename(path.with_name("app.log.1"))
    t.write("app.log", header + numbered(200, 300))
    t.later(3)
    for name, first in (("app.log.3", 400), ("app.log.2", 100)):
        path.with_name(f"{name}.gz").write_bytes(gzip.compress((header + numbered(first, first + 100)).encode()))
    pack(path.with_name("app.log.1"))
    found = t.later(1)
    for _ in range(5):
        for name, text in t.later(5).items():
            found[name] = found.get(name, "") + text
    assert found == {
        "app.log.2.gz": header + numbered(100, 200),
        "app.log.3.gz": header + numbered(400, 500),
    }


def test_t12_many_at_once_share_two_decompressors(tail: Make) -> None:
    t = tail()
    for number in range(20):
        (t.folder / f"{number}.gz").write_bytes(gzip.compress(numbered(0, 3000).encode()))
    assert t.read() == {f"{number}.gz": numbered(0, 3000) for number in range(20)}
    assert t.source.counters["open_files"] <= 20


def test_t12_those_that_wait_for_their_turn_leave_the_decompressors_to_others(tail: Make) -> None:
    t = tail()
    t.write("app.log", "first\n")
    t.read()
    expected = ""
    for number in range(5):
        text = numbered(0, 500, f"file {number}")
        expected += text
        log = t.write("app.log", text)
        packed = log.with_name(f"app.log.20261122-00000{number}.gz")
        data = gzip.compress(log.read_bytes())
        packed.write_bytes(data if number else data[:200])
        log.unlink()
        time.sleep(0.01)  # births come from a coarse clock
        t.write("app.log", "")
        if not number:
            first, rest = packed, data[200:]
    found = t.later(0.6).get("app.log", "")
    with first.open("ab") as file:
        file.write(rest)
    for _ in range(30):
        found += t.later(1).get("app.log", "")
    assert found == expected


def test_a_temporary_file_of_a_rotation_waits_for_its_name(tail: Make) -> None:
    t = tail()
    t.write("app.log", "one\n")
    t.write("app.log.1.tmp", gzip.compress(b"zero\n")[:10])
    t.write("app.tmp", "two\n")  # no rotation's name
    assert t.read() == {"app.log": "one\n", "app.tmp": "two\n"}
    assert "rotation" in t.whys()["app.log.1.tmp"]


def test_the_archive_is_left_alone_when_only_what_is_new_is_wanted(tail: Make) -> None:
    t = tail(read_from="end")
    (t.folder / "app.log.1.gz").write_bytes(gzip.compress(b"old\n"))
    t.write("app.log", "old\n")
    t.clock.advance(1)
    assert t.read() == {}
    t.write("app.log", "new\n")
    assert t.read() == {"app.log": "new\n"}
    t.restart()
    assert t.read() == {}


def test_what_comes_again_late_in_a_compressed_file_is_not_counted_as_lost(tail: Make) -> None:
    t = tail()
    path = t.write("app.log", numbered(0, 200_000))
    first = b"".join(block.data for block in t.source.read(1 << 16, 0.0))
    t.state |= t.source.mark()
    t.source.close()
    packed = gzip.compress(path.read_bytes())
    path.unlink()  # by a compressor that has not put its file in place yet
    t.write("app.log", numbered(200_000, 200_010))
    t.start()
    assert t.later(5) == {"app.log": numbered(200_000, 200_010)}
    assert t.source.counters["possibly_lost_bytes"] > 0
    (t.folder / "app.log.1.gz").write_bytes(packed)
    rest = t.later(5)["app.log"]
    assert first.decode() + rest == numbered(0, 200_000)
    assert t.source.counters["possibly_lost_bytes"] == 0
