"""Read rule files in the form of Prometheus and Loki: groups of alerting and recording rules, expressions in LogQL.

Comes in: YAML. Goes out: groups, whose rules have ids that stay the same. Refuses a file with all of its mistakes at
once, each with `$.groups[0].rules[1].expr`, line and column, and what to do; an expression is pointed into.

A rule's id is made of its namespace, group, name and labels, and of its place among rules that are equal in these: so
its alerts outlive a change of its expression and of the order, as in Prometheus, and two rules do not share them.
"""

from __future__ import annotations

import re
from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic import BeforeValidator as Before

from tailrace.alerts.durations import Span  # noqa: TC001  pydantic reads it
from tailrace.alerts.model import Group, NoData, Rule
from tailrace.alerts.rules import templates
from tailrace.clock import NS_PER_S
from tailrace.config.document import read_document
from tailrace.config.problems import explain, found_text
from tailrace.config.text import text_of
from tailrace.errors import ConfigError, Problem, QueryError
from tailrace.limits import CONFIG_NODES, RULES_BYTES, RULES_NODES
from tailrace.query.parser import parse
from tailrace.query.syntax import LogQuery
from tailrace.settings import Mistake, Mistakes, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

INTERVAL_NS: Final = 60 * NS_PER_S
"""How often a group is evaluated that does not say."""

_Model = TypeVar("_Model", bound=Settings)

_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def _expression(text: str) -> str:
    try:
        query = parse(text, names=True)
    except QueryError as error:
        raise Mistake(error.one_line(), error.hint if error.position is None else "") from error
    if isinstance(query, LogQuery):
        raise Mistake("this query gives lines, and a rule needs numbers", f"count them: count_over_time({text} [5m])")
    return text


_READ: Final = ConfigDict(validate_default=False)  # a span is read from text, and a default is read already


def _label_text(value: object) -> object:
    """Return a whole number, true or false as text, as YAML's readers in Go do; of 1.50 the text is not known."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


LabelText = Annotated[str, Before(_label_text)]
Labels = Annotated[dict[str, LabelText], Field(default_factory=dict)]


class Given(Settings):
    """A mapping of which keys without a value are as good as not there."""

    model_config = _READ

    @model_validator(mode="before")
    @classmethod
    def _drop(cls, value: Any) -> Any:  # whatever a file says
        return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else value


def _template(text: str) -> str:
    error = templates.mistake(text)
    if error is not None:
        raise Mistake(error.one_line(), error.hint if error.position is None else "")
    return text


def _checked(labels: Mapping[str, str], *, templated: bool) -> Mapping[str, str]:
    """Return labels that a rule may set; raise all mistakes at once."""
    mistakes = []
    for name, text in labels.items():
        if name == "__name__" or not _LABEL.fullmatch(name):
            mistakes.append(Mistake(f"{name!r} is no name of a label", "letters, digits and _", below=(name,)))
        if templated and (error := templates.mistake(text)):
            mistakes.append(Mistake(error.one_line(), below=(name,)))
    if mistakes:
        raise Mistakes(mistakes)
    return labels


class RuleSettings(Given):
    """One rule: exactly one of `alert` and `record`."""

    alert: str = ""
    """Name of the alert that fires while the expression gives series."""
    record: str = ""
    """Name of the metric under which the expression's values are kept."""
    expr: Annotated[str, AfterValidator(_expression)]
    """A metric query in LogQL; for an alert it gives series only where something is wrong."""
    for_ns: Span = Field(default=0, alias="for")
    """How long it must be true before the alert fires."""
    keep_firing_for_ns: Span = Field(default=0, alias="keep_firing_for")
    """How long the alert goes on firing after it was true last."""
    labels: Labels
    """Labels to add; in alerts their values are templates."""
    annotations: Annotated[dict[str, Annotated[LabelText, AfterValidator(_template)]], Field(default_factory=dict)]
    """Texts for people, with templates."""
    no_data: NoData | None = None
    """What it means that no series is there: `zero`, `alert`, `ok` or `keep`; else as the expression asks for."""
    absent_for_ns: Span = Field(default=0, alias="absent_for")
    """A series that was there and is silent for so long is an alert."""
    grace_ns: Span = Field(default=0, alias="grace")
    """How long late lines are waited for before a window is evaluated."""
    max_wait_ns: Span | None = Field(default=None, alias="max_wait")
    """After so long a window is evaluated without the sources that are late."""

    @model_validator(mode="after")
    def _one_kind(self) -> RuleSettings:
        if bool(self.alert) == bool(self.record):
            both = "both `alert` and `record`" if self.alert else "neither `alert` nor `record`"
            raise Mistake(f"this rule has {both}", "it makes either alerts or a metric")
        if self.record:
            self._check_record()
        return self

    @field_validator("labels")
    @classmethod
    def _good_labels(cls, value: dict[str, str], info: ValidationInfo) -> Mapping[str, str]:
        return _checked(value, templated=not info.data.get("record"))

    def _check_record(self) -> None:
        if not _METRIC.fullmatch(self.record):
            raise Mistake(f"{self.record!r} is no name of a metric", "letters, digits, _ and :", below=("record",))
        only_alerts = {"for": self.for_ns, "keep_firing_for": self.keep_firing_for_ns, "annotations": self.annotations}
        for key, value in only_alerts.items():
            if value:
                raise Mistake(f"a recording rule has no `{key}`", "leave it out", below=(key,))


