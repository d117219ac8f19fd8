"""The functions of an aggregation: what is kept of many rows, how two parts are added up, and what comes out.

Comes in: `sum(size)`, and rows with their groups. Goes out: *parts* of each group, one plain JSON value each, which can
be added to the parts of other rows of the same group in their order; and from parts the result. So it does not matter
in which pieces rows come. (Sums of floats may differ in their last digit by that.)

>>> function = parse("quantile(duration, 0.99)")
>>> function.kind, function.field, function.number
('quantile', 'duration', 0.99)
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tailrace.errors import did_you_mean
from tailrace.limits import TOP_VALUES
from tailrace.reduce import sketch
from tailrace.reduce.hashing import text_hashes
from tailrace.reduce.names import find, with_labels
from tailrace.reduce.rule_values import as_number, as_text
from tailrace.settings import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

OTHER: Final = "__other__"
"""Stands for all values beyond a bound."""

Key = tuple[Any, ...]  # window and the values of a group, as Polars gives them
Parts = dict[str, Any]  # `kind:field` to a part, which is whatever JSON holds

_KINDS: Final[Mapping[str, tuple[str, ...]]] = {  # the parts that a function needs
    "count": ("count",),
    "sum": ("sum",),
    "min": ("min",),
    "max": ("max",),
    "avg": ("sum", "n"),
    "first": ("first",),
    "last": ("last",),
    "distinct": ("distinct",),
    "topk": ("top",),
    "quantile": ("buckets",),
}
_TEXT: Final = re.compile(r"\s*(\w+)\s*(?:\(\s*([^(),]*?)\s*(?:,\s*([^(),]+?)\s*)?\))?\s*")
_TIMED: Final = ("first", "last")  # their parts are a time and a value
_NUMBER: Final = "\0number:"
_VALUE: Final = "\0value:"


@dataclass(frozen=True, slots=True)
class Function:
    """One function of an aggregation."""

    kind: str
    field: str
    number: float

    @property
    def parts(self) -> Sequence[tuple[str, str]]:
        """The parts that it needs: kind and field."""
        return [(part, self.field) for part in _KINDS[self.kind]]

    def result(self, parts: Parts) -> Any:  # whatever a field holds
        """Return what comes out of a group's parts."""
        first, *rest = [parts.get(f"{kind}:{field}") for kind, field in self.parts]
        match self.kind:
            case "avg":
                return None if first is None else first / rest[0]
            case "distinct":
                return sketch.distinct(first or {})
            case "topk":
                return _top(first or {}, int(self.number))
            case "quantile":
                return sketch.quantile(first or {}, self.number)
            case "first" | "last":
                return None if first is None else first[1]
        return first


