"""The form of a receiver, and the definition that it makes: one way, of what it is told, and in which rhythm.

Comes in: fields of a form, and the receiver that was saved before, if it is changed. Goes out: the body that
`SavedReceivers.save` takes and checks. A secret is never shown: a field of one that is left empty keeps what was saved,
and so does every setting that the form has no field for. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tailrace.alerts.notify.matchers import matchers
from tailrace.errors import DataError
from tailrace.web.explorer.texts import alerts as texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.alerts.notify.receivers import Receiver
    from tailrace.alerts.notify.settings import RouteSettings

    Json = dict[str, Any]  # settings as JSON has them: nested, of several kinds

FIELDS: Final = {
    "webhook": ("url", "bearer_token"),
    "email": ("smarthost", "from", "to", "username", "password"),
    "slack": ("urls",),
    "teams": ("urls",),
    "pagerduty": ("routing_key",),
    "alertmanager": ("urls",),
    "apprise": ("urls",),
}
"""The fields of each way; the first ones are what it needs."""

SECRET: Final = {
    "webhook": {"url", "bearer_token"},
    "email": {"password"},
    "slack": {"urls"},
    "teams": {"urls"},
    "pagerduty": {"routing_key"},
    "apprise": {"urls"},
}
"""Those of them that are never shown."""

OPTIONAL: Final = frozenset({"bearer_token", "username", "password"})
ROUTE: Final[tuple[str, ...]] = ("group_by", "group_wait", "group_interval", "repeat_interval")
_LISTS: Final = frozenset({"urls", "to"})
_WHERE: Final = ("url", "urls", "smarthost")
_KEYS: Final = frozenset({"bearer_token", "bearer_token_file", "password", "password_file", "basic_auth", "headers"})


def definition(given: Mapping[str, str], before: Mapping[str, Any] | None) -> Json:
    """Return the body that saves a receiver; raises `DataError` where the form lacks what every receiver has.

    Secrets that were saved are kept only for the address that they were saved with: else whoever may change a receiver
    could have them sent elsewhere, and read them.
    """
    name, way = given.get("name", "").strip(), given.get("way", "webhook")
    if not name:
        raise DataError(texts.NO_RECEIVER_NAME)
    if way not in FIELDS:
        raise DataError(texts.NO_WAY.format(said=way[:40], known=", ".join(FIELDS)))
    kept = dict((before or {}).get("receiver", {}))
    said = {field: _listed(field, text) for field in FIELDS[way] if (text := given.get(field, "").strip())}
    saved = _mapping(way, kept.get(way))
    if any(field in said and said[field] != saved.get(field) for field in _WHERE):
        saved = {field: value for field, value in saved.items() if field not in _KEYS}
    receiver = {**kept, "name": name, way: {**saved, **said}, "send_resolved": given.get("send_resolved") == "1"}
    tell = given.get("tell", "all")
    return {"receiver": receiver} if tell == "none" else {"receiver": receiver, "route": _route(given, tell, before)}


def _mapping(way: str, saved: object) -> Json:
    """Return the settings of a way as a mapping: an address alone is one with the first field."""
    if isinstance(saved, dict):
        return saved
    return {} if saved is None else {FIELDS[way][0]: saved}


def _route(given: Mapping[str, str], tell: str, before: Mapping[str, Any] | None) -> Json:
    kept = (before or {}).get("route") or {}
    route = {name: value for name, value in kept.items() if name not in {*ROUTE, "matchers", "match", "match_re"}}
    if tell == "some":
        tests = [str(one) for one in matchers(given.get("matchers", ""))]
        if not tests:
            raise DataError(texts.NO_TESTS)
        route["matchers"] = tests
    for name in ROUTE:
        if text := given.get(name, "").strip():
            route[name] = [one.strip() for one in text.split(",") if one.strip()] if name == "group_by" else text
    return route


def _listed(field: str, text: str) -> object:
    return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()] if field in _LISTS else text


def fields(receiver: Receiver, route: RouteSettings | None) -> dict[str, str]:
    """Return the fields of a form for a receiver that was saved, without its secrets."""
    way = receiver.ways[0]
    shown = receiver.model_dump(mode="json", exclude_defaults=True)[way]
    said = {name: _text(shown.get(name, "")) for name in FIELDS[way] if name not in SECRET.get(way, ())}
    sent = {"name": receiver.name, "way": way, "send_resolved": "1" if receiver.send_resolved else ""}
    if route is None:
        return {**said, **sent, "tell": "none"}
    told = route.model_dump(mode="json", exclude_defaults=True)
    rhythm = {name: _text(told[name]) for name in ROUTE if name in told}
    tests = ", ".join(map(str, route.tests))
    return {**said, **sent, **rhythm, "tell": "some" if tests else "all", "matchers": tests}


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def told_text(route: Mapping[str, Any] | None) -> str:
    """Return of which alerts a receiver is told, as tests; empty for all."""
    return ", ".join(route.get("matchers", ())) if route else ""
