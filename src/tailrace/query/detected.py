"""Which labels and fields there are, found in streams and in a sample of lines: what Logs Drilldown offers to click.

Comes in: label sets of streams, or the answer of a log query. Goes out: names with their kind, their number of values
and how a query gets at them. Fields are structured metadata (no parser is needed), what parsers of the query found,
and, where the query has none, what `json`, else `logfmt`, finds in the lines. Costs a look at each line of the sample,
in Python, so the sample is bounded by who asks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tailrace.batch import sanitize_name
from tailrace.query import literals
from tailrace.query.json_labels import clean, decoder
from tailrace.query.logfmt_labels import read_pairs
from tailrace.query.result import META, PARSED, STREAM
from tailrace.query.rows import ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import polars as pl

    from tailrace.query.syntax import LogQuery

SHOWN_ALWAYS: Final = frozenset({"cluster", "namespace", "instance", "pod"})
"""Labels that are shown even if all their values look like identifiers."""

PARSERS: Final = frozenset({"json", "logfmt", "regexp", "pattern", "unpack"})
"""Stages that find labels in lines."""

_IDENTIFIER: Final = re.compile(
    r"[+-]?\d+(?:\.\d+)?|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII
)
_INT: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_BOOLEANS: Final = frozenset({"true", "false", "True", "False", "TRUE", "FALSE", "t", "f", "T", "F"})
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_KILO: Final = 1_000
_WHOLE: Final = 10
"""From so many of a unit on, a size is written without a decimal."""

TYPES: Final[Mapping[str, Callable[[str], bool]]] = {
    "int": lambda text: _INT.fullmatch(text) is not None,
    "float": lambda text: literals.float_value(text) is not None,
    "boolean": lambda text: text in _BOOLEANS,
    "duration": lambda text: literals.duration_value(text) is not None,
    "bytes": lambda text: literals.bytes_value(text) is not None,
}
"""Kind of a value to its test, in the order in which they are tried; what fits none is a `string`."""


@dataclass(slots=True)
class Field:
    """A field of some lines: its values as they were found first, and how a query gets at it."""

    values: dict[str, None] = field(default_factory=dict)
    parsers: set[str] = field(default_factory=set)  # none: structured metadata
    path: tuple[str, ...] = ()  # of the first JSON member

    @property
    def kind(self) -> str:
        """The first type that all values fit."""
        return next((name for name, fits in TYPES.items() if all(map(fits, self.values))), "string")

    def shown(self) -> list[str]:
        """Return the values, sizes all written in one way."""
        if self.kind != "bytes":
            return list(self.values)
        return list(dict.fromkeys(size_text(literals.bytes_value(value) or 0) for value in self.values))


def detected_labels(streams: Iterable[Mapping[str, str]]) -> dict[str, int]:
    """Return the labels of streams and how many values each has; labels that hold identifiers only are left out."""
    values: dict[str, set[str]] = {}
    for labels in streams:
        for name, value in labels.items():
            values.setdefault(name, set()).add(value)
    return {
        name: len(found)
        for name, found in sorted(values.items())
        if name in SHOWN_ALWAYS or not all(_IDENTIFIER.fullmatch(value) for value in found)
    }


def detected_fields(query: LogQuery, frame: pl.DataFrame) -> dict[str, Field]:
    """Return the fields of the lines that a log query answered, by name."""
    found: dict[str, Field] = {}
    for column in frame.columns:
        if column.startswith(META):
            _take(found, column.removeprefix(META), frame[column])
    if "detected_level" not in found:
        _take(found, "detected_level", frame["_level"])
    parsers = [stage.keyword for stage in query.stages if stage.keyword in PARSERS]
    for column in frame.columns:
        if column.startswith(PARSED) and column.removeprefix(PARSED) not in ERRORS:
            _take(found, column.removeprefix(PARSED), frame[column], parsers)
    if not parsers:
        _from_lines(found, frame)
    return dict(sorted(found.items()))


def _take(found: dict[str, Field], name: str, values: pl.Series, parsers: Sequence[str] = ()) -> None:
    texts = [text for text in values.drop_nulls().unique(maintain_order=True) if text]
    if texts:
        one = found.setdefault(name, Field())
        one.values.update(dict.fromkeys(texts))
        one.parsers.update(parsers)


def _from_lines(found: dict[str, Field], frame: pl.DataFrame) -> None:
    taken = {column.partition(".")[2] for column in frame.columns if column.startswith((STREAM, META))}
    for line in frame["_line"].drop_nulls().unique(maintain_order=True):
        members, parser = _read(line)
        for path, value in members:
            name = sanitize_name("_".join(path))
            if not name or not value:
                continue
            one = found.setdefault(f"{name}_extracted" if name in taken else name, Field())
            one.values.setdefault(clean(value))
            one.parsers.add(parser)
            one.path = one.path or (path if parser == "json" else ())


def _read(line: str) -> tuple[Iterable[tuple[tuple[str, ...], str]], str]:
    """Return the members of a line with their paths, and the parser that finds them."""
    if line.lstrip().startswith("{"):
        try:
            return _members(decoder().decode(line), ()), "json"
        except (ValueError, RecursionError):
            pass  # no JSON: perhaps it is logfmt
    return (((key,), value) for key, value in read_pairs(line)[0]), "logfmt"


def _members(value: object, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
    """Return the texts of a decoded object, a list of members (`json_labels.decoder`), with the path to each."""
    found: list[tuple[tuple[str, ...], str]] = []
    if not isinstance(value, list) or type(value) is list:  # a plain list is an array of the document
        return found
    for name, member in value:
        here = (*path, name.strip())
        if isinstance(member, bool):
            found.append((here, "true" if member else "false"))
        elif isinstance(member, str):
            found.append((here, member))
        else:
            found.extend(_members(member, here))
    return found


def size_text(size: int) -> str:
    """Write a number of bytes as Loki's detected fields have it: powers of 1,000, no space.

    >>> size_text(7), size_text(1_000), size_text(12_345)
    ('7B', '1.0kB', '12kB')
    """
    if size < _WHOLE:
        return f"{size}B"
    value, unit = float(size), 0
    while value >= _KILO and unit < len(_UNITS) - 1:
        value, unit = value / _KILO, unit + 1
    rounded = int(value * 10 + 0.5) / 10
    return f"{rounded:.0f}{_UNITS[unit]}" if rounded >= _WHOLE else f"{rounded:.1f}{_UNITS[unit]}"
