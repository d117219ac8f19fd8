"""Where records begin: from the lines of streams to one flag per line.

Comes in: lines of some streams, those of a stream beside each other, and what was remembered of each stream's open
record. Goes out: which lines go on with the record before, in which streams the last record is closed for sure, and
what to remember of the others. Everything is done on columns; the cost is a pattern per class of lines.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse.multiline.presets import AUTO, CONTINUES, SHAPES, pattern_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.contracts import Multiline
    from tailrace.parse.multiline.presets import Shape

_RUNS: Final = re.compile(r"(.)\1+", re.DOTALL)
_OTHER: Final = "O"


@dataclass(frozen=True, slots=True)
class Borders:
    """One flag per line, and per stream: whether its last record is closed, and what to remember of it."""

    joins: pl.Series
    closed: Mapping[int, bool]
    notes: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """A way to find records, made ready: a pattern of lines that go on, and shapes by name."""

    continues: str
    negate: bool
    shapes: Mapping[str, Shape]


@lru_cache(maxsize=1024)
def rule_of(multiline: Multiline) -> Rule:
    """Return the rule that settings mean."""
    if multiline.start:
        return Rule(multiline.start, not multiline.negate, {})
    if multiline.end:
        return Rule("", negate=False, shapes={"end": pattern_shape(multiline.end, negate=multiline.negate)})
    if multiline.continues:
        return Rule(multiline.continues, multiline.negate, {})
    names = dict.fromkeys(name for preset in multiline.presets for name in (AUTO if preset == "auto" else (preset,)))
    patterns = [CONTINUES[name] for name in names if name in CONTINUES]
    shapes = {name: SHAPES[name] for name in names if name in SHAPES}
    return Rule(f"^(?:{'|'.join(patterns)})" if patterns else "", negate=False, shapes=shapes)


def borders(lines: pl.DataFrame, rule: Rule, before: Mapping[int, str]) -> Borders:
    """Return the borders in `_line`, whose streams are `_key`; `before` has the note of each open record."""
    keys = lines["_key"].unique(maintain_order=True).to_list()
    joins = pl.zeros(len(lines), pl.Boolean, eager=True)
    closed = dict.fromkeys(keys, not rule.continues)
    notes: dict[int, dict[str, str]] = {key: {} for key in keys}
    if rule.continues:
        matches = lines["_line"].str.contains(rule.continues)
        joins = ~matches if rule.negate else matches
    for name, shape in rule.shapes.items():
        open_classes = {key: known[name] for key, note in before.items() if (known := _known(note)).get(name)}
        if not open_classes and shape.hints and not _hinted(lines["_line"], shape.hints):
            continue
        letters = _letters(lines["_line"], shape)
        starts, last = _tokens(letters, lines["_key"], keys, shape.records, open_classes)
        joins |= ~starts
        for key, token in zip(keys, last, strict=True):
            closed[key] = closed[key] and re.search(shape.closed, token) is not None
            notes[key][name] = token if shape.exact else _RUNS.sub(r"\1", token)
    return Borders(joins, closed, {key: json.dumps(note) if note else "" for key, note in notes.items()})


def _known(note: str) -> dict[str, str]:
    known = json.loads(note) if note else {}
    return known if isinstance(known, dict) else {}


def _hinted(text: pl.Series, hints: Sequence[str]) -> bool:
    """Tell whether any line has one of the texts: a search for a plain text is ten times as fast as a pattern."""
    return any(text.str.contains(hint, literal=True).any() for hint in hints)


def _letters(text: pl.Series, shape: Shape) -> pl.Series:
    """Return the class of each line."""
    line = pl.col(text.name)
    letter = pl.lit(_OTHER)
    for name, pattern in reversed(shape.classes):
        letter = pl.when(line.str.contains(pattern)).then(pl.lit(name)).otherwise(letter)
    return text.to_frame().select(letter.alias("letter"))["letter"]


def _tokens(
    letters: pl.Series, key: pl.Series, keys: Sequence[int], records: str, before: Mapping[int, str]
) -> tuple[pl.Series, list[str]]:
    """Return which lines begin a record, and the letters of the last record of each key."""
    texts = (
        pl.DataFrame({"key": key, "letter": letters})
        .group_by("key", maintain_order=True)
        .agg(pl.col("letter").str.join(""), pl.len().alias("rows"))
    )
    heads = [before.get(each, "") for each in keys]
    table = texts.with_columns(
        (pl.Series(heads, dtype=pl.String) + pl.col("letter")).str.extract_all(records).alias("token"),
        pl.Series([len(head) for head in heads], dtype=pl.Int64).alias("head"),
        (pl.col("rows").cum_sum() - pl.col("rows")).cast(pl.Int64).alias("first"),
    )
    last = table["token"].list.last().to_list()
    tokens = table.select("key", "head", "first", "token").explode("token")
    size = pl.col("token").str.len_bytes().cast(pl.Int64)
    within = (size.cum_sum() - size).over("key") - pl.col("head")
    places = tokens.select(place=pl.when(within >= 0).then(within + pl.col("first")))["place"].drop_nulls()
    starts = pl.zeros(len(letters), pl.Boolean, eager=True)
    return starts.scatter(places, True), last
