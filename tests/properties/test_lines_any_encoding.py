"""Any text in any encoding, with any delimiter, in any pieces: exactly its lines, at their places."""

from __future__ import annotations

import pkgutil
from contextlib import suppress
from encodings import __path__ as shipped
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sources.tail.tailing import Tailing
from tailrace.contracts import Block, Origin, Reading
from tailrace.encoding import Encoding, encoding_of, marked, may_be_marked
from tailrace.parse.frame import lines_of, origins_of
from tailrace.sources.tail.lines import cut


def every_codec() -> list[str]:
    """Return every text encoding of this Python."""
    found: list[str] = []
    for module in pkgutil.iter_modules(shipped):
        with suppress(LookupError):
            found.append(encoding_of(module.name).codec)
    return sorted({*found, "utf-8", "utf-16-be", "utf-32-be"})


CODECS = every_codec()
DELIMITERS = ["\n", "\r\n", "\0", "---\n", "\r", "\n\n", "\x1e"]
HARD = [
    "\r",
    "\n",
    "-",
    "--",
    "---",
    "\0",
    "a",
    "é",
    "€",
    "ポ",
    "十",
    "表",
    "ਊ",
    "\u0a00",
    "\u000a",
    "\u0100",
    "𝄞",
    "\ufeff",
    "\u2028",
    "\x85",
    "한",
    "~",
    "\ufffd",
    " ",
]


def encodings(codec: str) -> list[Encoding]:
    """Return a codec with every delimiter that it can have."""
    found: list[Encoding] = []
    for delimiter in DELIMITERS:
        with suppress(ValueError):
            found.append(encoding_of(codec, delimiter))
    return found


INPUTS = st.sampled_from(CODECS).flatmap(
    lambda codec: st.tuples(
        st.sampled_from(encodings(codec)),
        st.lists(st.lists(st.sampled_from(HARD), max_size=6).map("".join), min_size=1, max_size=8),
        st.lists(st.integers(0, 9), max_size=12),
    )
)


def fitting(line: str, encoding: Encoding) -> str:
    """Return what of a line can be written in the encoding and is no delimiter, nor becomes one before it."""
    text = line.encode(encoding.codec, "ignore").decode(encoding.codec, "ignore")
    while (text + encoding.delimiter).find(encoding.delimiter) != len(text):
        text = text[:-1]
    return text


def read(data: bytes, encoding: Encoding, sizes: list[int], max_line: int, *, flush: bool = False) -> list[Block]:
    """Read as the reader does: what was not used comes again with more behind it."""
    origin = Origin("a", {"filename": "a"}, Reading(), encoding)
    blocks: list[Block] = []
    offset = parts = end = 0
    for size in [*sizes, len(data)]:
        end = min(len(data), end + size)
        some = data[offset:end]
        final = end == len(data)
        found = cut(
            some,
            parts=parts,
            max_line=max_line,
            final=final,
            flush=flush and not final,
            offset=offset,
            encoding=encoding,
        )
        blocks += [Block(origin, offset + s.start, some[s.start : s.end], 1, s.part, s.last) for s in found.spans]
        offset, parts = offset + found.used, found.parts
    assert b"".join(block.data for block in blocks) == data
    return blocks


@given(INPUTS)
def test_any_text_in_any_pieces_gives_its_lines(made: tuple[Encoding, list[str], list[int]]) -> None:
    encoding, texts, sizes = made
    lines = [fitting(text, encoding) for text in texts]
    written = [line.encode(encoding.codec) + encoding.end for line in lines]
    data = b"".join(written)
    starts = [sum(map(len, written[:number])) for number in range(len(written))]
    blocks = read(data, encoding, sizes, 1024)
    frame = lines_of(blocks, origins_of(blocks)).frame
    expected = [line.removesuffix("\r") for line in lines] if encoding.delimiter == "\n" else lines
    assert frame["_line"].to_list() == expected
    assert frame["_offset"].to_list() == starts
    assert "_raw" not in frame.columns


