"""Frames of RFC 6587: whatever the pieces in which they arrive, the same messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tailrace.limits import LINE_BYTES
from tailrace.parse.octets import messages


def test_counted_messages_may_hold_newlines() -> None:
    assert messages(b"12 <34>a\nb\n<13>8 <34>next\n") == ([b"<34>a\nb\n<13>", b"<34>next"], b"")


def test_counted_and_lines_mixed() -> None:
    data = b"6 <1>one<2>two\n\n8 <3>three\r\n<4>four\r\n\x00<5>fi"
    assert messages(data) == ([b"<1>one", b"<2>two", b"<3>three", b"<4>four"], b"<5>fi")


def test_a_number_that_is_no_count_is_text() -> None:
    assert messages(b"2026 was fine\n99999999 <1>x\n") == ([b"2026 was fine", b"99999999 <1>x"], b"")


def test_a_count_waits_for_its_message() -> None:
    for rest in (b"1", b"12", b"12 ", b"12 <34>half"):
        assert messages(rest) == ([], rest)


def test_a_line_without_an_end_is_cut() -> None:
    found, rest = messages(b"x" * (2 * LINE_BYTES + 5))
    assert [len(message) for message in found] == [LINE_BYTES, LINE_BYTES]
    assert rest == b"xxxxx"


@given(
    st.lists(
        st.tuples(st.booleans(), st.text("ab <>1\n", max_size=12).map(lambda text: b"<1>" + text.encode() + b"x")),
        max_size=6,
    ),
    st.data(),
)
def test_any_pieces_give_the_same_messages(sent: list[tuple[bool, bytes]], data: st.DataObject) -> None:
    wire, expected = b"", []
    for counted, message in sent:
        if counted:
            wire += b"%d %s" % (len(message), message)
            expected.append(message)
        else:
            line = message.replace(b"\n", b"")
            wire += line + b"\n"
            expected.append(line)
    cut = data.draw(st.integers(0, len(wire)))
    first, rest = messages(wire[:cut])
    second, left = messages(rest + wire[cut:])
    assert first + second == expected
    assert left.strip() == b""
