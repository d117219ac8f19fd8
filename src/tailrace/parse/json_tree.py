"""What is known of the shape of JSON objects: the type of every key, and the column that it owns.

Comes in: parsed objects, a few, whenever a line does not fit what is known. Goes out: a Polars schema to decode
all lines with, and the columns of its leaves. The tree only grows, and types only widen (int to float,
anything mixed to text), so a reader that learned a shape once does not learn it again.

Keys that cannot own a column (limits reached, name taken, name too long) are never learned: they stay in
the lines that have them and end in `_more`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import polars as pl

from tailrace.batch import field_column, sanitize_name
from tailrace.limits import FIELD_COLUMNS, FIELD_DEPTH, FIELD_NAME_BYTES

Kind = Literal["bool", "int", "float", "string", "json", "empty"]
"""Type of a leaf; `json` are arrays and deep objects as JSON text, `empty` has only ever been `{}`."""

Path = tuple[str, ...]

_DTYPES: Final[dict[Kind, pl.DataType]] = {
    "bool": pl.Boolean(),
    "int": pl.Int64(),
    "float": pl.Float64(),
    "string": pl.String(),
    "json": pl.String(),
    "empty": pl.String(),
}
_INT64: Final = 2**63
_DOUBLE: Final = 2**53


@dataclass(slots=True)
class Leaf:
    """A key with a column."""

    path: Path
    column: str
    kind: Kind
    nested: bool = False  # has held arrays or objects, as JSON text

    @property
    def dtype(self) -> pl.DataType:
        """The column's type."""
        return _DTYPES[self.kind]


@dataclass(slots=True)
class Node:
    """An object: its keys are leaves or objects again."""

    keys: dict[str, Leaf | Node] = field(default_factory=dict)
    pinned: bool = False  # stays an object, whatever else a record has under its name

    def schema(self) -> dict[str, pl.DataType]:
        """Return the schema that decodes an object of this shape."""
        return {
            key: child.dtype if isinstance(child, Leaf) else pl.Struct(child.schema())
            for key, child in self.keys.items()
        }


class Tree:
    """Everything learned about the objects of one reader; no more than `room` keys get a column."""

    def __init__(self) -> None:
        self.root = Node()
        self.room = FIELD_COLUMNS
        self._owners: dict[str, Path] = {}

    def leaves(self) -> list[Leaf]:
        """Return the leaves in the order of decoding."""
        return list(_leaves(self.root))

    def narrow(self, room: int) -> bool:
        """Set how many keys may have a column; tell whether those that have one already are more, and may be fewer."""
        self.room = room
        return len(self._owners) > room and not self.root.pinned

    def pin(self, record: dict[str, object]) -> None:
        """Make room for a record whose objects stay objects: no later record takes their columns away."""
        self.learn(record)
        _pin(self.root)

    def learn(self, record: dict[str, object]) -> bool:
        """Make room for a record; tell whether that changed anything."""
        return self._learn_object(self.root, record, ())

    def _learn_object(self, node: Node, record: dict[str, object], path: Path) -> bool:
        changed = False
        for key, value in record.items():
            if value is not None:
                changed |= self._learn_key(node, key, value, (*path, key))
        return changed

    def _learn_key(self, node: Node, key: str, value: object, path: Path) -> bool:
        known = node.keys.get(key)
        if isinstance(value, dict) and value and len(path) < FIELD_DEPTH:
            return self._learn_nested(node, key, value, path)
        if known is None:
            return self._add_leaf(node, key, value, path)
        if isinstance(known, Leaf):
            return _widen_leaf(known, value)
        return value != {} and self._flatten_no_more(node, key, path)

    def _learn_nested(self, node: Node, key: str, value: dict[str, object], path: Path) -> bool:
        known = node.keys.get(key)
        if isinstance(known, Node):
            return self._learn_object(known, value, path)
        if known is not None and known.kind != "empty":
            return _widen_leaf(known, value)
        if known is not None:  # only `{}` so far: from now on its members are flattened
            del node.keys[key], self._owners[known.column]
        child = Node()
        if self._learn_object(child, value, path):
            node.keys[key] = child
        return known is not None or key in node.keys

    def _flatten_no_more(self, node: Node, key: str, path: Path) -> bool:
        """Keep a key that is an object here and something else there as text; its columns are given up."""
        column = column_of(path)
        child = node.keys[key]
        if column is None or self._owners.get(column, path) != path or (isinstance(child, Node) and child.pinned):
            return False
        for leaf in _leaves(child):
            del self._owners[leaf.column]
        self._owners[column] = path
        node.keys[key] = Leaf(path, column, "string", nested=True)
        return True

    def _add_leaf(self, node: Node, key: str, value: object, path: Path) -> bool:
        column = column_of(path)
        if column is None or column in self._owners or len(self._owners) >= self.room or not encodable(key):
            return False
        self._owners[column] = path
        node.keys[key] = Leaf(path, column, kind_of(value), isinstance(value, list | dict))
        return True


def _pin(node: Node) -> None:
    node.pinned = True
    for child in node.keys.values():
        if isinstance(child, Node):
            _pin(child)


def column_of(path: Path) -> str | None:
    """Return the column that a path would own, or None if its name is no name."""
    name = sanitize_name("_".join(path))
    return field_column(name) if 0 < len(name.encode()) <= FIELD_NAME_BYTES and name.strip("_") else None


def encodable(text: str) -> bool:
    """Tell whether a text is valid Unicode; JSON can escape half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def kind_of(value: object) -> Kind:
    """Return the narrowest kind that holds a value exactly."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -_INT64 <= value < _INT64 else "string"
    if isinstance(value, float):
        return "float"
    if isinstance(value, dict):
        return "json" if value else "empty"
    return "json" if isinstance(value, list) else "string"


def fits(kind: Kind, value: object) -> bool:
    """Tell whether a column of a kind holds a value exactly."""
    return _widen(kind, value) == kind


def _widen_leaf(leaf: Leaf, value: object) -> bool:
    before = (leaf.kind, leaf.nested)
    leaf.kind = _widen(leaf.kind, value)
    leaf.nested |= isinstance(value, list | dict)
    return before != (leaf.kind, leaf.nested)


def _widen(kind: Kind, value: object) -> Kind:
    new = kind_of(value)
    if kind in ("string", new):
        return kind
    if kind == "int" and new == "float":
        return "float"  # ints that were stored before have their own column, exact
    if kind == "float" and new == "int":
        return "float" if isinstance(value, int) and abs(value) <= _DOUBLE else "string"
    if {kind, new} == {"json", "empty"}:
        return "json"
    return "string"


def _leaves(node: Leaf | Node) -> list[Leaf]:
    if isinstance(node, Leaf):
        return [node]
    return [leaf for child in node.keys.values() for leaf in _leaves(child)]
