"""What the query box offers at the cursor: labels and values with counts, fields with types, stages, functions, ranges.

Comes in: a `Spot` and the range of the search. Goes out: `Offers`. Labels and their counts are read from what the table
knows of its streams, fields from its columns; how often fields occur, and their values, from a sample: the newest lines
that the query to the left of the cursor finds. No count pretends to be what it is not: see `Offers`.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl

from tailrace.contracts import CONFINED
from tailrace.errors import QueryError, TailraceError
from tailrace.query.afresh import afresh
from tailrace.query.lexer import quote
from tailrace.query.load import Fields
from tailrace.query.parser import parse_selector
from tailrace.query.result import META, PARSED, STREAM, Lines
from tailrace.query.rows import ERRORS
from tailrace.query.run import Request, run
from tailrace.query.streams import select
from tailrace.web.explorer.search.box.sugar_terms import LEVEL, LEVEL_KEY, literal
from tailrace.web.explorer.texts import query as texts
from tailrace.web.explorer.texts.search import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tailrace.web.explorer.search.box.spot import Spot
    from tailrace.web.services import Services

MOST: Final = 50
SAMPLE_LINES: Final = 500
SAMPLE_S: Final = 0.06
WIDEST_S: Final = 0.5
"""How long a sample may take before a wider one is taken, and how long the widest may."""

_Key: TypeAlias = tuple[int, str, int, int]
"""Of a sample: version of the table, query, range in tens of seconds."""

_SAMPLES: Final = 64
_VALUES: Final = 1_000  # distinct values of a label that are counted for the list, most frequent first
_BARE: Final = re.compile(r"[^\s\",*]+")
_TYPES: Final = {"String": "text", "Int64": "number", "Float64": "number", "Boolean": "true or false"}


@dataclass(frozen=True, slots=True)
class Offer:
    """One suggestion: what it puts in, and what the list says of it."""

    insert: str
    name: str
    kind: str = ""
    count: int | None = None
    back: int = 0  # by how much the cursor stands before the end of what is put in


@dataclass(frozen=True, slots=True)
class Offers:
    """The suggestions, those that fit best first.

    Counts are of all lines of the range; with `at_most` some of its segments lie in it by a part only, and are counted
    whole; with `sampled` they are of so many newest lines, with `wide` of some too that the query does not find.
    """

    offers: tuple[Offer, ...] = ()
    more: int = 0
    at_most: bool = False
    sampled: int = 0
    wide: bool = False


@dataclass(frozen=True, slots=True)
class _Sample:
    lines: int = 0
    wide: bool = False
    fields: Mapping[str, int] = field(default_factory=dict)
    frame: pl.DataFrame = field(default_factory=pl.DataFrame)


class Completion:
    """Answers what can stand at a place; remembers samples. Any thread may call."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._samples: OrderedDict[_Key, _Sample] = OrderedDict()
        self._lock = Lock()

    def offers(self, text: str, spot: Spot, start_ns: int, end_ns: int) -> Offers:
        """Return what could stand at the spot of a text, in lines of the range."""
        asked = _Asked(text, spot, start_ns, end_ns)
        match spot.kind:
            case "start":
                found = Offers(tuple(_functions()))
            case "label":
                found = self._labels(asked)
            case "value" | "key-value":
                found = self._values(asked)
            case "stage":
                found = self._stages(asked)
            case "field":
                found = self._fields(asked, after="")
            case "duration":
                found = Offers(tuple(Offer(one, one, said) for one, said in texts.DURATIONS.items()))
            case "word":
                found = self._words(asked)
            case _:
                found = Offers()
        return _fitting(found, spot.typed)

    # --- streams ------------------------------------------------------------------------------------

    def _streams(self, asked: _Asked) -> tuple[pl.DataFrame, bool]:
        """Return the streams of the range with their labels and `rows`, and whether these are exact."""
        start_ns, end_ns = asked.start_ns, asked.end_ns
        held = afresh(lambda: self._services.table.snapshot().segments(start_ns, end_ns).streams())
        held = held.filter((pl.col("max_time_ns") >= start_ns) & (pl.col("min_time_ns") < end_ns))
        exact = held.filter((pl.col("min_time_ns") < start_ns) | (pl.col("max_time_ns") >= end_ns)).is_empty()
        rows = held.group_by("_stream").agg(pl.col("rows").sum())
        chosen = select(rows["_stream"].to_list(), parse_selector(_selector(asked.spot.selector)))
        return chosen.join(rows, on="_stream"), exact

    def _labels(self, asked: _Asked) -> Offers:
        streams, _ = self._streams(asked)
        follows = asked.text[asked.spot.end :].lstrip()[:1]
        after = "" if follows in {"=", "!"} and follows else '="'
        return Offers(tuple(_label_offers(streams, after)))

    def _values(self, asked: _Asked) -> Offers:
        spot = asked.spot
        streams, exact = self._streams(asked)
        column = STREAM + spot.name
        if column in streams.columns:
            counted = streams.filter(pl.col(column).is_not_null()).group_by(column).agg(pl.col("rows").sum())
            counted = counted.sort(["rows", column], descending=[True, False])
            rows = [(value, count) for value, count in counted.iter_rows() if value]
            return Offers(tuple(_value_offers(rows, spot)), at_most=not exact)
        sample = self._sample(asked)
        name = LEVEL if spot.kind == "key-value" and spot.name == LEVEL_KEY else spot.name
        return Offers(tuple(_value_offers(_sampled_values(sample, name), spot)), sampled=sample.lines, wide=sample.wide)

    # --- fields -------------------------------------------------------------------------------------

    def _fields(self, asked: _Asked, after: str) -> Offers:
        streams, _ = self._streams(replace(asked, spot=replace(asked.spot, selector="")))
        sample = self._sample(asked)
        known = self._columns()
        offers = [
            Offer(name + after, name, known.get(name, texts.FIELD), count)
            for name, count in sorted(sample.fields.items(), key=lambda one: (-one[1], one[0]))
        ]
        offers += _label_offers(streams, after)
        offers += [Offer(name + after, name, kind) for name, kind in known.items() if name not in sample.fields]
        return Offers(tuple(_once(offers)), sampled=sample.lines, wide=sample.wide)

    def _stages(self, asked: _Asked) -> Offers:
        if not asked.text[: asked.spot.start].rstrip().endswith("|"):
            operators = (
                Offer(insert, insert.removesuffix('""').strip(), said, back=1 if insert.endswith('"') else 0)
                for insert, said in texts.OPERATORS.items()
            )
            return Offers(tuple(operators))
        stages = (Offer(_stage_text(name), name, said) for name, said in texts.STAGES.items() if name != "unwrap")
        fields = self._fields(asked, after="")
        return Offers((*stages, *fields.offers), sampled=fields.sampled, wide=fields.wide)

    def _words(self, asked: _Asked) -> Offers:
        fields = self._fields(asked, after=":")
        level = Offer(f"{LEVEL_KEY}:", LEVEL_KEY, texts.LEVEL)
        offers = [level, *(one for one in fields.offers if one.name not in {LEVEL, LEVEL_KEY})]
        if asked.spot.start == 0 and asked.spot.typed:
            offers += _functions()
        return replace(fields, offers=tuple(offers))

    def _columns(self) -> dict[str, str]:
        """Return the fields that have columns, with their types; a tenant is not told of those of others."""
        if self._services.engine.name == CONFINED:
            return {}
        fields = Fields.of(self._services.table.snapshot())
        kinds = {
            name: {_TYPES.get(str(dtype), "text") for dtype in fields.typed(name).values()} for name in fields.columns
        }
        return {name: " or ".join(sorted(kinds[name])) for name in sorted(kinds)}

    def _sample(self, asked: _Asked) -> _Sample:
        """Return the newest lines that the query to the left finds; if that takes too long, those of its streams."""
        failed: list[_Key] = []
        found = _Sample()
        for query in filter(None, dict.fromkeys((asked.spot.log, asked.spot.selector, EVERYTHING))):
            key = (self._services.table.snapshot().version, query, asked.start_ns // 10**10, asked.end_ns // 10**10)
            try:
                found = self._kept(key, partial(self._read, query, asked))
                break
            except TailraceError:  # the query is not finished, or slow: a wider one is known to be quick
                failed.append(key)
        wide = replace(found, wide=bool(failed) or found.wide)
        for key in failed:  # not tried again with every letter
            self._keep(key, wide)
        return wide

    def _read(self, query: str, asked: _Asked) -> _Sample:
        limit_s = WIDEST_S if query == EVERYTHING else SAMPLE_S
        request = Request(query, asked.start_ns, asked.end_ns, None, SAMPLE_LINES, timeout_s=limit_s)
        answer = run(request, self._services.table, self._services.engine)
        if not isinstance(answer, Lines):
            raise QueryError("a metric query has no fields")
        frame = (
            answer.frame.rename({"_level": META + LEVEL}) if META + LEVEL not in answer.frame.columns else answer.frame
        )
        columns = [name for name in frame.columns if name.startswith((META, PARSED)) and _bare_name(name) not in ERRORS]
        counts = {_bare_name(name): frame.height - frame[name].null_count() for name in columns}
        return _Sample(
            frame.height, fields={name: count for name, count in counts.items() if count}, frame=frame.select(columns)
        )

    def _kept(self, key: _Key, read: Callable[[], _Sample]) -> _Sample:
        with self._lock:
            if key in self._samples:
                self._samples.move_to_end(key)
                return self._samples[key]
        found = read()
        self._keep(key, found)
        return found

    def _keep(self, key: _Key, found: _Sample) -> None:
        with self._lock:
            self._samples[key] = found
            while len(self._samples) > _SAMPLES:
                self._samples.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Asked:
    text: str
    spot: Spot
    start_ns: int
    end_ns: int


def _selector(text: str) -> str:
    """Return the selector if it can be read so far; else one that every stream passes."""
    try:
        parse_selector(text or "{}")
    except QueryError:
        return "{}"
    return text or "{}"


def _bare_name(column: str) -> str:
    return column.partition(".")[2]


def _functions() -> Iterable[Offer]:
    yield Offer("{", "{", texts.SELECT)
    for name, said in texts.FUNCTIONS.items():
        yield Offer(f"{name}(", name, said)


def _stage_text(name: str) -> str:
    return {"regexp": "regexp `", "pattern": "pattern `", "line_format": 'line_format "'}.get(name, name)


def _label_offers(streams: pl.DataFrame, after: str) -> Iterable[Offer]:
    for column in streams.columns:
        if column.startswith(STREAM):
            name, values = column.removeprefix(STREAM), streams[column].drop_nulls().n_unique()
            said = texts.ONE_VALUE if values == 1 else texts.VALUES.format(count=f"{values:,}")
            yield Offer(name + after, name, f"{texts.LABEL_OF_STREAM}, {said}")


def _value_offers(counted: Iterable[tuple[str, int]], spot: Spot) -> Iterable[Offer]:
    for value, count in counted:
        yield Offer(_written(value, spot), value, "", count)


def _written(value: str, spot: Spot) -> str:
    """Return a value as it must stand at the spot."""
    if spot.kind == "key-value":
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return value if _BARE.fullmatch(value) else f'"{escaped}"'
    return quote(literal(value) if spot.op in {"=~", "!~"} else value)


def _sampled_values(sample: _Sample, name: str) -> list[tuple[str, int]]:
    column = next((column for column in sample.frame.columns if _bare_name(column) == name), None)
    if column is None:
        return []
    values = sample.frame[column].drop_nulls().alias("value")
    counted = values.value_counts().sort(["count", "value"], descending=[True, False]).head(_VALUES)
    return [(value, count) for value, count in counted.iter_rows() if value]


def _once(offers: Iterable[Offer]) -> Iterable[Offer]:
    known: dict[str, Offer] = {}
    for offer in offers:
        known.setdefault(offer.name, offer)
    return known.values()


def _fitting(found: Offers, typed: str) -> Offers:
    """Keep what begins with the typed text, then what has it somewhere; nothing that is typed in full already."""
    wanted = typed.lower()
    first = [offer for offer in found.offers if offer.name.lower().startswith(wanted)]
    then = [offer for offer in found.offers if wanted in offer.name.lower()[1:] and offer not in first]
    offers = [*first, *then]
    return replace(found, offers=tuple(offers[:MOST]), more=max(0, len(offers) - MOST))
