"""Alerts and silences as Alertmanager's API v2 writes them: read from JSON, checked, and written.

Of alerts that are posted each is taken or refused on its own: the good ones are stored, and all that is wrong with
the others is said at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.alerts.notify.alerts import KnownAlert, fingerprint
from tailrace.alerts.notify.matchers import matcher
from tailrace.alerts.notify.silences import Silence
from tailrace.errors import DataError, QueryError
from tailrace.web.times import iso, time_ns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.alerts.notify.matchers import Matcher
    from tailrace.alerts.notify.overview import Group, Standing

    Json = Mapping[str, Any]  # a JSON object: nested, of several kinds

_UNSET = ("", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z")  # as Go writes a time that was not set


def posted_alerts(body: object, now_ns: int, resolve_timeout_ns: int) -> tuple[list[KnownAlert], list[str]]:
    """Return the alerts of a body, and what is wrong with those that are none."""
    if not isinstance(body, list):
        raise DataError("the body is no list of alerts")
    found, wrong = list[KnownAlert](), list[str]()
    for index, one in enumerate(body):
        try:
            found.append(_alert(one, now_ns, resolve_timeout_ns))
        except (DataError, QueryError) as error:
            wrong.append(f"alerts[{index}]: {error}")
    return found, wrong


def _alert(one: object, now_ns: int, resolve_timeout_ns: int) -> KnownAlert:
    if not isinstance(one, dict):
        raise DataError("this is no object")
    labels = {name: value for name, value in _texts(one, "labels").items() if value}
    if not labels:
        raise DataError("an alert needs at least one label with a value")
    ends_ns, starts_ns = _time(one, "endsAt"), _time(one, "startsAt")
    starts_ns = starts_ns or (min(ends_ns, now_ns) if ends_ns else now_ns)
    if 0 < ends_ns < starts_ns:
        raise DataError("endsAt is before startsAt")
    url = one.get("generatorURL") or ""
    if not isinstance(url, str):
        raise DataError("generatorURL is no text")
    return KnownAlert(
        fingerprint=fingerprint(labels),
        labels=labels,
        annotations=_texts(one, "annotations"),
        starts_ns=starts_ns,
        ends_ns=ends_ns or now_ns + resolve_timeout_ns,
        updated_ns=now_ns,
        timeout=not ends_ns,
        generator_url=url,
    )


def _texts(one: Json, key: str) -> dict[str, str]:
    found = one.get(key) or {}
    if not isinstance(found, dict):
        raise DataError(f"{key} is no object")
    for name, value in found.items():
        if not isinstance(value, str):
            raise DataError(f"{key}.{name} is no text")
        if not name:
            raise DataError(f"{key} has an empty name")
        if not _is_utf8(name) or not _is_utf8(value):
            raise DataError(f"{key} has text that is no UTF-8")
    return found


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair, as JSON may escape it
        return False
    return True


def _time(one: Json, key: str) -> int:
    text = one.get(key) or ""
    if not isinstance(text, str):
        raise DataError(f"{key} is no time as 2026-01-02T03:04:05Z")
    return 0 if text in _UNSET else time_ns(text, key)


def posted_silence(body: object) -> Silence:
    """Return the silence of a body."""
    if not isinstance(body, dict) or not isinstance(body.get("matchers"), list):
        raise DataError("the body is no silence: an object with matchers, startsAt, endsAt, createdBy and comment")
    words = {key: body.get(key) or "" for key in ("id", "createdBy", "comment")}
    for key, value in words.items():
        if not isinstance(value, str):
            raise DataError(f"{key} is no text")
    starts_ns, ends_ns = _time(body, "startsAt"), _time(body, "endsAt")
    if not starts_ns or not ends_ns:
        raise DataError("startsAt and endsAt are required, as 2026-01-02T03:04:05Z")
    tests = tuple(_matcher(one, f"matchers[{index}]") for index, one in enumerate(body["matchers"]))
    return Silence(tests, starts_ns, ends_ns, words["createdBy"], words["comment"], words["id"])


def _matcher(one: object, where: str) -> Matcher:
    if not isinstance(one, dict) or not isinstance(one.get("name"), str) or not isinstance(one.get("value"), str):
        raise DataError(f"{where} is no matcher: an object with name, value, isRegex and isEqual")
    equal, regex = one.get("isEqual", True), one.get("isRegex", False)
    if not isinstance(equal, bool) or not isinstance(regex, bool):
        raise DataError(f"{where}: isRegex and isEqual are true or false")
    try:
        return matcher(one["name"], ("=~" if equal else "!~") if regex else ("=" if equal else "!="), one["value"])
    except DataError as error:
        raise DataError(f"{where}: {error}") from None


def silence_json(silence: Silence, now_ns: int) -> Json:
    """Write a silence."""
    return {
        "id": silence.id,
        "status": {"state": silence.state(now_ns)},
        "updatedAt": iso(silence.updated_ns),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "startsAt": iso(silence.starts_ns),
        "endsAt": iso(silence.ends_ns),
        "matchers": [
            {"name": one.name, "value": one.value, "isRegex": "~" in one.op, "isEqual": not one.op.startswith("!")}
            for one in silence.matchers
        ],
    }


def alert_json(one: Standing, renewed_ns: int) -> Json:
    """Write an alert; one of ours that fires is good for `renewed_ns` from now, as it would be sent."""
    alert = one.alert
    return {
        "annotations": dict(alert.annotations),
        "endsAt": iso(alert.ends_ns or renewed_ns),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": name} for name in one.receivers],
        "startsAt": iso(alert.starts_ns),
        "status": {
            "inhibitedBy": list(one.inhibited_by),
            "mutedBy": list(one.muted_by),
            "silencedBy": list(one.silenced_by),
            "state": one.state,
        },
        "updatedAt": iso(alert.updated_ns),
        "generatorURL": alert.generator_url,
        "labels": dict(alert.labels),
    }


def group_json(group: Group, renewed_ns: int) -> Json:
    """Write a group with its alerts."""
    return {
        "alerts": [alert_json(one, renewed_ns) for one in group.alerts],
        "labels": dict(group.labels),
        "receiver": {"name": group.route.receiver},
        "routeLabels": group.route.labels,
    }
