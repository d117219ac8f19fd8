"""What the lines of a search have in common: values of stream labels, counted, and of fields, as a sample shows them.

Comes in: counts of sets of label values, or a sample of lines. Goes out: a `Facet` for each label or field, with its
most frequent values, how many lines have it, and of numbers how they are spread. Pure; columns, never line by line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.query.counting import LINES
from tailrace.query.detected import PARSERS, TYPES, detected_fields
from tailrace.query.result import META, PARSED
from tailrace.query.rows import ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tailrace.query.syntax import LogQuery
    from tailrace.web.explorer.search.sample import Sample

VALUES_MOST: Final = 10
BINS: Final = 20
TYPED_VALUES: Final = 50
"""Values that are looked at to tell of what type a field is that holds no plain numbers."""
LOOKED: Final = 200
"""Lines that are looked at one by one for what a parser would find."""
UNUSUAL_MOST: Final = 8
_SIGNIFICANT: Final = 5.0
"""Standard errors by which two shares must differ: of thousands of values that are compared, chance makes none."""
_LEAST_CHANGE: Final = 0.01
_FIRST: Final = ("service_name", "host")


@dataclass(frozen=True, slots=True)
class Value:
    """A value, how many lines have it, and, if there is one, its share of the lines that it is compared with."""

    text: str
    lines: int
    share: float
    before: float | None = None


@dataclass(frozen=True, slots=True)
class Numbers:
    """How the numbers of a field are spread: bins of equal width from the least up to `top`, the last one open."""

    least: float
    median: float
    most: float
    top: float
    bins: list[int]

    @property
    def boxes(self) -> list[tuple[int, float]]:
        """Where the bins that are not empty stand in a drawing of 10 by bin and 40 in height, and how high they are."""
        most = max(self.bins)
        return [(place * 10, max(1.5, round(40 * bin_ / most, 1))) for place, bin_ in enumerate(self.bins) if bin_]


@dataclass(frozen=True, slots=True)
class Facet:
    """A label or field: `having` of the `lines` that were looked at have it, with `distinct` different values."""

    name: str
    kind: str  # `stream` or `field`, as a click needs it
    type: str
    values: list[Value]
    distinct: int
    having: int
    lines: int
    numbers: Numbers | None = None

    @property
    def more(self) -> int:
        """Values that are not listed."""
        return self.distinct - len(self.values)

    @property
    def other(self) -> int:
        """Lines with one of these."""
        return self.having - sum(value.lines for value in self.values)


@dataclass(frozen=True, slots=True)
class Unusual:
    """A value that is more frequent, or less, than it was."""

    facet: Facet
    value: Value


def of_labels(counts: Mapping[str, pl.DataFrame], find: str = "") -> list[Facet]:
    """Return a facet for each stream label, of which there are counts by its values; those with several come first."""
    found = [_label(one.group_by(name).agg(pl.col(LINES).sum()), name, find) for name, one in counts.items()]
    return sorted((facet for facet in found if facet.values), key=_order)


def of_fields(sample: Sample, before: Sample | None = None, find: str = "") -> list[Facet]:
    """Return a facet for each field of the lines, the most frequent fields first."""
    columns = fields(sample.frame)
    earlier = fields(before.frame) if before is not None else {}
    found = []
    for name, column in columns.items():
        facet = _field(name, column, find)
        if facet.values:
            known = earlier.get(name, pl.Series([], dtype=pl.String))
            found.append(facet if before is None else _compared(facet, known, before.frame.height))
    return sorted(found, key=lambda facet: (-facet.having, facet.name))


def fields(frame: pl.DataFrame) -> dict[str, pl.Series]:
    """Return the columns of all fields by name; what the query parsed stands behind what was stored."""
    found: dict[str, pl.Series] = {}
    for prefix in (META, PARSED):
        for column in frame.columns:
            name = column.removeprefix(prefix)
            if column.startswith(prefix) and name not in ERRORS:
                found[name] = found[name].fill_null(frame[column]) if name in found else frame[column]
    return found


def unusual(facets: Iterable[Facet]) -> list[Unusual]:
    """Return the values whose share differs most from what it was."""
    found = [
        Unusual(facet, value)
        for facet in facets
        for value in facet.values
        if value.before is not None and abs(value.share - value.before) >= _LEAST_CHANGE
    ]
    return sorted(found, key=lambda one: -abs(one.value.share - (one.value.before or 0)))[:UNUSUAL_MOST]


def hidden(log: LogQuery, sample: Sample) -> dict[str, list[str]]:
    """Return what parsers would find in lines of which the query takes none apart: parser to names of fields."""
    found: dict[str, list[str]] = {}
    known = fields(sample.frame)
    if any(stage.keyword in PARSERS for stage in log.stages) or sample.frame.is_empty():
        return found
    for name, one in detected_fields(log, sample.frame.head(LOOKED)).items():
        if name.removesuffix("_extracted") not in known:
            for parser in one.parsers:
                found.setdefault(parser, []).append(name)
    return found


def percent(share: float) -> str:
    """Return a share for people.

    >>> percent(0.5), percent(0.034), percent(0.0004), percent(0.9999), percent(0)
    ('50 %', '3.4 %', '< 0.1 %', '> 99.9 %', '0 %')
    """
    if 0 < share < 0.001:  # noqa: PLR2004
        return "< 0.1 %"
    if 0.999 < share < 1:  # noqa: PLR2004
        return "> 99.9 %"
    return f"{100 * share:.1f}".removesuffix(".0") + " %" if share < 0.1 else f"{100 * share:.0f} %"  # noqa: PLR2004


def _order(facet: Facet) -> tuple[bool, int, str]:
    return facet.distinct == 1, _FIRST.index(facet.name) if facet.name in _FIRST else len(_FIRST), facet.name


def _label(counts: pl.DataFrame, name: str, find: str) -> Facet:
    total, held = int(counts[LINES].sum()), counts.drop_nulls(name)
    having, distinct = int(held[LINES].sum()), held.height
    values = _top(_fitting(held, name, find).sort(LINES, name, descending=[True, False]), total)
    return Facet(name, "stream", "label", values, distinct, having, total)


def _field(name: str, column: pl.Series, find: str) -> Facet:
    held = column.drop_nulls()
    held = held.filter(held != "").alias(name)
    counts = held.value_counts(name=LINES).sort(LINES, name, descending=[True, False])
    values = _top(_fitting(counts, name, find), len(column))
    numbers = held.cast(pl.Float64, strict=False)
    numeric = bool(held.len()) and not numbers.null_count() and bool(numbers.is_finite().all())
    kind = "number" if numeric else _type(counts[name].head(TYPED_VALUES).to_list())
    spread = _numbers(numbers) if numeric and counts.height > VALUES_MOST else None
    return Facet(name, "field", kind, values, counts.height, held.len(), len(column), spread)


def _fitting(counts: pl.DataFrame, name: str, find: str) -> pl.DataFrame:
    """Return the values that hold a text; all of them if the name does."""
    if not find or find.lower() in name.lower():
        return counts
    return counts.filter(pl.col(name).str.to_lowercase().str.contains(find.lower(), literal=True))


def _top(counts: pl.DataFrame, total: int) -> list[Value]:
    return [Value(text, lines, lines / max(total, 1)) for text, lines in counts.head(VALUES_MOST).iter_rows()]


def _type(values: Sequence[str]) -> str:
    return next((name for name in ("boolean", "duration", "bytes") if values and all(map(TYPES[name], values))), "text")


def _numbers(column: pl.Series) -> Numbers:
    least, most = float(column.min()), float(column.max())  # type: ignore[arg-type]  # Float64 and not empty
    top = float(column.quantile(0.99) or most)
    top = top if top > least else most
    width = (top - least) / BINS or 1.0
    places = ((column - least) / width).floor().clip(0, BINS - 1).cast(pl.Int64)
    bins = [0] * BINS
    for place, count in places.value_counts().iter_rows():
        bins[place] = count
    return Numbers(least, float(column.median()), most, top, bins)  # type: ignore[arg-type]  # as above


def _compared(facet: Facet, before: pl.Series, total: int) -> Facet:
    """Return the facet with the earlier share of each value that differs by more than chance."""
    counts = dict(before.drop_nulls().value_counts().iter_rows())
    values = []
    for value in facet.values:
        share = counts.get(value.text, 0) / max(total, 1)
        both = (value.lines + counts.get(value.text, 0)) / max(facet.lines + total, 1)
        error = sqrt(both * (1 - both) * (1 / max(facet.lines, 1) + 1 / max(total, 1)))
        differs = total > 0 and abs(value.share - share) > _SIGNIFICANT * error > 0
        values.append(replace(value, before=share) if differs else value)
    return replace(facet, values=values)
