"""Where lines end and where bytes may be cut, in encodings of every kind."""

from __future__ import annotations

import codecs
import pkgutil
from encodings import __path__ as shipped

import pytest

from tailrace.encoding import UTF8, Encoding, encoding_of, known_codecs, marked, may_be_marked


@pytest.mark.parametrize(
    ("name", "codec", "end", "unit", "kind"),
    [
        ("utf8", "utf-8", b"\n", 1, "utf-8"),
        ("UTF-8-SIG", "utf-8", b"\n", 1, "utf-8"),
        ("utf-16", "utf-16-le", b"\n\x00", 2, "units"),
        ("UTF-16BE", "utf-16-be", b"\x00\n", 2, "units"),
        ("utf_32_be", "utf-32-be", b"\x00\x00\x00\n", 4, "units"),
        ("Shift_JIS", "shift_jis", b"\n", 1, "multi"),
        ("gb18030", "gb18030", b"\n", 1, "multi"),
        ("windows-1252", "cp1252", b"\n", 1, "single"),
        ("cp037", "cp037", b"\x25", 1, "single"),
        ("iso-2022-jp", "iso2022_jp", b"\n", 1, "stateful"),
    ],
)
def test_names_are_those_of_python(name: str, codec: str, end: bytes, unit: int, kind: str) -> None:
    assert encoding_of(name) == Encoding(codec, "\n", end, unit, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["nope", "", "base64", "rot13", "idna", "unicode_escape", "utf-7", "a\0b"])
def test_what_is_no_encoding_of_text_is_refused(name: str) -> None:
    with pytest.raises(LookupError):
        encoding_of(name)


@pytest.mark.parametrize(
    ("codec", "delimiter"),
    [
        ("shift_jis", "|"),  # the second byte of ポ, 83 7C
        ("gb18030", "0"),  # the second and fourth byte of 81 30 81 30
        ("big5", "END"),
        ("iso2022_jp", "--"),
        ("latin-1", "€"),
        ("utf-8", ""),
        ("utf-8", "x" * 65),
    ],
)
def test_delimiters_that_cannot_be_are_refused(codec: str, delimiter: str) -> None:
    with pytest.raises(ValueError, match=r"delimiter|written|half"):
        encoding_of(codec, delimiter)


@pytest.mark.parametrize("codec", ["shift_jis", "gb18030", "gbk", "big5", "euc_jp", "euc_kr", "johab", "utf-16"])
@pytest.mark.parametrize("delimiter", ["\n", "\r\n", "\0", "---\n", "\r", "\x1e"])
def test_control_characters_and_dashes_may_delimit_anywhere(codec: str, delimiter: str) -> None:
    assert encoding_of(codec, delimiter).delimiter == delimiter


def test_no_codec_of_the_library_has_a_newline_within_a_character() -> None:
    """The reason why lines of multi-byte encodings are found by their bytes: checked for every codec of this Python."""
    checked = 0
    for module in pkgutil.iter_modules(shipped):
        try:
            encoding = encoding_of(module.name)
        except (LookupError, ValueError):
            continue
        if encoding.kind == "multi":
            checked += 1
            for first in range(0x80, 0x100):
                assert (bytes([first]) + b"\nab").decode(encoding.codec, "ignore").endswith("\nab")
    assert checked >= 15


def test_suggestions_are_names_that_are_taken() -> None:
    names = known_codecs()
    assert {"utf-16", "shift-jis", "latin-1", "gbk", "cp1252"} <= set(names)
    assert all(encoding_of(name) for name in names)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (codecs.BOM_UTF8 + b"a", ("utf-8", 3)),
        (codecs.BOM_UTF16_LE + b"a\0", ("utf-16-le", 2)),
        (codecs.BOM_UTF16_BE, ("utf-16-be", 2)),
        (codecs.BOM_UTF32_LE, ("utf-32-le", 4)),
        (codecs.BOM_UTF32_BE, ("utf-32-be", 4)),
        ("\ufeffa".encode("gb18030"), ("gb18030", 4)),
        (b"a\xef\xbb\xbf", None),
        (b"", None),
    ],
)
def test_marks(start: bytes, expected: tuple[str, int] | None) -> None:
    assert marked(start) == expected


def test_what_is_expected_decides_between_two_marks() -> None:
    start = "\ufeff\0".encode("utf-16-le")
    assert (marked(start), marked(start, "utf-16-le")) == (("utf-32-le", 4), ("utf-16-le", 2))
    assert marked(start, "utf-8") == ("utf-32-le", 4)


@pytest.mark.parametrize(
    ("start", "open_"),
    [(b"\xff", True), (b"\xff\xfe", True), (b"\xff\xfe\0", True), (b"\xff\xfea\0", False), (b"\xef\xbb", True),
     (b"\xef\n", False), (b"\xfe\xff", False), (b"a", False)],
)  # fmt: skip
def test_a_mark_may_be_incomplete(start: bytes, open_: bool) -> None:
    assert may_be_marked(start) is open_


def test_a_newline_is_found_on_code_units_only() -> None:
    data = "Āਊ\n\n".encode("utf-16-be")  # 01 00 0A 0A 00 0A 00 0A: `00 0A` also begins at 1
    big = encoding_of("utf-16-be")
    assert data.find(b"\x00\n") == 1
    assert (big.find(data, 0, len(data)), big.last_end(data, 0, len(data))) == (4, 8)
    assert (big.last_end(data, 0, 6), big.last_end(data, 0, 4)) == (6, -1)
    assert big.find(data[1:], 0, 7, offset=1) == 3  # the place in the file decides
    little = encoding_of("utf-16-le")
    data = "\u0a41\u0100\u4e00".encode("utf-16-le")  # 41 0A 00 01 00 4E: `0A 00` at 1 is none
    assert (data.find(b"\n\x00"), little.find(data, 0, 6), little.last_end(data, 0, 6)) == (1, -1, -1)


def test_overlapping_delimiters_are_found_from_the_front() -> None:
    blank = encoding_of("utf-8", "\n\n")
    assert blank.overlaps
    assert blank.last_end(b"a\n\n\n", 0, 4) == 3
    assert not encoding_of("utf-8", "\r\n").overlaps
    assert encoding_of("utf-8", "---").overlaps


@pytest.mark.parametrize(
    ("codec", "text", "end", "expected"),
    [
        ("utf-8", "a€", 3, 1),
        ("utf-8", "a€", 4, 4),
        ("utf-16-le", "a𝄞", 4, 2),  # between the two halves of a pair
        ("utf-16-le", "a𝄞", 5, 2),
        ("utf-16-be", "a𝄞", 4, 2),
        ("utf-16-be", "a𝄞", 6, 6),
        ("utf-32-le", "ab", 7, 4),
        ("shift_jis", "aポ", 2, 1),
        ("gb18030", "a\U0001f600", 4, 1),
        ("cp1252", "é€", 1, 1),
    ],
)
def test_characters_are_not_cut(codec: str, text: str, end: int, expected: int) -> None:
    encoding = encoding_of(codec)
    assert encoding.boundary(text.encode(codec), 0, end) == expected


def test_a_delimiter_that_has_begun_is_seen() -> None:
    assert encoding_of("utf-8", "\r\n").begun(b"a\r", 0) == 1
    assert encoding_of("utf-8", "---\n").begun(b"a--", 0) == 2
    assert encoding_of("utf-8", "---\n").begun(b"a--", 2) == 1
    assert UTF8.begun(b"a\r", 0) == 0
