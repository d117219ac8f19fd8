"""The form of a receiver: what it saves, and what it keeps of what was saved."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.alerts.notify.saved import SavedReceiver
from tailrace.errors import DataError
from tailrace.web.explorer.alerts.ways import FIELDS, definition, fields

FORM = {"name": "ops", "way": "webhook", "url": "http://h:1/x", "tell": "all", "send_resolved": "1"}
VALUES = {
    "url": "http://h/x", "bearer_token": "t", "smarthost": "mail:25", "from": "a@b.c", "to": "d@e.f, g@h.i",
    "username": "u", "password": "p", "urls": "https://hooks.slack.com/services/T1234/B1234/abcd",
    "routing_key": "k" * 32,
}  # fmt: skip


@pytest.mark.parametrize("way", FIELDS)
def test_each_way_can_be_saved_and_edited(way: str) -> None:
    urls = "http://127.0.0.1:9093" if way == "alertmanager" else VALUES["urls"]
    given = {**FORM, "way": way, **{name: VALUES[name] for name in FIELDS[way]}} | (
        {"urls": urls} if way != "email" else {}
    )
    made = definition(given, None)
    saved = SavedReceiver.model_validate(made)
    assert saved.receiver.ways == (way,)
    shown = fields(saved.receiver, saved.route)
    assert (shown["way"], shown["tell"], shown["send_resolved"]) == (way, "all", "1")
    secrets = {"t", "p", VALUES["routing_key"], VALUES["urls"], VALUES["url"]}
    assert not secrets & set(shown.values())


def test_of_what_it_is_told() -> None:
    assert "route" not in definition({**FORM, "tell": "none"}, None)
    assert definition(FORM, None)["route"] == {}
    some = {**FORM, "tell": "some", "matchers": 'severity="page",host=~"web.*"', "group_by": "alertname, host",
            "repeat_interval": "1h"}  # fmt: skip
    assert definition(some, None)["route"] == {
        "matchers": ['severity="page"', 'host=~"web.*"'],
        "group_by": ["alertname", "host"],
        "repeat_interval": "1h",
    }


def test_a_secret_is_kept_for_its_address_alone() -> None:
    before: dict[str, Any] = {
        "receiver": {
            "name": "ops",
            "webhook": {"url": "http://h/x", "bearer_token": "t", "timeout_s": 3},
            "title": "T",
        },
        "route": {"continue": True, "matchers": ["a=b"]},
    }
    kept = definition({**FORM, "url": "", "bearer_token": ""}, before)
    assert kept["receiver"]["webhook"] == {"url": "http://h/x", "bearer_token": "t", "timeout_s": 3}
    assert kept["receiver"]["title"] == "T"
    assert kept["route"] == {"continue": True}
    elsewhere = definition({**FORM, "url": "http://evil/x"}, before)
    assert elsewhere["receiver"]["webhook"] == {"url": "http://evil/x", "timeout_s": 3}
    alone = definition({**FORM, "url": ""}, {"receiver": {"name": "ops", "webhook": "http://h/x"}})
    assert alone["receiver"]["webhook"] == {"url": "http://h/x"}


@pytest.mark.parametrize(
    "wrong", [{"name": " "}, {"way": "pigeon"}, {"tell": "some"}, {"tell": "some", "matchers": "a"}]
)
def test_what_makes_no_receiver_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(DataError):
        definition({**FORM, **wrong}, None)
