r"""Lines of JSON that look alike, read by expressions instead of one by one.

Programs write the same members in the same order, some only at times. A few lines of a piece teach a `Shape`: the
members in order, those that are not in every line as optional. One expression tells which lines are valid JSON of that
shape; in such a line `"key":` can stand nowhere but at the member (a quote within a text is escaped), so a second
expression per label that is wanted finds its value as it is written. Nothing is lost or guessed: lines that do not
fit (other members or order, equal keys, escapes in keys, arrays of objects, damage) are left to the exact reader.

Rejected: one expression with a group per member. With optional members the engine cannot know where it is from the next
byte alone, and takes ten times as long.

>>> found, fits = read(pl.Series(['{"a": 1e3, "b": {"c": "y"}}', "oops", '{"a": 2}']), {"a", "b_c"}.__contains__)
>>> found.to_dicts(), fits.to_list()
([{'a': '1e3', 'b_c': 'y'}, {'a': None, 'b_c': None}, {'a': '2', 'b_c': None}], [True, False, True])
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import sanitize_name
from tailrace.query import values
from tailrace.query.json_labels import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

STRING: Final = r'"(?:[^"\\]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"'
_SPACE: Final = r"[ \t\n\r]*"
_NUMBER: Final = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_VALUE: Final = f"{STRING}|{_NUMBER}|true|false"
_ARRAY: Final = rf"\[{_SPACE}(?:(?:{_VALUE}|null){_SPACE}(?:,{_SPACE}(?:{_VALUE}|null){_SPACE})*)?\]"
_KEY: Final = re.compile(r'[^"\\\x00-\x1f]+')
_MEMBERS: Final = 64  # of a shape; the expression of a larger one costs more than it saves
_SAMPLE: Final = 256  # lines that teach a shape
_SHAPES: Final = 4  # learned one after the other, from the lines that are left
_SHARE: Final = 0.05  # of the lines that a shape must fit for the next one to be tried


@dataclass(frozen=True, slots=True)
class Shape:
    """The members of an object in order; per key the shape of its value, if that is an object at times."""

    members: Mapping[str, Shape | None]
    optional: frozenset[str]

    @property
    def size(self) -> int:
        """The number of members, those within included."""
        return sum(1 + (child.size if child else 0) for child in self.members.values())

    @property
    def anchored(self) -> bool:
        """Whether the first member is in every line: else an expression cannot say where commas stand."""
        first = next(iter(self.members), None)
        return first not in self.optional and all(child.anchored for child in self.members.values() if child)

    def holds(self, path: Sequence[str | int]) -> bool | None:
        """Tell whether members of these keys hold a plain value in some lines; None if it may be an object."""
        inner: Shape | None = self
        for place, key in enumerate(path):
            if inner is None or key not in inner.members:
                return False
            inner = inner.members[str(key)]
            if place == len(path) - 1:
                return None if inner else True
        return None

    def leaves(self, prefix: str = "") -> Iterator[tuple[str, str]]:
        """Yield the label and the key of each member."""
        for key, child in self.members.items():
            yield sanitize_name(prefix + key), key
            if child:
                yield from child.leaves(prefix + key.strip() + "_")

    def pattern(self) -> str:
        """Return the expression of an object."""
        pieces = []
        for place, (key, child) in enumerate(self.members.items()):
            inner = f"|{child.pattern()}" if child else ""
            member = rf'"{re.escape(key)}"{_SPACE}:{_SPACE}(?:{_VALUE}|null|{_ARRAY}{inner}){_SPACE}'
            member = f",{_SPACE}{member}" if place else member
            pieces.append(f"(?:{member})?" if key in self.optional else member)
        return rf"\{{{_SPACE}{''.join(pieces)}\}}"


class _Object(list[tuple[str, object]]):
    """The members of an object, in order."""


def learn(lines: Sequence[str]) -> Shape | None:
    """Return a shape that fits most of some lines, None if there is none."""
    objects = [found for line in lines if (found := _object(line)) is not None]
    if not objects:
        return None
    shape = _merged(objects)
    if shape is None or not shape.anchored:
        common = Counter(tuple(key for key, _ in found) for found in objects).most_common(1)[0][0]
        shape = _merged([found for found in objects if tuple(key for key, _ in found) == common])
    return shape if shape and shape.anchored and 0 < shape.size <= _MEMBERS else None


def _object(line: str) -> _Object | None:
    try:
        value = json.loads(line, object_pairs_hook=_Object, strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, _Object) else None


def _merged(objects: Sequence[_Object]) -> Shape | None:
    """Return the shape of some objects; None if they order their members differently, or name two alike."""
    graph: TopologicalSorter[str] = TopologicalSorter()
    inner: dict[str, list[_Object]] = {}
    seen: Counter[str] = Counter()
    for found in objects:
        keys = [key for key, _ in found]
        if len(set(keys)) < len(keys) or not all(_KEY.fullmatch(key) for key in keys):
            return None
        seen.update(keys)
        for key, value in found:
            graph.add(key)
            if isinstance(value, _Object):
                inner.setdefault(key, []).append(value)
        for before, after in pairwise(keys):
            graph.add(after, before)
    try:
        order = list(graph.static_order())
    except CycleError:
        return None
    children = {key: _merged(found) for key, found in inner.items()}
    if None in children.values():
        return None
    optional = frozenset(key for key, count in seen.items() if count < len(objects))
    return Shape({key: children.get(key) for key in order}, optional)


def read(lines: pl.Series, wanted: Callable[[str], bool]) -> tuple[pl.DataFrame, pl.Series]:
    """Return a column per wanted label, and which lines were read; null lines are not."""
    fits = lines.is_null() & lines.is_not_null()
    left = pl.DataFrame({"row": pl.int_range(len(lines), dtype=pl.UInt32, eager=True), "line": lines}).drop_nulls()
    pieces: list[pl.DataFrame] = []
    for _ in range(_SHAPES):
        shape = learn(left["line"].gather_every(max(1, left.height // _SAMPLE)).to_list())
        if shape is None:
            break
        hits = each(left["line"], [pl.col("line").str.contains(f"^{_SPACE}{shape.pattern()}{_SPACE}$")]).to_series()
        good = left.filter(hits)
        found = _columns(good["line"], shape, wanted)
        if found is None or good.height < _SHARE * left.height:
            break
        pieces.append(found.insert_column(0, good["row"].alias("\0row")))
        left = left.filter(~hits)
        if left.is_empty():
            break
    if not pieces:
        return pl.DataFrame(), fits
    done = pl.concat(pieces, how="diagonal")
    fits = fits.scatter(done["\0row"], values=True)
    if done.height == len(lines):
        return done.sort("\0row").drop("\0row"), fits
    rows = pl.DataFrame({"\0row": pl.int_range(len(lines), dtype=pl.UInt32, eager=True)})
    return rows.join(done, on="\0row", how="left", maintain_order="left").drop("\0row"), fits


def read_value(lines: pl.Series, path: Sequence[str | int]) -> tuple[pl.Series, pl.Series]:
    """Return the value at a path of keys, as `json_paths.find` does, and which lines were read; null lines are not."""
    unread = lines.is_null() & lines.is_not_null()
    nothing = lines.clear(1).new_from_index(0, len(lines))
    shape = learn(lines.drop_nulls().gather_every(max(1, len(lines) // _SAMPLE)).to_list())
    key = path[-1] if path else None
    if shape is None or not isinstance(key, str) or sum(key == other for _, other in shape.leaves()) > 1:
        return nothing, unread
    fits = pl.col("line").str.contains(f"^{_SPACE}{shape.pattern()}{_SPACE}$").fill_null(value=False)
    there = shape.holds(path)
    if there is None:
        return nothing, unread
    if not there:
        return nothing, each(lines, [fits]).to_series()
    pattern = rf'"{re.escape(key)}"{_SPACE}:{_SPACE}({_VALUE}|null|\[)'
    found = extracted(lines, {"value": pattern}, [fits.alias("fits")])
    plain = (found["value"] != "[").fill_null(value=True)  # an array, or a text that is just that: the exact reader's
    # `null` as a value is empty; as a text it cannot be told from that here
    return found["value"], found["fits"] & plain & (found["value"] != "null").fill_null(value=True)


def _columns(lines: pl.Series, shape: Shape, wanted: Callable[[str], bool]) -> pl.DataFrame | None:
    """Return the wanted labels of lines of a shape; None if a label or key stands for several members."""
    leaves = [(name, key) for name, key in shape.leaves() if name]
    labels, keys = Counter(name for name, _ in leaves), Counter(key for _, key in leaves)
    chosen = {name: key for name, key in leaves if wanted(name)}
    if any(labels[name] > 1 or keys[key] > 1 for name, key in chosen.items()):
        return None
    if not chosen:
        return pl.DataFrame(height=len(lines))
    return extracted(lines, {name: rf'"{re.escape(key)}"{_SPACE}:{_SPACE}({_VALUE})' for name, key in chosen.items()})


def extracted(lines: pl.Series, patterns: Mapping[str, str], others: Sequence[pl.Expr] = ()) -> pl.DataFrame:
    """Return what the first group of each pattern holds, texts without their quotes and with their escapes read.

    `others` are further expressions on the column `line`, to be run together with these.
    """
    values_of = {name: pl.col("line").str.extract(pattern) for name, pattern in patterns.items()}
    plain = [value.str.strip_prefix('"').str.strip_suffix('"').alias(name) for name, value in values_of.items()]
    odd = [value.str.contains("[\\\\\ufffd]").alias(f"\0odd {name}") for name, value in values_of.items()]
    found = each(lines, [*plain, *odd, *others])
    for name, pattern in patterns.items():
        escaped = found[f"\0odd {name}"]
        if escaped.any():
            values_here = lines.filter(escaped).str.extract(pattern).to_frame("odd")
            exact = values_here.select(values.per_distinct(pl.col("odd"), _text, pl.String()))["odd"]
            found = found.with_columns(found[name].scatter(escaped.arg_true(), exact).alias(name))
    return found.drop(f"\0odd {name}" for name in patterns)


def each(lines: pl.Series, expressions: Sequence[pl.Expr]) -> pl.DataFrame:
    """Run expressions on the column `line` on all cores: on a series alone they would take one."""
    return lines.to_frame("line").lazy().select(expressions).collect(engine="streaming")


def _text(value: str) -> str:
    return clean(str(json.loads(value, strict=False)) if value.startswith('"') else value)  # a bare one has no escapes
