"""The log records of one request in columns, whatever they were written in; `from_protobuf` and `from_json` make them.

Pure data: nothing here decides what becomes a label, a field or a line; `rows` does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import polars as pl

from tailrace.limits import FIELD_DEPTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Scalar: TypeAlias = "str | int | float | bool"
Attributes: TypeAlias = "tuple[tuple[str, Scalar], ...]"

RECORD: Final[Mapping[str, pl.DataType]] = {
    "time": pl.UInt64(),
    "observed": pl.UInt64(),
    "severity": pl.Int64(),
    "severity_text": pl.String(),
    "flags": pl.Int64(),
    "dropped": pl.Int64(),
    "trace": pl.String(),
    "span": pl.String(),
    "event": pl.String(),
    "line": pl.String(),
    "raw": pl.Binary(),
}
"""Columns of `Records.frame`: what a record has beside attributes. Zero and the empty text mean that it is not there;
`trace` and `span` are hexadecimal, `raw` is a body that is no UTF-8, else null."""

KINDS: Final[tuple[pl.DataType, ...]] = (pl.String(), pl.Int64(), pl.Float64(), pl.Boolean())
"""Types of attributes."""


@dataclass(frozen=True, slots=True)
class Group:
    """What the records of one scope of one resource share; attributes are flat, names as they came."""

    resource: Attributes
    scope: Attributes


@dataclass(frozen=True, slots=True)
class Records:
    """One request. `groups[i]` has the next `counts[i]` rows of `frame`.

    `attributes` has at most one frame for each of `KINDS`: `row`, `name`, `value`, in the order of the records.
    """

    groups: Sequence[Group]
    counts: Sequence[int]
    frame: pl.DataFrame
    attributes: Sequence[pl.DataFrame]


class Pairs:
    """Attributes that are read one at a time, gathered by their type."""

    def __init__(self) -> None:
        self._of: dict[type, tuple[list[int], list[str], list[Scalar]]] = {}

    def add(self, row: int, name: str, value: object) -> None:
        """Take the attribute of a record, whatever it is; maps become several."""
        for full, scalar in flat(name, value):
            rows, names, values = self._of.setdefault(type(scalar), ([], [], []))
            rows.append(row)
            names.append(full)
            values.append(scalar)

    def frames(self) -> list[pl.DataFrame]:
        """Return them, one frame for each type."""
        kinds = {str: pl.String(), int: pl.Int64(), float: pl.Float64(), bool: pl.Boolean()}
        return [
            pl.DataFrame(
                [
                    pl.Series("row", rows, dtype=pl.UInt32),
                    pl.Series("name", names, dtype=pl.String),
                    pl.Series("value", values, dtype=kinds[kind]),
                ]
            )
            for kind, (rows, names, values) in self._of.items()
        ]


def flat(name: str, value: object, depth: int = 1) -> Iterator[tuple[str, Scalar]]:
    """Yield an attribute as scalars: the members of a map under their names behind its own, arrays as JSON text.

    >>> list(flat("a", {"b": 1, "c": [True, "x"], "d": None}))
    [('a.b', 1), ('a.c', '[true,"x"]')]
    """
    if isinstance(value, dict) and value and depth < FIELD_DEPTH:
        for key, inner in value.items():
            yield from flat(f"{name}.{key}", inner, depth + 1)
    elif isinstance(value, bool | int | float | str):
        yield name, value
    elif value is not None:
        yield name, as_text(value)


def as_text(value: Any) -> str:  # Any: a value of any kind, as JSON has them
    """Return a body as a line: texts as they are, numbers in digits, all else as JSON.

    >>> as_text("x"), as_text(True), as_text({"a": 1.5}), as_text(None)
    ('x', 'true', '{"a":1.5}', '')
    """
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
