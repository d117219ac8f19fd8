"""Contents of the maps: who wants which call, which process, which text."""

import struct

from tailrace.sources.trace import layout as at
from tailrace.sources.trace.battery import CALLS
from tailrace.sources.trace.request import Wanted, parse
from tailrace.sources.trace.tables import tables, text_key


def test_who_wants_a_call_is_a_set_of_bits():
    made = tables(parse(["open", "openat", "12:unlink"]), "x86_64")
    assert made.handlers[257] == 0b11
    assert made.handlers[2] == 0b01
    assert made.handlers[at.COMPAT + 295] == 0b11
    assert made.calls[263].name == "unlinkat"
    assert (made.limited, made.pids) == (0b100, {12: 0b100})
    assert made.missing == ()


def test_arm_has_only_the_new_calls():
    made = tables(parse(["open", "sys_open"]), "aarch64")
    assert sorted(made.calls) == [56, 265, 437]
    assert made.missing == ("sys_open",)


def test_families_of_addresses():
    made = tables(parse(["connect_v4", "accept_v6", "close"]), "x86_64")
    assert (made.v4, made.v6) == (0b001, 0b010)


def test_the_longest_beginning_speaks_for_the_shorter_ones():
    made = tables((Wanted("open", texts=("/a",)), Wanted("open", 1, texts=("/a/b", "/c\0"))), "x86_64")
    assert made.by_text == 0b11
    assert made.texts == {b"/a": 0b01, b"/a/b": 0b11, b"/c\0": 0b10}


def test_a_key_of_text():
    assert text_key(b"/a\0") == struct.pack("=I", 24) + b"/a" + b"\0" * 254
    assert text_key(b"x" * 300) == struct.pack("=I", 2048) + b"x" * 256


def test_what_is_looked_up_of_a_call():
    spec = at.spec_of(CALLS["renameat2"])
    assert [spec >> bits & 7 for bits in (at.TEXT1, at.TEXT2, at.FOLDER1, at.FOLDER2)] == [2, 4, 1, 3]
    assert [spec >> bit & 1 for bit in (at.OPENS, at.EARLY, at.BASE1, at.BASE2, at.WANTED)] == [0, 0, 1, 1, 1]
    read = CALLS["read"]
    assert at.spec_of(read) >> at.BUFFER & 7 == 2
    assert at.spec_of(read, buffers=False) >> at.BUFFER & 7 == 0
    assert at.spec_of(CALLS["openat2"], buffers=False) >> at.BUFFER & 7 == 3  # how to open is no buffer
    assert at.spec_of(CALLS["symlinkat"]) >> at.BASE1 & 1 == 0
