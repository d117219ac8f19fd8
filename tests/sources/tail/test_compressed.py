"""T12: the content of compressed files, whole, in members, cut short, growing, damaged, in bounded memory."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from tailrace import limits
from tailrace.sources.tail.compressed import End, Packed, codec_of, plain_name

CODECS = {"gzip": gzip.compress, "zstd": zstandard.compress, "bzip2": bz2.compress, "xz": lzma.compress}
CONTENT = b"".join(b"%06d a line of text\n" % number for number in range(40_000))  # 880,000 bytes
Open = Callable[[bytes], Packed]


@pytest.fixture
def unpack(tmp_path: Path) -> Iterator[Open]:
    handles: list[int] = []

    def make(data: bytes) -> Packed:
        (tmp_path / "packed").write_bytes(data)
        handles.append(os.open(tmp_path / "packed", os.O_RDONLY))
        return Packed(handles[-1], codec_of(data))

    yield make
    for handle in handles:
        os.close(handle)


def read_all(content: Packed, step: int = 100_000) -> bytes:
    found = b""
    while (data := content.pread(step, len(found))) or content.end is End.OPEN:
        found += data
    return found


@pytest.mark.parametrize("codec", CODECS)
def test_t12_several_members_are_one_content(unpack: Open, codec: str) -> None:
    pack = CODECS[codec]
    content = unpack(pack(CONTENT[:5]) + pack(b"") + pack(CONTENT[5:500_000]) + pack(CONTENT[500_000:]))
    assert read_all(content) == CONTENT
    assert content.end is End.WHOLE
    assert content.known_bytes == len(CONTENT)


def test_t12_a_look_back_at_the_end_does_not_reopen_it(unpack: Open) -> None:
    content = unpack(gzip.compress(CONTENT))
    assert read_all(content) == CONTENT
    assert content.pread(100, len(CONTENT)) == b""
    assert content.pread(64, len(CONTENT) - 64) == CONTENT[-64:]
    assert content.end is End.WHOLE


@pytest.mark.parametrize("codec", CODECS)
def test_t12_cut_short_then_grown_to_its_end(unpack: Open, tmp_path: Path, codec: str) -> None:
    data = CODECS[codec](CONTENT)
    content = unpack(data[:-20])
    begun = read_all(content)
    assert CONTENT.startswith(begun)
    assert content.end is End.SHORT
    with (tmp_path / "packed").open("ab") as file:
        file.write(data[-20:])
    assert begun + content.pread(len(CONTENT), len(begun)) == CONTENT
    content.pread(1, len(CONTENT))
    assert content.end is End.WHOLE


@pytest.mark.parametrize("codec", CODECS)
def test_t12_what_stands_before_the_damage_is_kept(unpack: Open, codec: str) -> None:
    noise = random.Random(1).randbytes(500)
    content = unpack(CODECS[codec](CONTENT) + noise)
    assert read_all(content) == CONTENT
    assert content.end is End.DAMAGED
    assert content.why
    assert 0 <= content.raw_bytes_left(10**9) <= 10**9


def test_t12_a_changed_byte_is_found(unpack: Open) -> None:
    data = bytearray(gzip.compress(CONTENT))
    data[-6] ^= 1  # in the checksum
    content = unpack(bytes(data) + b"and more")
    assert read_all(content) == CONTENT
    assert content.end is End.DAMAGED


def test_nuls_behind_the_last_member_are_filling(unpack: Open) -> None:
    content = unpack(gzip.compress(b"one\n") + bytes(1000))
    assert read_all(content) == b"one\n"
    assert content.end is End.WHOLE


@pytest.mark.parametrize("codec", CODECS)
def test_any_place_can_be_read_again(unpack: Open, codec: str) -> None:
    content = unpack(CODECS[codec](CONTENT))
    assert content.pread(100, 700_000) == CONTENT[700_000:700_100]
    assert content.pread(64, 699_936) == CONTENT[699_936:700_000]  # the tail marker
    assert content.pread(1024, 0) == CONTENT[:1024]  # the head
    assert content.pread(100, 300_000) == CONTENT[300_000:300_100]  # farther back: a second pass
    assert content.pread(100, len(CONTENT) - 10) == CONTENT[-10:]


def test_t12_a_far_offset_is_approached_in_shares_and_in_little_memory(
    unpack: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNPACK_TURN_BYTES", 1 << 20)
    line = b"x" * 99 + b"\n"
    content = unpack(gzip.compress(line * 100_000))  # 10 MB in 20 KB
    calls = 0
    while not (data := content.pread(100, 9_000_000)):
        calls += 1
        assert content.end is End.OPEN
        assert len(content._window) < 1 << 20
    assert data == line
    assert 8 <= calls <= 9


def test_names_before_and_after_compression() -> None:
    assert plain_name("/l/app.log.1.gz") == "/l/app.log.1"
    assert plain_name("/l/app.log.1.zst") == "/l/app.log.1"
    assert plain_name("/l/app.log") == "/l/app.log"
    assert codec_of(b"plain text") == ""