@given(INPUTS, st.integers(8, 16), st.booleans())
def test_parts_join_to_their_lines_and_cut_no_character(
    made: tuple[Encoding, list[str], list[int]], max_line: int, flush: bool
) -> None:
    encoding, texts, sizes = made
    if encoding.kind == "stateful":  # a part of such a line begins amid shift sequences
        return
    lines = [fitting(text, encoding) for text in texts]
    data = b"".join(line.encode(encoding.codec) + encoding.end for line in lines)
    blocks = read(data, encoding, sizes, max_line, flush=flush)
    frame = lines_of(blocks, origins_of(blocks)).frame
    joined = [""]
    for row in frame.to_dicts():
        joined[-1] += row["_line"]
        if row.get("_part") is None or row["_part_last"]:
            joined.append("")
    assert joined.pop() == ""
    assert joined == ([line.removesuffix("\r") for line in lines] if encoding.delimiter == "\n" else lines)
    assert "_raw" not in frame.columns


ODD = [
    b"a", b"\n", b"\0", b"\r", b"\xff", b"\x81", b"\x8f", b"\xa4\xd4", b"\xd8", b"\xdc\0", b"\n\0", b"\0\n", b"\x1b$B", b"~{", b"%",
    b"-", b"\r\0",
]  # fmt: skip


@given(
    st.sampled_from(CODECS).flatmap(lambda codec: st.sampled_from(encodings(codec))),
    st.lists(st.sampled_from(ODD), max_size=30).map(b"".join),
    st.lists(st.integers(0, 9), max_size=12),
)
@example(encoding_of("utf-16-le"), b"a\n\0", [])
@example(encoding_of("euc_jis_2004"), b"\x8f", [])  # the decoder takes the newline for a part of the character
def test_any_bytes_lose_nothing(encoding: Encoding, data: bytes, sizes: list[int]) -> None:
    """What is no text is kept: offsets rise by what each line takes, and the bytes of a bad line stand in `_raw`."""
    blocks = read(data, encoding, sizes, 1024)
    if not blocks:
        return
    rows = lines_of(blocks, origins_of(blocks)).frame.to_dicts()
    ends = [row["_offset"] for row in rows[1:]] + [len(data)]
    for row, end in zip(rows, ends, strict=True):
        taken = data[row["_offset"] : end]
        ended = taken.endswith(encoding.end) and not len(taken) % encoding.unit
        taken = taken.removesuffix(encoding.end) if ended else taken
        raw = row.get("_raw")
        if raw is not None:
            assert raw == taken
        elif encoding.kind != "stateful":
            line = taken.decode(encoding.codec)
            assert row["_line"] == (line.removesuffix("\r") if ended and encoding.delimiter == "\n" else line)


@settings(max_examples=60)
@given(INPUTS, st.lists(st.booleans(), max_size=12), st.floats(0, 2))
def test_the_same_from_a_file_that_grows(
    made: tuple[Encoding, list[str], list[int]], restarts: list[bool], partial_after_s: float
) -> None:
    """Written in any pieces, read between them, over restarts, with or without giving out what waits."""
    encoding, texts, sizes = made
    if encoding.kind == "stateful":
        partial_after_s = 0
    lines = [fitting(text, encoding) for text in texts]
    data = b"".join(line.encode(encoding.codec) + encoding.end for line in lines)
    assume(b"\0" not in data or not encoding.plain)  # no text, if there are too many
    assume(not may_be_marked(data))  # it may still become another text
    with TemporaryDirectory() as folder:
        t = Tailing(
            Path(folder), encoding=encoding.codec, delimiter=encoding.delimiter, partial_after_s=partial_after_s
        )
        blocks: list[Block] = []
        end = 0
        for number, size in enumerate([*sizes, len(data)]):
            t.write("app.log", data[end : end + size])
            end += size
            if number < len(restarts) and restarts[number]:
                t.restart()
            blocks += t.blocks()
            t.clock.advance(1)
        t.source.close()
    frame = lines_of(blocks, origins_of(blocks)).frame if blocks else None
    joined = [""]
    for row in [] if frame is None else frame.to_dicts():
        joined[-1] += row["_line"]
        if row.get("_part") is None or row["_part_last"]:
            joined.append("")
    assert joined.pop() == ""
    mark = "\ufeff" if marked(data, encoding.codec) else ""
    expected = [line.removesuffix("\r") for line in lines] if encoding.delimiter == "\n" else lines
    assert joined == [expected[0].removeprefix(mark), *expected[1:]]
    assert [block.offset for block in blocks] == sorted(block.offset for block in blocks)
    assert sum(len(block.data) for block in blocks) + len(mark.encode(encoding.codec)) == len(data)
