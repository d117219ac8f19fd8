"""Frames of RFC 6587: whatever the pieces in which they arrive, the same messages."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tailrace.intake.syslog.framing import Flaw, Framing

CUT: Flaw = "SyslogMessageCut"


def read(pieces: list[bytes], most: int = 40) -> tuple[list[tuple[bytes, str]], int]:
    """Return all messages with what is wrong with each, and the bytes that were cut."""
    framing, found = Framing(most), []
    for messages, flaws in [*map(framing.feed, pieces), framing.end()]:
        found += [(message, flaws.get(index, "")) for index, message in enumerate(messages)]
    return found, framing.take_cut()


def good(*messages: bytes) -> list[tuple[bytes, str]]:
    return [(message, "") for message in messages]


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (b"12 <34>a\nb\n<13>8 <34>next\n", good(b"<34>a\nb\n<13>", b"<34>next")),
        (
            b"6 <1>one<2>two\n\n8 <3>three\r\n<4>four\r\n\x00<5>fi",
            good(b"<1>one", b"<2>two", b"<3>three", b"<4>four", b"<5>fi"),
        ),
        (b"<1>a\0<2>b\0<3>c", good(b"<1>a", b"<2>b", b"<3>c")),
        (b"2026 was fine\n99999999 <1>x\n12 apples\n", good(b"2026 was fine", b"99999999 <1>x", b"12 apples")),
        (b"", []),
        (b"\n\r\n\0\n", []),
        (b"9 <1>h", [(b"<1>h", "SyslogMessageUnfinished")]),
        (b"123", good(b"123")),
        (b"5 <13>hello\n", good(b"<13>h", b"ello")),
        (b"x" * 40 + b"\n<1>next\n", good(b"x" * 40, b"<1>next")),
        (b"x" * 41 + b"\n<1>next\n", [(b"x" * 40, CUT), *good(b"<1>next")]),
        (b"x" * 40 + b"\r\n", [(b"x" * 40, CUT)]),
        (b"y" * 500, [(b"y" * 40, CUT)]),
        (b"500 <" + b"z" * 499 + b"<1>next\n", [(b"<" + b"z" * 39, CUT), *good(b"<1>next")]),
        (b"9999999 <" + b"z" * 99, [(b"<" + b"z" * 39, CUT)]),
    ],
)
def test_frames(wire: bytes, expected: list[tuple[bytes, str]]) -> None:
    assert read([wire])[0] == expected
    assert read([wire[at : at + 1] for at in range(len(wire))])[0] == expected


def test_what_is_cut_is_counted() -> None:
    assert read([b"x" * 41 + b"\n"])[1] == 1
    assert read([b"60 <" + b"x" * 59 + b"<1>y\n"])[1] == 20
    assert read([b"x" * 100, b"y" * 100, b"\n<1>z\n"]) == ([(b"x" * 40, CUT), *good(b"<1>z")], 160)


PIECE = st.one_of(
    st.binary(max_size=6),
    st.sampled_from([b"\n", b"\0", b"\r\n", b"<13>", b" ", b"7 <13>abc", b"50 <", b"41 <", b"40 <", b"x" * 39, b"99"]),
    st.builds(lambda text: b"%d <%s" % (len(text) + 1, text), st.binary(max_size=60)),
)


@given(st.lists(PIECE, max_size=12).map(b"".join), st.lists(st.integers(0, 300), max_size=8))
@example(b"x" * 41 + b"\n", [41])
@example(b"x" * 40 + b"\n", [40])
def test_any_pieces_give_the_same_messages(wire: bytes, cuts: list[int]) -> None:
    marks = sorted({0, *(cut for cut in cuts if cut < len(wire)), len(wire)})
    pieces = [wire[start:stop] for start, stop in pairwise(marks)]
    assert read(pieces) == read([wire])


@given(st.lists(st.binary(min_size=1, max_size=400), max_size=20))
def test_no_more_waits_than_one_message(pieces: list[bytes]) -> None:
    framing = Framing(40)
    for piece in pieces:
        framing.feed(piece)
        assert len(framing._rest) <= 40 + 8
