"""The exact way to read a JSON object: one line at a time, for the few lines that the fast way cannot prove.

Comes in: texts and a `Tree`. Goes out: the value of each leaf, the members that have no column as the JSON
text `_more`, and whether the text was an object at all. Costs some 10 µs a line, and is asked only for lines with
duplicate keys, half surrogate pairs, spaces before colons, keys without a column, or faults.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from tailrace.batch import sanitize_name
from tailrace.limits import FIELD_DEPTH
from tailrace.parse.json_tree import Leaf, Node, fits

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from tailrace.parse.json_tree import Path, Tree


@dataclass(slots=True)
class Repeated:
    """A member that came again under the same name in the same object."""

    key: str
    value: object


class Number(str):
    """A number that neither int64 nor float64 holds; kept as written."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Exact:
    """Lines as read one at a time: columns of leaves, `_more`, and which were objects."""

    columns: pl.DataFrame
    more: pl.Series
    is_object: pl.Series


def load(text: str) -> dict[str, object] | None:
    """Return the object that a text is, or None. A key that comes again is `key#2`, …, holding `Repeated`."""
    try:
        value = json.loads(
            text, object_pairs_hook=_pairs, parse_int=_integer, parse_float=_real, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read(texts: Iterable[str], tree: Tree) -> Exact:
    """Return the lines as columns of the tree's leaves; what has no column goes to `more`."""
    leaves = tree.leaves()
    rows: list[dict[str, object]] = []
    mores: list[str | None] = []
    objects: list[bool] = []
    for text in texts:
        record = load(text)
        placed = _Placed()
        if record is not None:
            _place(record, tree.root, (), placed)
        rows.append(placed.row)
        mores.append(_text(placed.more) if placed.more else None)
        objects.append(record is not None)
    columns = [pl.Series(leaf.column, [row.get(leaf.column) for row in rows], dtype=leaf.dtype) for leaf in leaves]
    frame = pl.DataFrame(columns) if columns else pl.DataFrame(height=len(rows))
    return Exact(frame, pl.Series("_more", mores, dtype=pl.String), pl.Series(objects, dtype=pl.Boolean))


def plain(record: dict[str, object]) -> dict[str, object]:
    """Return the record without the members that came twice, to learn from."""
    return {
        key: plain(value) if isinstance(value, dict) else value
        for key, value in record.items()
        if not isinstance(value, Repeated)
    }


@dataclass(slots=True)
class _Placed:
    """The members of one record: those that have a column, and the others."""

    row: dict[str, object] = field(default_factory=dict)
    more: dict[str, object] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)  # the last one behind each name in `more`


def _place(record: dict[str, object], node: Node, path: Path, placed: _Placed) -> None:
    """Put the members of an object where they belong."""
    row = placed.row
    for key, value in record.items():
        if value is None:
            continue
        here = (*path, key)
        child = node.keys.get(key)
        if isinstance(value, Repeated):
            _keep(placed, (*path, value.key), value.value)
        elif isinstance(child, Leaf):
            if child.dtype == pl.String:
                row[child.column] = _clean(value if type(value) is str else _text(value))
            elif fits(child.kind, value):
                row[child.column] = value
            else:
                _keep(placed, here, value)
        elif isinstance(value, dict) and value and len(here) < FIELD_DEPTH:
            _place(value, child if isinstance(child, Node) else Node(), here, placed)
        else:
            _keep(placed, here, value)


def _keep(placed: _Placed, path: Path, value: object) -> None:
    """Add a member to `more` under its flattened name, or its dotted one, or a numbered one."""
    names: Sequence[str] = (sanitize_name("_".join(path)), ".".join(path))
    name = next((name for name in names if name and name not in placed.more), "")
    placed.more[name or _numbered(names[1], placed.more, placed.numbers)] = value


def _numbered(name: str, taken: Container[str], numbers: dict[str, int]) -> str:
    """Return a name with a number behind it that is free; what was tried is not tried again."""
    number = numbers.get(name, 1) + 1
    while f"{name}#{number}" in taken:
        number += 1
    numbers[name] = number
    return f"{name}#{number}"


def _text(value: object) -> str:
    """Return JSON text; numbers that were kept as written stay as written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Repeated):
        return _text(value.value)
    return _clean(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_default))


def _default(value: object) -> object:
    """Return what stands for a value that `json` does not know."""
    return value.value if isinstance(value, Repeated) else str(value)


def _clean(text: str) -> str:
    r"""Return valid Unicode: half a surrogate pair stays readable as `\ud800`."""
    return text.encode(errors="backslashreplace").decode()


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record: dict[str, object] = {}
    numbers: dict[str, int] = {}
    for key, value in pairs:
        if key in record:
            record[_numbered(key, record, numbers)] = Repeated(key, value)
        else:
            record[key] = value
    return record


def _integer(digits: str) -> int | Number:
    return int(digits) if len(digits) <= 20 else Number(digits)  # noqa: PLR2004  int64 has at most 19 digits and a sign


def _real(digits: str) -> float | Number:
    value = float(digits)
    return Number(digits) if value in (float("inf"), float("-inf")) else value


def _no_constant(name: str) -> object:
    raise ValueError(name)
