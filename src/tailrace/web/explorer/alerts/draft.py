"""A rule while it is edited: the fields of the form, which are its address, and the rule that they make.

Comes in: parameters of an address or a form, or a rule that is there. Goes out: the expression in LogQL and the group
as it is saved. With `write=form` the sentence of the form makes the expression (`sentences`), with `write=expr` it
stands there as it was typed. Nothing is checked here but what makes a group at all: who saves it checks it. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from tailrace.errors import DataError
from tailrace.query.literals import write_duration
from tailrace.web.explorer.alerts import sentences
from tailrace.web.explorer.alerts.sentences import Sentence
from tailrace.web.explorer.texts import alerts as texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.datastructures import QueryParams

    from tailrace.alerts.model import Group, Rule

    Json = dict[str, Any]  # a group of rules: nested, of several kinds

_CHARS: Final = 4_000  # of a field: an address has its limits
_LABEL: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")
_NAMED: Final = {"for_": "for"}  # as it is called in an address


@dataclass(frozen=True, slots=True)
class Draft:
    """The fields; texts as they were typed."""

    write: str = "form"
    q: str = ""
    measure: str = "count"
    of: str = ""
    how: str = "avg"
    over: str = "5m"
    by: str = ""
    cmp: str = "above"
    n: str = "0"
    expr: str = ""
    name: str = ""
    severity: str = ""
    labels: str = ""
    summary: str = ""
    description: str = ""
    notes: str = ""
    for_: str = ""
    keep: str = ""
    nodata: str = ""
    every: str = "1m"
    rule: str = ""  # id of the rule that is changed; empty: a new one
    webhook: str = ""

    @property
    def sentence(self) -> Sentence:
        """Return what the form says."""
        return Sentence(self.q, self.measure, self.of, self.how, self.over, self.by, self.cmp, self.n)

    def expression(self) -> str:
        """Return the expression; `QueryError` says what of the sentence cannot be written."""
        return self.expr if self.write == "expr" else sentences.written(self.sentence)

    def change(self, **values: str) -> Draft:
        """Return another draft."""
        return replace(self, **values)

    def pairs(self) -> list[tuple[str, str]]:
        """Return the parameters that differ from their defaults, without the webhook: its address is a secret."""
        held = ((one.name, getattr(self, one.name), one.default) for one in fields(self) if one.name != "webhook")
        return [(_NAMED.get(name, name), value) for name, value, default in held if value != default]

    def url(self, path: str = "/alerts/edit", **more: str) -> str:
        """Return the address of the draft."""
        pairs = [*self.pairs(), *more.items()]
        return f"{path}?{urlencode(pairs)}" if pairs else path


def read(given: QueryParams) -> Draft:
    """Return the draft of an address or a form; a metric query in `q` is taken as the expression."""
    names = (one.name for one in fields(Draft))
    found = {name: given[key].strip()[:_CHARS] for name in names if (key := _NAMED.get(name, name)) in given}
    draft = Draft(**{name: value for name, value in found.items() if value or name in {"n", "every", "over"}})
    if "write" not in given and (draft.expr or sentences.is_metric(draft.q)):
        return recognised(draft.change(expr=draft.expr or draft.q))
    return draft


def recognised(draft: Draft) -> Draft:
    """Return a draft that has its expression in the form, if the form can say it; else as text.

    One that compares nothing is compared with 0 there: the form asks for a threshold.
    """
    said = sentences.recognised(draft.expr) or sentences.recognised(sentences.compared(draft.expr, 0.0))
    if said is None:
        return draft.change(write="expr")
    values = {one.name: getattr(said, one.name) for one in fields(Sentence)}
    return draft.change(write="form", expr="", **values)


def suggested(draft: Draft) -> Draft:
    """Return a draft with a name and a text for people, where it has none: a start that may be saved as it is."""
    name = draft.name or sentences.name_of(draft.sentence, draft.expr if draft.write == "expr" else "")
    return draft.change(name=name, summary=draft.summary or sentences.SUMMARIES[_measure(draft)])


def _measure(draft: Draft) -> str:
    return "" if draft.write == "expr" or draft.measure not in sentences.MEASURES else draft.measure


# --- what is saved --------------------------------------------------------------------------------


def definition(draft: Draft) -> Json:
    """Return the rule as it is saved; raises `QueryError` and `DataError` for what makes no rule."""
    if not draft.name:
        raise DataError(texts.NO_NAME)
    labels = {**({"severity": draft.severity} if draft.severity else {}), **_texts(draft.labels, "labels")}
    notes = {"summary": draft.summary, "description": draft.description}
    annotations = {**{name: text for name, text in notes.items() if text}, **_texts(draft.notes, "annotations")}
    given = {
        "for": draft.for_,
        "keep_firing_for": draft.keep,
        "labels": labels,
        "annotations": annotations,
        "no_data": draft.nodata,
    }
    rule: Json = {"alert": draft.name, "expr": draft.expression()}
    return {**rule, **{name: value for name, value in given.items() if value}}


def group(draft: Draft) -> Json:
    """Return the group of a new rule: it has the rule's name, and nothing else in it."""
    rule = definition(draft)
    return {"name": draft.name, "interval": draft.every or "1m", "rules": [rule]}


def placed(draft: Draft, before: Mapping[str, Any], place: int) -> Json:
    """Return a group that was saved with the rule at a place changed, and all that the form has no field for kept."""
    rules = [dict(one) for one in before["rules"]]
    made = definition(draft)
    kept = {name: value for name, value in rules[place].items() if name not in _OURS}
    rules[place] = {**made, **kept}
    return {**before, "interval": draft.every or "1m", "rules": rules}


_OURS: Final = frozenset({"alert", "expr", "for", "keep_firing_for", "labels", "annotations", "no_data"})


def _texts(text: str, what: str) -> dict[str, str]:
    found = {}
    for number, line in enumerate(filter(str.strip, text.splitlines()), 1):
        match = _LABEL.fullmatch(line)
        if match is None:
            raise DataError(texts.NO_PAIR.format(what=what, number=number, line=line.strip()[:60]))
        found[match[1]] = match[2]
    return found


# --- a rule that is there -------------------------------------------------------------------------


def of_rule(rule: Rule, group: Group) -> Draft:
    """Return the draft of a rule that is there."""
    labels = {name: value for name, value in rule.labels.items() if group.labels.get(name) != value}
    notes = dict(rule.annotations)
    draft = Draft(
        expr=rule.expr,
        name=rule.alert,
        severity=labels.pop("severity", ""),
        summary=notes.pop("summary", ""),
        description=notes.pop("description", ""),
        labels=_lines(labels.items()),
        notes=_lines(notes.items()),
        for_=write_duration(rule.for_ns) if rule.for_ns else "",
        keep=write_duration(rule.keep_firing_for_ns) if rule.keep_firing_for_ns else "",
        nodata=rule.no_data or "",
        every=write_duration(group.interval_ns),
        rule=rule.id,
    )
    return recognised(draft)


def _lines(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"{name}={value}" for name, value in pairs)
