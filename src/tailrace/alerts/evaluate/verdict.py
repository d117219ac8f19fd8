"""What an answer means for a rule: which series fulfil it, and whether silence is zero, nothing, or not known. Pure.

Four outcomes have four meanings: `value` and `zero` are sure, `empty` says that there is no such series, `late` that a
source is missing, `error` that there is no answer. Only a sure answer resolves an alert, and an empty one where
the rule says so (`no_data`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tailrace.alerts.evaluate.states import series
from tailrace.alerts.model import Evaluation
from tailrace.batch import stream_labels, stream_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tailrace.alerts.model import Group, NoData, Rule, Seen
    from tailrace.alerts.rules.expressions import Expression

    Labelled = Callable[[Mapping[str, str], float], Mapping[str, str]]

KNOWN_NS: Final = 7 * 86_400 * 10**9
"""A series that was not seen for this long is forgotten: its silence means nothing any more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave at one time: values by the canonical text of their labels; or why it gave nothing."""

    at_ns: int
    values: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


def policy(rule: Rule, asked: Expression) -> NoData:
    """Return what it means for a rule that a series is silent."""
    return rule.no_data or ("zero" if asked.counting and asked.op else "keep" if asked.op else "ok")


def judge(
    rule: Rule,
    group: Group,
    asked: Expression,
    answer: Answer,
    known: Mapping[str, Seen],
    missing: Iterable[str],
    labelled: Labelled,
    *,
    known_ns: int = KNOWN_NS,
) -> Evaluation:
    """Return what a rule gives at the time of an answer.

    `known` has the series that were seen, in windows before and, when it is done again, behind; `missing` names the
    sources that are late; `labelled` fills in the templates of the rule's labels.
    """
    at_ns, gone = answer.at_ns, tuple(missing)
    if answer.error:
        return Evaluation(at_ns, "error", error=answer.error, missing=gone)
    silent = {
        key: seen
        for key, seen in known.items()
        if key not in answer.values and seen.first_ns < at_ns < seen.last_ns + known_ns
    }
    values = dict(answer.values)
    what = policy(rule, asked)
    if what == "zero" and asked.op:
        values.update(dict.fromkeys(silent, asked.silent or 0.0))
    held = {key: value for key, value in values.items() if asked.holds(value)}
    if group.limit and len(held) > group.limit:
        error = f"the rule gives {len(held)} series, and its group allows {group.limit}"
        return Evaluation(at_ns, "error", error=error, missing=gone)
    found: dict[str, float] = {}
    results: dict[str, Mapping[str, str]] = {}
    absent = [key for key, seen in silent.items() if 0 < rule.absent_for_ns <= at_ns - seen.last_ns]
    extra = [(key, 0.0, {"absent": "true"}) for key in absent if key not in held]
    if not values and what == "alert":
        extra.append(("{}", 0.0, {"no_data": "true"}))
    for key, value, more in [*((key, value, {}) for key, value in held.items()), *extra]:
        labels = {**stream_labels(key), **more}
        own = alert_key(rule, labels, value, labelled)
        if own in found:
            error = f"two series become one {'alert' if rule.alert else 'recorded series'}: {own}"
            return Evaluation(at_ns, "error", error=f"{error}; keep a label that tells them apart", missing=gone)
        found[own], results[own] = value, labels
    if gone:
        return Evaluation(at_ns, "late", found, missing=gone, results=results)
    kept = frozenset(series(rule, stream_labels(key)) for key in silent) if what == "keep" else frozenset[str]()
    if found:
        return Evaluation(at_ns, "value", found, results=results, kept=kept)
    empty = not values and bool(asked.op)
    return Evaluation(at_ns, "empty" if empty else "zero", kept=kept, keep=empty and what == "keep")


def alert_key(rule: Rule, labels: Mapping[str, str], value: float, labelled: Labelled) -> str:
    """Return the labels of an alert, or of a recorded series: those of the result, the rule's over them, its name."""
    kept = {name: text for name, text in labels.items() if name != "__name__"}
    own = {"alertname": rule.alert} if rule.alert else {"__name__": rule.record}
    return stream_text({**kept, **labelled(labels, value), **own})
