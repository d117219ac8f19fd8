"""Other settings of a rule, and what two versions of it would have done differently. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Final, Literal

from tailrace.alerts.rules.expressions import expression
from tailrace.errors import QueryError
from tailrace.query.literals import number, range_duration, write_duration, write_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tailrace.alerts.backtest.replay import Incident
    from tailrace.alerts.model import Rule

Knob = Literal["threshold", "for", "keep_firing_for"]

KNOBS: Final[tuple[Knob, ...]] = ("threshold", "for", "keep_firing_for")
"""What a sweep turns."""

MOST: Final = 100
"""Combinations of one sweep."""


def sweep_of(text: str) -> tuple[Knob, tuple[float, ...]]:
    """Return what `threshold=1,5,10` or `for=0s,5m` asks to try; spans are nanoseconds.

    >>> sweep_of("threshold=1,2.5"), sweep_of("for=0,1m")
    (('threshold', (1.0, 2.5)), ('for', (0, 60000000000)))
    """
    name, _, values = text.partition("=")
    knob = next((each for each in KNOBS if each == name.strip()), None)
    if knob is None or not values.strip():
        raise QueryError(f"{text!r} is no sweep", hint=f"as in threshold=1,5,10; there are {', '.join(KNOBS)}")
    return knob, tuple(_value(knob, word.strip()) for word in values.split(","))


def sweeps_of(texts: Iterable[str]) -> dict[Knob, tuple[float, ...]]:
    """Return what several sweeps ask to try; one setting is swept once."""
    found: dict[Knob, tuple[float, ...]] = {}
    for text in texts:
        knob, values = sweep_of(text)
        if knob in found:
            raise QueryError(f"{knob} is swept twice", hint=f"write all values at once: {knob}=…,…")
        found[knob] = values
    return found


def _value(knob: Knob, word: str) -> float:
    if knob != "threshold":
        found = range_duration(word)
        if found is None:
            raise QueryError(f"{word!r} is no duration", hint=f"as in {knob}=0s,5m")
        return found
    positive = number(word.removeprefix("-"))
    if positive is None:
        raise QueryError(f"{word!r} is no number", hint="as in threshold=1,5,10")
    return -positive if word.startswith("-") else positive


def variants(rule: Rule, sweeps: Mapping[Knob, Sequence[float]]) -> list[tuple[str, Rule]]:
    """Return the rule with every combination of the settings, each named by them."""
    names = [knob for knob in KNOBS if knob in sweeps]
    combinations = list(product(*(sweeps[name] for name in names)))
    if len(combinations) > MOST:
        raise QueryError(
            f"the sweeps have {len(combinations)} combinations, {MOST} are allowed", hint="try fewer values"
        )
    found: list[tuple[str, Rule]] = []
    for values in combinations:
        turned = rule
        for name, value in zip(names, values, strict=True):
            turned = _turned(turned, name, value)
        said = " ".join(f"{name}={_text(name, value)}" for name, value in zip(names, values, strict=True))
        found.append((said, turned))
    return found


def _turned(rule: Rule, knob: Knob, value: float) -> Rule:
    if knob == "for":
        return replace(rule, for_ns=int(value))
    if knob == "keep_firing_for":
        return replace(rule, keep_firing_for_ns=int(value))
    asked = expression(rule.expr)
    if not asked.op:
        hint = "a rule of the form `x > 5` has one"
        raise QueryError("this rule compares with no number, so it has no threshold to try", hint=hint)
    return replace(rule, expr=f"{asked.asked} {asked.op} {write_number(value)}")


def _text(knob: Knob, value: float) -> str:
    return write_number(value) if knob == "threshold" else write_duration(int(value))


@dataclass(frozen=True, slots=True)
class Difference:
    """Incidents that only one of two versions has, and those that both have."""

    only_before: tuple[Incident, ...]
    only_after: tuple[Incident, ...]
    both: tuple[tuple[Incident, Incident], ...]  # the first of each that fired at the same time


def difference(before: Sequence[Incident], after: Sequence[Incident]) -> Difference:
    """Return what two versions of a rule did differently; incidents of the same labels at the same time are one."""
    both = [
        (one, found)
        for one in before
        if (found := next((other for other in after if _meet(one, other)), None)) is not None
    ]
    old = {id(one) for one, _ in both}
    return Difference(
        tuple(one for one in before if id(one) not in old),
        tuple(other for other in after if not any(_meet(one, other) for one in before)),
        tuple(both),
    )


def _meet(one: Incident, other: Incident) -> bool:
    if one.key != other.key:
        return False
    return (other.to_ns is None or one.from_ns <= other.to_ns) and (one.to_ns is None or other.from_ns <= one.to_ns)
