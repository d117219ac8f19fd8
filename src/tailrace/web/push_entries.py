"""Push requests of Loki's API, decoded to columns: JSON, or Protobuf in a Snappy block.

A request is taken whole or not at all: what is malformed anywhere is a `DataError` that says where.
Protobuf is read by hand: three small messages do not need a library, and the input is hostile, so
every length is checked against what is there. Cost: about 2 µs per entry, both ways.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from tailrace.errors import DataError

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PAIR: Final = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*("(?:[^"\\\n]|\\.)*"|`[^`]*`)\s*(,|$)')
_ESCAPE: Final = re.compile(
    r"""\\(?:([abfnrtv\\'"])|x([0-9A-Fa-f]{2})|([0-7]{3})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.|$))""", re.DOTALL
)
_LETTERS: Final = dict(zip("abfnrtv\\'\"", "\a\b\f\n\r\t\v\\'\"", strict=True))
_MALFORMED: Final = "malformed protobuf"
_VARINT: Final = 0  # wire types
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5


@dataclass(slots=True)
class Entries:
    """The entries of one request in columns; `streams[i]` has the next `counts[i]` of them.

    `times` are Unix nanoseconds, as digits (JSON) or numbers (Protobuf). Structured metadata lies apart,
    as `meta_rows`, `meta_names`, `meta_values`: most entries have none.
    """

    streams: list[dict[str, str]] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    times: list[str] | list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    meta_rows: list[int] = field(default_factory=list)
    meta_names: list[str] = field(default_factory=list)
    meta_values: list[str] = field(default_factory=list)


def from_json(body: bytes) -> Entries:
    """Decode `{"streams": [{"stream": {…}, "values": [["<ns>", "<line>", {…}], …]}]}`."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the body is no JSON: {error}") from None
    streams = request.get("streams") if isinstance(request, dict) else None
    if not isinstance(streams, list):
        raise DataError('the body has no list "streams"')
    entries = Entries()
    for number, stream in enumerate(streams):
        where = f"streams[{number}]"
        if not isinstance(stream, dict):
            raise DataError(f"{where} is no object")
        values = stream.get("values")
        values = [] if values is None else values
        if not isinstance(values, list):
            raise DataError(f"{where}.values is no list")
        entries.streams.append(_json_labels(stream.get("stream"), where))
        entries.counts.append(len(values))
        _json_values(entries, values, where)
    return entries


def _json_labels(labels: object, where: str) -> dict[str, str]:
    if not isinstance(labels, dict):
        raise DataError(f"{where}.stream is no object")
    for name, value in labels.items():
        if _NAME.fullmatch(name) is None:
            raise DataError(f"{where}.stream: {name[:80]!r} is no label name ([a-zA-Z_][a-zA-Z0-9_]*)")
        if not isinstance(value, str):
            raise DataError(f"{where}.stream.{name} is no string")
    return labels


def _json_values(entries: Entries, values: list[Any], where: str) -> None:  # Any: JSON as it came, checked here
    try:
        times = [value[0] for value in values]
        lines = [value[1] for value in values]
    except (TypeError, IndexError, KeyError):
        raise DataError(f'{where}.values: an entry is not ["<nanoseconds>", "<line>"]') from None
    if set(map(type, values)) - {list}:
        raise DataError(f"{where}.values: an entry is no list")
    if set(map(type, times)) - {str}:
        raise DataError(f"{where}.values: a time is not a string of nanoseconds")
    if set(map(type, lines)) - {str}:
        raise DataError(f"{where}.values: a line is no string")
    if max(map(len, values), default=0) > 2:  # noqa: PLR2004  time, line, metadata
        _json_metadata(entries, values, where)
    entries.times += times
    entries.lines += lines


def _json_metadata(entries: Entries, values: list[Any], where: str) -> None:  # Any: as above
    first = len(entries.lines)
    for row, value in enumerate(values, first):
        metadata = value[2] if len(value) > 2 else None  # noqa: PLR2004  time, line, metadata
        if metadata is None:
            continue
        if not isinstance(metadata, dict) or set(map(type, metadata.values())) - {str}:
            raise DataError(f"{where}.values[{row - first}][2] is not a flat object of strings")
        entries.meta_rows += [row] * len(metadata)
        entries.meta_names += metadata
        entries.meta_values += metadata.values()


def from_protobuf(body: bytes) -> Entries:
    """Decode a `logproto.PushRequest`: 1 stream {1 labels, 2 entry {1 {1 s, 2 ns}, 2 line, 3 metadata {1, 2}}}."""
    entries = Entries()
    try:
        for number, start, end in _fields(body, 0, len(body)):
            if number == 1:
                _stream(entries, body, start, end)
    except (IndexError, UnicodeDecodeError):
        raise DataError(f"{_MALFORMED}: it ends too early, or a text is not UTF-8") from None
    return entries


def _stream(entries: Entries, body: bytes, start: int, end: int) -> None:
    labels: dict[str, str] = {}
    first = len(entries.lines)
    for number, at, stop in _fields(body, start, end):
        if number == 1:
            labels = dict(parse_labels(body[at:stop].decode()))
        elif number == 2:  # noqa: PLR2004  field 2: an entry
            _entry(entries, body, at, stop)
    entries.streams.append(labels)
    entries.counts.append(len(entries.lines) - first)


def _entry(entries: Entries, body: bytes, start: int, end: int) -> None:
    time_ns, line = 0, ""
    for number, at, stop in _fields(body, start, end):
        if number == 1:
            time_ns = _timestamp(body, at, stop)
        elif number == 2:  # noqa: PLR2004  field 2: the line
            line = body[at:stop].decode()
        elif number == 3:  # noqa: PLR2004  field 3: one pair of metadata
            name = value = ""
            for part, inner, inner_stop in _fields(body, at, stop):
                if part == 1:
                    name = body[inner:inner_stop].decode()
                elif part == 2:  # noqa: PLR2004  field 2: the value
                    value = body[inner:inner_stop].decode()
            entries.meta_rows.append(len(entries.lines))
            entries.meta_names.append(name)
            entries.meta_values.append(value)
    entries.times.append(time_ns)  # type: ignore[arg-type]  # all of one kind within a request
    entries.lines.append(line)


def _timestamp(body: bytes, at: int, stop: int) -> int:
    seconds = nanos = 0
    while at < stop:
        tag, at = _varint(body, at, stop)
        value, at = _varint(body, at, stop)
        signed = value - (1 << 64) if value >> 63 else value
        if tag == 1 << 3:
            seconds = signed
        elif tag == 2 << 3:
            nanos = signed
    return seconds * 1_000_000_000 + nanos


def _fields(body: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    """Return number, start and end of each length-delimited field of a message; others are passed over."""
    found = []
    while at < end:
        tag = body[at]
        at += 1
        if tag > 0x7F:  # noqa: PLR2004  a tag of more than one byte
            tag, at = _varint(body, at - 1, end)
        kind = tag & 7
        if kind == _BYTES:
            size = body[at]
            at += 1
            if size > 0x7F:  # noqa: PLR2004  a length of more than one byte
                size, at = _varint(body, at - 1, end)
            found.append((tag >> 3, at, at + size))
            at += size
        elif kind == _VARINT:
            _, at = _varint(body, at, end)
        elif kind in {_FIXED64, _FIXED32}:
            at += 8 if kind == _FIXED64 else 4
        else:
            raise DataError(f"{_MALFORMED}: wire type {kind}")
    if at != end:
        raise DataError(f"{_MALFORMED}: a length points outside of its message")
    return found


def _varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:  # noqa: PLR2004  64 bits in groups of seven
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004  the last byte has its high bit clear
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise DataError(f"{_MALFORMED}: a number without end")


@lru_cache(maxsize=4_096)
def parse_labels(text: str) -> tuple[tuple[str, str], ...]:
    r"""Return the pairs of a label set as Go prints it.

    >>> parse_labels('{app="cart", path="C:\\\\x"}')
    (('app', 'cart'), ('path', 'C:\\x'))
    """
    inner = text.strip()
    if not (inner.startswith("{") and inner.endswith("}")):
        raise DataError(f"labels {text[:80]!r} do not stand in braces")
    inner, at, pairs = inner[1:-1].strip(), 0, {}
    while at < len(inner):
        match = _PAIR.match(inner, at)
        if match is None:
            raise DataError(f"labels {text[:80]!r} cannot be read at character {at + 2}")
        pairs[match[1]] = _unquote(match[2])
        at = match.end()
    return tuple(pairs.items())


def _unquote(quoted: str) -> str:
    if quoted[0] == "`":
        return quoted[1:-1]
    return _ESCAPE.sub(_unescape, quoted[1:-1])


def _unescape(match: re.Match[str]) -> str:
    letter, two, octal, four, eight, _ = match.groups()
    if letter:
        return _LETTERS[letter]
    code = int(two or four or eight or "0", 16) if not octal else int(octal, 8)
    if not (two or octal or four or eight) or code > 0x10FFFF:  # noqa: PLR2004  the last code point
        raise DataError(f"labels have an unknown escape {match[0][:10]!r}")
    return chr(code)