class GroupSettings(Given):
    """Rules that are evaluated together."""

    name: Annotated[str, Field(min_length=1)]
    """Unique in its file."""
    interval_ns: Span = Field(default=INTERVAL_NS, alias="interval")
    """How often it is evaluated."""
    limit: Annotated[int, Field(ge=0)] = 0
    """Series that one of its rules may give; 0: any number."""
    query_offset_ns: Span = Field(default=0, alias="query_offset")
    """How far behind the time of evaluation its windows end."""
    labels: Labels
    """Labels of all its rules; a rule's own win."""
    rules: tuple[RuleSettings, ...] = ()
    """Evaluated in this order."""

    @field_validator("labels")
    @classmethod
    def _good_labels(cls, value: dict[str, str]) -> Mapping[str, str]:
        return _checked(value, templated=True)

    @field_validator("interval_ns")
    @classmethod
    def _some(cls, value: int) -> int:
        if value < NS_PER_S:
            raise Mistake("an interval is at least a second", "as in 1m")
        return value


class RuleFile(Given):
    """A rule file."""

    groups: tuple[GroupSettings, ...] = ()
    """The groups of the file."""

    @model_validator(mode="after")
    def _unique(self) -> RuleFile:
        counted = Counter(group.name for group in self.groups)
        for index, group in enumerate(self.groups):
            if counted[group.name] > 1 and [each.name for each in self.groups].index(group.name) != index:
                hint = "each group of a file needs a name of its own"
                raise Mistake(f"there is a group {group.name!r} above", hint, below=("groups", index, "name"))
        return self


def load_rules(path: Path, namespace: str | None = None, interval_ns: int = INTERVAL_NS) -> tuple[Group, ...]:
    """Return the groups of a file; those that do not say are evaluated each `interval_ns`."""
    return parse_rules(text_of(path, RULES_BYTES), namespace or path.name, str(path), interval_ns)


def parse_rules(
    text: str, namespace: str, file: str | None = None, interval_ns: int = INTERVAL_NS
) -> tuple[Group, ...]:
    """Return the groups that a text says; `$` in it is no variable of the environment, templates are full of them."""
    read, _ = _read(text, RuleFile, {"groups": []}, file, RULES_NODES)
    return groups_of(read, namespace, interval_ns=interval_ns)


def parse_group(text: str) -> dict[str, Any]:  # Any: JSON
    """Return the definition of one group that a text says, as it was written; refuses it as `parse_rules` does."""
    read, value = _read(text, GroupSettings, {}, None)
    if not read.rules:
        raise ConfigError([Problem("$.rules", "a group needs a rule", "write rules: and below it - alert: …")])
    return value


def _read(
    text: str, model: type[_Model], nothing: Mapping[str, object], file: str | None, most: int = CONFIG_NODES
) -> tuple[_Model, dict[str, Any]]:
    """Return what a text says, and as plain values; `nothing` stands for an empty one."""
    document = read_document(text, None, most)
    value = nothing if document.value is None else document.value
    if not isinstance(value, dict):
        document.refuse((), document.places.get(()), f"expected a mapping of keys to values, got {found_text(value)}")
        value = nothing
    read: _Model | None = None
    try:
        read = None if () in document.problems else model.model_validate(value)
    except ValidationError as error:
        unread = set(document.problems)
        for trail, problem in explain(error.errors(), value, document, model):
            if trail not in unread:
                document.problems.setdefault(trail, []).append(problem)
    found = [problem for several in document.problems.values() for problem in several]
    if found or read is None:
        raise ConfigError(sorted(found, key=lambda each: (each.line or 0, each.column or 0)), file=file)
    return read, dict(value)


def groups_of(
    read: RuleFile, namespace: str, *, editable: bool = False, interval_ns: int = INTERVAL_NS
) -> tuple[Group, ...]:
    """Return the groups of a file that was read."""
    return tuple(
        Group(
            namespace,
            group.name,
            group.interval_ns if "interval_ns" in group.model_fields_set else interval_ns,
            _rules(namespace, group),
            group.limit,
            group.query_offset_ns,
            group.labels,
            editable,
        )
        for group in read.groups
    )


def _rules(namespace: str, group: GroupSettings) -> tuple[Rule, ...]:
    counted, rules = Counter[str](), list[Rule]()
    for settings in group.rules:
        name = f"alert {settings.alert}" if settings.alert else f"record {settings.record}"
        fields: dict[str, Any] = settings.model_dump()  # the names of both are the same, Rule tells the types
        labels = fields["labels"] = {**group.labels, **settings.labels}
        named = name + (repr(sorted(labels.items())) if labels else "")
        rules.append(Rule(id=rule_id(namespace, group.name, named, counted[named]), **fields))
        counted[named] += 1
    return tuple(rules)


def rule_id(namespace: str, group: str, named: str, place: int) -> str:
    """Return the id of a rule: a hash of what names it."""
    return blake2b("\0".join((namespace, group, named, str(place))).encode(), digest_size=8).hexdigest()
