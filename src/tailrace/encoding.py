"""How bytes are lines of text: the codec of a file and what ends a line in it.

Comes in: the name of a codec as Python knows it, a delimiter, and bytes. Goes out: where lines end and where bytes may
be cut without cutting a character. Delimiters are searched on whole code units: the bytes `0A 00` may stand across two
characters of UTF-16 and end nothing there. Refuses codecs that are no text encoding, and delimiters that may be
half of a character.

Of the multi-byte codecs of Python's library none has a newline as the second byte of a character; other ASCII
characters from `0` on occur there (`|` in Shift-JIS), which is why a delimiter must not begin with one of them.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

Kind = Literal["utf-8", "single", "multi", "units", "stateful"]
"""One to four bytes; one byte; several bytes; code units of 2 or 4 bytes; shift sequences that hold for a while."""

DELIMITER_CHARS: Final = 64
"""A longer delimiter was not meant."""

AUTO: Final = "auto"
"""Name of the encoding of a file that says itself what it is: by a byte-order mark, else it is UTF-8."""

_MARKS: Final = (  # the longest first: UTF-32 begins like UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNITS: Final = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
_SAME: Final = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
"""What a codec is that only differs in its mark; without one it is little-endian, as Windows writes it."""
_STATEFUL: Final = re.compile(r"iso2022_.*|hz")
_NO_TEXT: Final = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7", "mbcs", "oem"}
_UTF8_BYTES: Final = 4  # a character has at most this many bytes
_HIGH_SURROGATES: Final = range(0xD8, 0xDC)  # first byte of the first half of a pair


@dataclass(frozen=True, slots=True)
class Encoding:
    """Codec and delimiter; made by `encoding_of`. `end` is the delimiter as bytes, `unit` the bytes of a code unit."""

    codec: str = "utf-8"
    delimiter: str = "\n"
    end: bytes = b"\n"
    unit: int = 1
    kind: Kind = "utf-8"

    @property
    def plain(self) -> bool:
        """Whether lines are UTF-8 and end with a newline."""
        return self.kind == "utf-8" and self.delimiter == "\n"

    @property
    def carriage_return(self) -> bytes:
        """What stands before the newline of a line that ends as Windows has it."""
        return "\r".encode(self.codec)

    @property
    def overlaps(self) -> bool:
        """Whether a delimiter may begin within another, as two newlines do: then it is only found from the front."""
        return any(self.delimiter.startswith(self.delimiter[size:]) for size in range(1, len(self.delimiter)))

    def find(self, data: bytes, start: int, stop: int, offset: int = 0) -> int:
        """Return where the first delimiter in `data[start:stop]` begins, or -1; the file has `data` at `offset`."""
        at = data.find(self.end, start, stop)
        while at >= 0 and (offset + at) % self.unit:
            at = data.find(self.end, at + 1, stop)
        return at

    def last_end(self, data: bytes, start: int, stop: int, offset: int = 0) -> int:
        """Return the place behind the last delimiter in `data[start:stop]`, or -1; a line begins at `start`."""
        if self.overlaps:
            behind, at = -1, self.find(data, start, stop, offset)
            while at >= 0:
                behind = at + len(self.end)
                at = self.find(data, behind, stop, offset)
            return behind
        at = data.rfind(self.end, start, stop)
        while at >= 0 and (offset + at) % self.unit:
            at = data.rfind(self.end, start, at + len(self.end) - 1)
        return at + len(self.end) if at >= 0 else -1

    def boundary(self, data: bytes, start: int, end: int, offset: int = 0) -> int:
        """Return `end`, or the place shortly before it where no character is cut; a character begins at `start`."""
        if self.kind == "utf-8":
            at = _utf8_boundary(data, start, end)
        elif self.kind == "units":
            at = end - (offset + end) % self.unit
            pairs = self.unit == 2 and at - self.unit >= start  # noqa: PLR2004  UTF-16
            if pairs and data[at - 1 if self.codec == "utf-16-le" else at - 2] in _HIGH_SURROGATES:
                at -= self.unit
        elif self.kind == "single":
            at = end
        else:
            decoder = codecs.getincrementaldecoder(self.codec)(errors="replace")
            decoder.decode(data[start:end])
            at = end - len(decoder.getstate()[0])
        return at

    def begun(self, data: bytes, start: int) -> int:
        """Return the length of the delimiter's beginning with which `data` ends, 0 if it ends in none."""
        sizes = range(min(len(self.end) - 1, len(data) - start), 0, -1)
        return next((size for size in sizes if data.endswith(self.end[:size])), 0)


