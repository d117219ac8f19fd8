from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tailrace.sources.tail.records import decode, encode

RECORDS = [{"a": 1}, {"b": "ü\udcff"}, {"c": [None, True, {"d": 1.5}]}]
LOG = b"".join(encode(record) for record in RECORDS)


def test_what_is_written_is_read() -> None:
    found = decode(LOG)
    assert (list(found.records), found.good_bytes) == (RECORDS, len(LOG))
    assert encode({}) == b"\x02\x00\x00\x00" + b"\x43\xbf\xa6\xa3" + b"{}"  # CRC-32 of `{}` is a3a6bf43


@given(st.integers(0, len(LOG)))
def test_a_log_cut_anywhere_gives_the_records_before(size: int) -> None:
    found = decode(LOG[:size])
    whole = [n for n in range(len(RECORDS) + 1) if len(b"".join(map(encode, RECORDS[:n]))) <= size]
    assert list(found.records) == RECORDS[: whole[-1]]
    assert found.torn


@given(st.integers(0, len(LOG) - 1), st.integers(1, 255))
def test_a_changed_byte_never_gives_a_wrong_record(at: int, flip: int) -> None:
    data = bytearray(LOG)
    data[at] ^= flip
    found = decode(bytes(data))
    assert list(found.records) == RECORDS[: len(found.records)]
    assert len(found.records) < len(RECORDS)


@pytest.mark.parametrize("tail", [b"\x00", b"\x00" * 8, b"\x00" * 4096])
def test_nuls_after_a_power_cut_are_a_torn_end(tail: bytes) -> None:
    found = decode(LOG + tail)
    assert (len(found.records), found.torn) == (3, True)


def test_garbage_is_not_a_torn_end() -> None:
    found = decode(LOG + b"\xff" * 100)
    assert (len(found.records), found.torn) == (3, False)
    assert decode(b"").records == ()
