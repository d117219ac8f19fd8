"""Push requests of Loki's API in JSON, decoded to columns, and the labels that both of its formats write.

A request is taken whole or not at all: what is malformed anywhere is a `DataError` that says where. `push_protobuf`
reads the other format. Cost: about 2 µs per entry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from tailrace.errors import DataError
from tailrace.intake.json_body import load

if TYPE_CHECKING:
    import polars as pl

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PAIR: Final = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*("(?:[^"\\\n]|\\.)*"|`[^`]*`)\s*(,|$)')
_ESCAPE: Final = re.compile(
    r"""\\(?:([abfnrtv\\'"])|x([0-9A-Fa-f]{2})|([0-7]{3})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.|$))""", re.DOTALL
)
_LETTERS: Final = dict(zip("abfnrtv\\'\"", "\a\b\f\n\r\t\v\\'\"", strict=True))


@dataclass(slots=True)
class Entries:
    """The entries of one request in columns; `streams[i]` has the next `counts[i]` of them.

    `times` are Unix nanoseconds, as digits (JSON) or a column of numbers (Protobuf). Structured metadata lies apart,
    as `meta_rows`, `meta_names`, `meta_values`: most entries have none.
    """

    streams: list[dict[str, str]] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    times: list[str] | pl.Series = field(default_factory=list)
    lines: list[str] | pl.Series = field(default_factory=list)
    meta_rows: list[int] = field(default_factory=list)
    meta_names: list[str] = field(default_factory=list)
    meta_values: list[str] = field(default_factory=list)


def from_json(body: bytes) -> Entries:
    """Decode `{"streams": [{"stream": {…}, "values": [["<ns>", "<line>", {…}], …]}]}`."""
    request = load(body)
    streams = request.get("streams") if isinstance(request, dict) else None
    if not isinstance(streams, list):
        raise DataError('the body has no list "streams"')
    entries = Entries()
    times, lines = entries.times, entries.lines = list[str](), list[str]()
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
        found = _json_values(values, where)
        if max(map(len, values), default=0) > 2:  # noqa: PLR2004  time, line, metadata
            _json_metadata(entries, values, where, len(lines))
        times += found[0]
        lines += found[1]
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


def _json_values(values: list[Any], where: str) -> tuple[list[str], list[str]]:  # Any: JSON as it came, checked here
    """Return times and lines."""
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
    return times, lines


def _json_metadata(entries: Entries, values: list[Any], where: str, first: int) -> None:  # Any: as above
    for row, value in enumerate(values, first):
        metadata = value[2] if len(value) > 2 else None  # noqa: PLR2004  time, line, metadata
        if metadata is None:
            continue
        if not isinstance(metadata, dict) or set(map(type, metadata.values())) - {str}:
            raise DataError(f"{where}.values[{row - first}][2] is not a flat object of strings")
        entries.meta_rows += [row] * len(metadata)
        entries.meta_names += metadata
        entries.meta_values += metadata.values()


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