UTF8: Final = Encoding()
"""What a file is that says nothing else."""


@lru_cache(maxsize=1024)
def encoding_of(codec: str, delimiter: str = "\n") -> Encoding:
    r"""Return an encoding; `LookupError` if there is no such text encoding, `ValueError` if the delimiter cannot be.

    >>> encoding_of("UTF16").end, encoding_of("cp500").end, encoding_of("shift-jis").codec
    (b'\n\x00', b'%', 'shift_jis')
    """
    name = _known(codec)
    if not delimiter or len(delimiter) > DELIMITER_CHARS:
        raise ValueError(f"a delimiter has 1 to {DELIMITER_CHARS} characters")
    try:
        end = delimiter.encode(name)
    except UnicodeError as error:
        raise ValueError(f"{delimiter!r} cannot be written in {name}") from error
    kind = _kind(name)
    if kind in {"multi", "stateful"} and _may_be_second(name, end[:1]):
        raise ValueError(f"{delimiter!r} begins with a byte that may be half of a character in {name}")
    return Encoding(name, delimiter, end, _UNITS.get(name, 1), kind)


def known_codecs() -> list[str]:
    """Return the names of the text encodings, for suggestions."""
    from encodings.aliases import aliases

    names = {name.replace("_", "-") for name in (*aliases, *aliases.values())} | {"utf-16-le", "utf-16-be", "cp1252"}
    return sorted(name for name in names if not name[0].isdigit() and _is_known(name))


def marked(start: bytes, expected: str = "") -> tuple[str, int] | None:
    """Return the codec that a byte-order mark at the start of a file tells, and the bytes of the mark.

    The mark of UTF-32 may be that of UTF-16 before a NUL: the `expected` codec decides.
    """
    found = {codec: len(mark) for mark, codec in _MARKS if start.startswith(mark)}
    codec = expected if expected in found else next(iter(found), None)
    return None if codec is None else (codec, found[codec])


def may_be_marked(start: bytes) -> bool:
    """Tell whether more bytes may make, or change, the mark with which a file begins."""
    return any(mark.startswith(start) and len(start) < len(mark) for mark, _ in _MARKS)


def _is_known(name: str) -> bool:
    try:
        _known(name)
    except LookupError:
        return False
    return True


def _known(codec: str) -> str:
    """Return the name by which Python knows a text encoding."""
    try:
        info = codecs.lookup(codec)
    except (LookupError, ValueError) as error:
        raise LookupError(f"there is no encoding {codec!r}") from error
    name = _SAME.get(info.name, info.name)
    if name.replace("_", "-") in _NO_TEXT or not info._is_text_encoding:  # noqa: SLF001  nothing public tells
        raise LookupError(f"{codec!r} is no encoding of text in files")
    return name


def _kind(name: str) -> Kind:
    if name == "utf-8":
        return "utf-8"
    if name in _UNITS:
        return "units"
    if _STATEFUL.fullmatch(name):
        return "stateful"
    return "single" if len(bytes(range(256)).decode(name, "replace")) == 256 else "multi"  # noqa: PLR2004  all bytes


def _may_be_second(name: str, second: bytes) -> bool:
    """Tell whether a byte may stand within a character, behind some other one."""
    if second >= b"\x80":
        return True
    if _kind(name) == "stateful":
        return second > b" "  # within shift sequences every printable byte is half of a character
    firsts = [bytes([first]) for first in range(0x80, 0x100)]
    return any(
        _fit(name, first + second) or any(_fit(name, first + second + third) for third in firsts) for first in firsts
    )


def _fit(name: str, data: bytes) -> bool:
    """Tell whether bytes are one character, or three of them the beginning of one."""
    try:
        text = codecs.getincrementaldecoder(name)().decode(data)
    except UnicodeDecodeError:
        return False
    return len(text) == 1 or (not text and len(data) > 2)  # noqa: PLR2004


def _utf8_boundary(data: bytes, start: int, end: int) -> int:
    """Return `end`, or up to three bytes before it if a UTF-8 character would be cut."""
    for back in range(1, _UTF8_BYTES):
        at = end - back
        if at < start:
            break
        byte = data[at]
        if byte < 0x80:  # noqa: PLR2004  ASCII: nothing is cut
            break
        if byte >= 0xC0:  # noqa: PLR2004  a lead byte: its character has 2, 3 or 4 bytes
            return at if 2 + (byte >= 0xE0) + (byte >= 0xF0) > back else end  # noqa: PLR2004
    return end
