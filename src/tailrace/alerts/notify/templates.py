"""The templates of messages to people: Alertmanager's data and functions, over those of rules.

Comes in: a template and a notification. Goes out: text. `mistake` refuses at load what is no template. The data:
`.Receiver` `.Status` `.GroupLabels` `.CommonLabels` `.CommonAnnotations` `.ExternalURL` `.Alerts`, of which `.Firing`
and `.Resolved` are parts; each alert has `.Status` `.Labels` `.Annotations` `.StartsAt` `.EndsAt` `.GeneratorURL`
`.Fingerprint`, and here `.Value`. Labels and annotations have `.SortedPairs` `.Names` `.Values`. Of the
methods that take arguments only a time's `Format` is there.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tailrace.alerts.rules.template_functions import RULES, Expansion, Fields
from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError
from tailrace.query.template import Template, compile_dialect
from tailrace.query.template_functions import Function
from tailrace.query.template_values import TemplateError, Time, Value, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tailrace.alerts.notify.model import Notification, ToldAlert
    from tailrace.alerts.rules.template_functions import Sample
    from tailrace.query.template_expressions import Scope


class Rows(dict[str, Value]):
    """A list that has named parts, too; to `range` it is a map of places, written so that they sort."""

    def __init__(self, items: Iterable[Value], **fields: Value) -> None:
        super().__init__((f"{place:09}", item) for place, item in enumerate(items))
        self.fields = Fields(fields)

    def get(self, name: str, default: Value = None) -> Value:  # type: ignore[override]  # names of a template are text
        """Return a named part."""
        return self.fields.get(name, default)


class Pairs(dict[str, Value]):
    """Labels or annotations; a name that is not there is empty, as in Go's maps of text."""

    def get(self, name: str, default: Value = "") -> Value:  # type: ignore[override]  # as above
        """Return a value, or one of the lists that Alertmanager's labels have."""
        if name in ("SortedPairs", "Names", "Values"):
            names = sorted(self, key=lambda one: (one != "alertname", one))
            parts: dict[str, Value] = {"Names": list(names), "Values": [self[one] for one in names]}
            pairs = Rows((Fields({"Name": one, "Value": self[one]}) for one in names), **parts)
            return pairs if name == "SortedPairs" else parts[name]
        return super().get(name, default)


def _join(separator: str, value: Value) -> str:
    items = list(value.values()) if isinstance(value, Rows) else value
    if not isinstance(items, list):
        raise TemplateError(f"join: {shown(value)} is no list")
    return separator.join(map(shown, items))


def _index(value: Value, *places: Value) -> Value:
    for place in places:
        if isinstance(value, Rows) and type(place) is int:
            rows = list(value.values())
            if not 0 <= place < len(rows):
                raise TemplateError(f"index out of range: {place}")
            value = rows[place]
        else:
            value = RULES.functions["index"].call(value, place)
    return value


def _since(scope: Scope, then: Value) -> Value:
    """Return the seconds since a time."""
    if not isinstance(then, Time):
        raise TemplateError(f"since: {shown(then)} is no time")
    return (scope.time_ns - then) / NS_PER_S


DIALECT: Final = replace(
    RULES,
    functions={
        **{name: one for name, one in RULES.functions.items() if name != "query"},
        "index": Function("vv*", _index),
        "join": Function("sv", _join),
        "stringSlice": Function("v*", lambda *texts: list(texts)),
        "since": Function("v", _since, scoped=True),
    },
    variables=(),
)
"""The templates of messages; they cannot ask queries."""


@lru_cache(maxsize=1_024)
def _compiled(text: str) -> Template:
    return compile_dialect(text, DIALECT)


def mistake(text: str) -> QueryError | None:
    """Return what is wrong with a template, None if nothing is."""
    try:
        _compiled(text)
    except QueryError as error:
        return error
    return None


def filled(text: str, notification: Notification, usual: Mapping[str, str]) -> str:
    """Return the text of a template for a notification; raise `TemplateError` if it fails.

    `usual` are further fields: the texts that there would be without a template.
    """
    host = Expansion(_nothing, notification.external_url)
    try:
        return _compiled(text).expand(_data(notification, usual), (), notification.at_ns, host)
    except RecursionError:
        raise TemplateError("its values are nested too deeply") from None


def _data(notification: Notification, usual: Mapping[str, str]) -> Fields:
    return Fields(
        {
            "Receiver": notification.receiver,
            "Status": notification.status,
            "Alerts": Rows(
                map(_alert, notification.alerts),
                Firing=Rows(map(_alert, notification.firing)),
                Resolved=Rows(map(_alert, notification.resolved)),
            ),
            "GroupLabels": Pairs(notification.group_labels),
            "CommonLabels": Pairs(notification.common_labels),
            "CommonAnnotations": Pairs(notification.common_annotations),
            "ExternalURL": notification.external_url,
            "TruncatedAlerts": notification.truncated,
            "NotificationReason": notification.reason,
            **usual,
        }
    )


def _alert(alert: ToldAlert) -> Fields:
    return Fields(
        {
            "Status": alert.status,
            "Labels": Pairs(alert.labels),
            "Annotations": Pairs(alert.annotations),
            "StartsAt": Time(alert.starts_ns),
            "EndsAt": Time(alert.ends_ns),
            "GeneratorURL": alert.generator_url,
            "Fingerprint": alert.fingerprint,
            "Value": alert.value,
        }
    )


def _nothing(query: str) -> Sequence[Sample]:
    raise TemplateError(f"query: messages cannot ask: {query}")