def parse(text: str) -> Function:
    """Return the function that a text names; raises `Mistake`."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise Mistake(f"{text!r} is no function", "write for example count, sum(size) or quantile(duration, 0.99)")
    kind, field, number = found[1], found[2] or "", found[3]
    if kind not in _KINDS:
        raise Mistake(f"there is no function {kind!r}", did_you_mean(kind, _KINDS) or f"known: {', '.join(_KINDS)}")
    if kind == "count":
        if field or number:
            raise Mistake("count counts rows, and takes nothing", "write 'where' for the rows that count")
        return Function(kind, "", 0)
    if not field:
        raise Mistake(f"{kind} takes the name of a field", f"write {kind}(NAME)")
    return Function(kind, field, _checked(kind, number))


def _checked(kind: str, number: str | None) -> float:
    """Return the second value of a function."""
    if kind not in {"topk", "quantile"}:
        if number is not None:
            raise Mistake(f"{kind} takes one field and nothing else")
        return 0
    try:
        value = float(number or ("10" if kind == "topk" else ""))
    except ValueError:
        hint = f"write {kind}(NAME, {10 if kind == 'topk' else 0.99})"
        raise Mistake(f"{kind} takes a field and a number", hint) from None
    if kind == "quantile" and not 0 <= value <= 1:
        raise Mistake(f"a quantile is between 0 and 1, got {value:g}", f"write {value / 100:g} for {value:g} %")
    if kind == "topk" and not (value.is_integer() and 1 <= value <= TOP_VALUES):
        raise Mistake(f"topk takes a whole number from 1 to {TOP_VALUES:,}, got {value:g}")
    return value


def parts_of(frame: pl.DataFrame, by: Sequence[str], functions: Sequence[Function]) -> Iterator[tuple[Key, str, Any]]:
    """Yield the parts of each group of the rows, groups in the order of their first rows: group, part, value."""
    wanted = list(dict.fromkeys(part for function in functions for part in function.parts))
    fields = list(dict.fromkeys(field for _, field in wanted if field))
    labelled = with_labels(frame, fields)
    meanings = {field: find(field, labelled.schema) for field in fields}
    numbers = [as_number(typed).alias(f"{_NUMBER}{field}") for field, typed in meanings.items()]
    values = [typed.expr.alias(f"{_VALUE}{field}") for field, typed in meanings.items()]
    rows = labelled.with_columns(*numbers, *values)
    plain = [(kind, field) for kind, field in wanted if kind in _PLAIN]
    exprs = [_PLAIN[kind](field).alias(f"{kind}:{field}") for kind, field in plain]
    grouped = rows.group_by(by, maintain_order=True).agg(exprs)
    for row in grouped.iter_rows():
        key, cells = row[: len(by)], row[len(by) :]
        if not plain:
            yield key, "", None  # the group is there
        for (kind, field), cell in zip(plain, cells, strict=True):
            timed = kind in _TIMED and cell is not None
            yield key, f"{kind}:{field}", [cell["at"], cell["value"]] if timed else cell
    for kind, field in wanted:
        if kind not in _PLAIN:
            for key, part in _spread(kind, rows, by, field, as_text(meanings[field])):
                yield key, f"{kind}:{field}", part


_PLAIN: Final[Mapping[str, Any]] = {  # functions of the field's name to an expression
    "count": lambda _: pl.len().cast(pl.Int64),
    "n": lambda field: pl.col(f"{_NUMBER}{field}").count().cast(pl.Int64),
    "sum": lambda field: pl.when(pl.col(f"{_NUMBER}{field}").count() > 0).then(pl.col(f"{_NUMBER}{field}").sum()),
    "min": lambda field: pl.col(f"{_NUMBER}{field}").min(),
    "max": lambda field: pl.col(f"{_NUMBER}{field}").max(),
    "first": lambda field: _by_time(field).first(),
    "last": lambda field: _by_time(field).last(),
}


def _by_time(field: str) -> pl.Expr:
    """Return the values of a field with their times, in the order of event time; equal times as they were read."""
    value, at = pl.col(f"{_VALUE}{field}"), pl.col("_time_ns")
    there = value.is_not_null()
    return pl.struct(at=at, value=value).filter(there).sort_by(at.filter(there), maintain_order=True)


def _spread(
    kind: str, rows: pl.DataFrame, by: Sequence[str], field: str, text: pl.Expr
) -> Iterator[tuple[Key, dict[str, int]]]:
    """Yield parts that have one number per value, register or bucket, one such number at a time."""
    if kind == "buckets":
        table = rows.select(*by, _=sketch.bucket(pl.col(f"{_NUMBER}{field}").cast(pl.Float64)), n=1)
        count = pl.col("n").sum()
    elif kind == "distinct":
        table = rows.select(*by, _=text.cast(pl.String)).unique(maintain_order=True)
        table = table.with_columns(_hash=text_hashes(table["_"]))
        table = table.drop_nulls("_").select(*by, _=sketch.register(pl.col("_hash")), n=sketch.rank(pl.col("_hash")))
        count = pl.col("n").max()
    else:
        table = rows.select(*by, _=text.cast(pl.String), n=1)
        count = pl.col("n").sum()
    for row in table.drop_nulls("_").group_by(*by, "_", maintain_order=True).agg(count).iter_rows():
        yield row[: len(by)], {str(row[-2]): row[-1]}


def add(parts: Parts, name: str, part: Any) -> None:  # see `Parts`
    """Add a part of later rows to those of a group."""
    if part is None:
        return
    before = parts.get(name)
    kind = name.partition(":")[0]
    if isinstance(part, dict):
        mine = parts.setdefault(name, {})
        for value, number in part.items():
            _count(kind, mine, value, number)
    else:
        parts[name] = part if before is None else _SUM[kind](before, part)


_SUM: Final[Mapping[str, Any]] = {  # functions of two parts
    "count": lambda a, b: a + b,
    "n": lambda a, b: a + b,
    "sum": lambda a, b: a + b,
    "min": min,
    "max": max,
    "first": lambda a, b: b if b[0] < a[0] else a,  # time and value
    "last": lambda a, b: b if b[0] >= a[0] else a,
}


def _count(kind: str, counts: dict[str, int], value: str, number: int) -> None:
    if kind == "distinct":
        counts[value] = max(counts.get(value, 0), number)
        return
    if kind == "top" and value not in counts and len(counts) >= TOP_VALUES:
        value = OTHER
    counts[value] = counts.get(value, 0) + number


def _top(counts: Mapping[str, int], most: int) -> str:
    """Return the most frequent values with their numbers, as JSON; what was not counted by value is `__other__`."""
    rest = counts.get(OTHER, 0)
    named = [(value, number) for value, number in counts.items() if value != OTHER]
    ordered = sorted(named, key=lambda pair: (-pair[1], pair[0]))
    top = ordered[:most] + ([(OTHER, rest)] if rest else [])
    return json.dumps(top, ensure_ascii=False, separators=(",", ":"))
