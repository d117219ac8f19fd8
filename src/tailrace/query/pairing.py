"""Samples of two vectors brought together: by which labels they match, and whose labels the result has.

Comes in: the samples of both sides and how they match. Goes out: one row per pair and point, with `value` and `_right`,
under the labels of the result; or, for set operators, the samples that stay. Samples without a partner vanish.
Refuses, as a `QueryError`, several partners where one is expected, and results with the same labels twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import polars as pl

from tailrace.errors import QueryError
from tailrace.query.samples import LABEL, Samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.query.syntax import Binary, Matching


def paired(metric: Binary, left: Samples, right: Samples) -> Samples:
    """Return the pairs of an arithmetic operator or a comparison."""
    labels = sorted({*left.labels, *right.labels})
    keys = _keys(metric.matching, labels)
    many, one = _with(left, labels).rename({"value": "_left"}), _with(right, labels).rename({"value": "_right"})
    group = metric.matching.group if metric.matching else ""
    if group == "right":
        many, one = one, many
    _refuse_twice(metric, one, keys, "the same labels" if not group else f"the labels of the one side of group_{group}")
    copied = [LABEL + name for name in metric.matching.include] if metric.matching else []
    theirs = [name for name in copied if name in labels and name not in keys]
    side = next(column for column in ("_left", "_right") if column in one.columns)
    kept = one.select(*keys, "step", side, *(pl.col(name).alias(f"_new.{name}") for name in theirs))
    found = many.join(kept, on=[*keys, "step"], how="inner", nulls_equal=True)
    if not group:
        _refuse_twice(metric, found, keys, "the same labels, and no side is said to have many")
        shown = keys if metric.matching else labels
        return Samples(found.select(*shown, "step", "_right", value="_left"))
    new = {name: pl.col(f"_new.{name}") for name in theirs}  # an empty one takes the label away
    copies = [pl.when(value != "").then(value).alias(name) for name, value in new.items()]
    found = found.with_columns(copies).drop(f"_new.{name}" for name in theirs)
    result = Samples(found.select(*labels, "step", "_right", value="_left"))
    _refuse_twice(metric, result.frame, labels, "the same labels in the result")
    return result


def combined(metric: Binary, left: Samples, right: Samples) -> Samples:
    """Return what a set operator keeps: `and`, `unless`, `or`."""
    labels = sorted({*left.labels, *right.labels})
    keys = [*_keys(metric.matching, labels), "step"]
    ours, theirs = _with(left, labels), _with(right, labels)
    if metric.op == "or":
        added = theirs.join(ours, on=keys, how="anti", nulls_equal=True)
        return Samples(pl.concat([ours, added]))
    how: Literal["semi", "anti"] = "semi" if metric.op == "and" else "anti"
    return Samples(ours.join(theirs, on=keys, how=how, nulls_equal=True, maintain_order="left"))


def _keys(matching: Matching | None, labels: Sequence[str]) -> list[str]:
    """Return the label columns that both sides must have alike."""
    if matching is None:
        return list(labels)
    listed = {LABEL + name for name in matching.labels}
    return [name for name in labels if (name in listed) == matching.on]


def _with(samples: Samples, labels: Sequence[str]) -> pl.DataFrame:
    missing = [pl.lit(None, pl.String).alias(name) for name in labels if name not in samples.labels]
    return samples.frame.with_columns(missing).select(*labels, "step", "value")


def _refuse_twice(metric: Binary, frame: pl.DataFrame, keys: Sequence[str], what: str) -> None:
    twice = frame.filter(pl.struct(*keys, "step").is_duplicated())
    if twice.height:
        first = twice.row(0, named=True)
        shown = {key.removeprefix(LABEL): first[key] for key in keys if first[key]}
        labels = ", ".join(f'{name}="{value}"' for name, value in shown.items())
        hint = "name the labels with on(…), or say which side has many by group_left or group_right"
        raise QueryError(f"several series match `{metric.op}` with {what}: {{{labels}}}", position=metric.at, hint=hint)
