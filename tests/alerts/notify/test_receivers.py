"""Mistakes are told as the configuration tells them: where, what, and what to do; and without what may be a secret."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tailrace.alerts.notify.receivers import WAYS, Receiver, receiver_problems
from tailrace.config.document import read_document
from tailrace.config.problems import explain
from tailrace.settings import Settings


class File(Settings):
    """A file with receivers."""

    receivers: tuple[Receiver, ...] = ()


def mistakes(text: str) -> list[str]:
    document = read_document(text, {})
    with pytest.raises(ValidationError) as raised:
        File.model_validate(document.value)
    found = [str(problem) for _, problem in explain(raised.value.errors(), document.value, document, File)]
    assert "s3cret" not in f"{raised.value} {found}"
    return found


GOOD = """
receivers:
- {name: plain, webhook: "http://127.0.0.1/hook"}
- {name: two, alertmanager: ["http://a:9093", "https://b/prefix"], apprise: "slack://a/b/c", send_resolved: false}
- name: mail
  email: {smarthost: "[::1]:465", from: "T <t@x>", to: one@x, username: me, password: env:PW}
  title: '{{ .Status }}'
- {name: duty, pagerduty: k3y}
- {name: hook, webhook: {url: env:HOOK, bearer_token_file: /run/t, headers: {X: env:H}, tls: {ca_file: /ca}}}
- {name: chat, slack: "https://hooks.slack.com/services/a/b/c", teams: {urls_file: /run/teams}}
"""


def test_what_can_be_written() -> None:
    document = read_document(GOOD, {})
    receivers = File.model_validate(document.value).receivers
    assert [one.ways for one in receivers] == [
        ("webhook",), ("alertmanager", "apprise"), ("email",), ("pagerduty",), ("webhook",), ("slack", "teams")
    ]  # fmt: skip
    email = receivers[2].email
    assert email is not None
    assert (email.host, email.port, email.to) == ("::1", 465, ("one@x",))
    assert receivers[1].alertmanager is not None
    assert receivers[1].alertmanager.urls == ("http://a:9093", "https://b/prefix")
    assert not receivers[1].send_resolved


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a@b.c", ("a@b.c",)),
        ("a@b.c, Zwei <d@e.f>", ("a@b.c", "Zwei <d@e.f>")),
        ('"Team, A" <a@b.c>,d@e.f', ('"Team, A" <a@b.c>', "d@e.f")),
        (["Eins <a@b.c>", "d@e.f,g@h.i"], ("Eins <a@b.c>", "d@e.f", "g@h.i")),
    ],
)
def test_addresses_of_mail(written: object, read: tuple[str, ...]) -> None:
    email = {"smarthost": "h", "from": "a@b.c", "to": written}
    found = Receiver.model_validate({"name": "x", "email": email}).email
    assert found is not None
    assert found.to == read


def test_what_has_no_secret_in_it_is_shown_so_that_it_loads_again() -> None:
    document = read_document(GOOD.replace("k3y", "env:K").replace("slack://a/b/c", "env:A"), {})
    receivers = File.model_validate(document.value).receivers
    for receiver in receivers:
        if receiver.name not in ("plain", "chat"):
            assert Receiver.model_validate(receiver.model_dump(mode="json")) == receiver


CASES = [
    ("{name: x}", ["receivers[0]: this receiver has no way to be told (give it one of alertmanager, webhook, "]),
    ("{name: '', webhook: 'http://h'}", ["receivers[0].name: this must not be empty"]),
    ("{name: x, webook: 'http://h'}", ["receivers[0].webook: unknown key 'webook' (did you mean 'webhook'?)"]),
    ("{name: x, webhook: 'ftp://s3cret@h'}", ["receivers[0].webhook: this is no address of a web service (write "]),
    ("{name: x, webhook: 's3cret'}", ["receivers[0].webhook: this is no address of a web service (write "]),
    ("{name: x, webhook: 77}", ["receivers[0].webhook: expected a mapping of keys to values ("]),
    ("{name: x, webhook: {}}", ["receivers[0].webhook.url: this key is required (or url_file)"]),
    (
        "{name: x, webhook: {url: 'http://h/s3cret', url_file: /f}}",
        ["receivers[0].webhook.url_file: both url and url_file are given (keep one of them)"],
    ),
    (
        "{name: x, webhook: {url: 'http://h', basic_auth: 's3cret'}}",
        ["receivers[0].webhook.basic_auth: expected a mapping of keys to values ("],
    ),
    (
        "{name: x, webhook: {url: 'http://h', basic_auth: {username: u, password: 1234}}}",
        ["receivers[0].webhook.basic_auth.password: expected text, got a number (quote it)"],
    ),
    (
        "{name: x, webhook: {url: 'http://h', headers: 's3cret'}}",
        ["receivers[0].webhook.headers: expected a mapping of keys to values ("],
    ),
    (
        "{name: x, webhook: {url: 'http://h', bearer_token: s3cret, basic_auth: {username: u}}}",
        ["receivers[0].webhook: both basic_auth and a bearer token are given (keep one of them)"],
    ),
    (
        "{name: x, webhook: 'http://h/********'}",
        ["receivers[0].webhook: this is not the secret but what is shown of it (write the secret, or env:NAME)"],
    ),
    ("{name: x, webhook: {url: 'http://h', max_alerts: -1}}", ["receivers[0].webhook.max_alerts: expected at least 0"]),
    ("{name: x, webhook: {url: 'http://h', timeout_s: 0}}", ["receivers[0].webhook.timeout_s: expected more than 0"]),
    (
        "{name: x, alertmanager: ['http://u:s3cret@h']}",
        ["receivers[0].alertmanager[0]: this address has a user in it, who would be shown ("],
    ),
    ("{name: x, alertmanager: []}", ["receivers[0].alertmanager: this must not be empty"]),
    (
        "{name: x, email: {smarthost: 'h:x', from: t, to: [a@b, c]}}",
        [
            "receivers[0].email.smarthost: this is no host with a port (write for example mail.example.com:587)",
            "receivers[0].email.from: 't' is no mail address (write name@example.com)",
            "receivers[0].email.to[1]: 'c' is no mail address (write name@example.com)",
        ],
    ),
    ("{name: x, email: {smarthost: h, from: a@b, to: ''}}", ["receivers[0].email.to"]),
    (
        "{name: x, email: {smarthost: h, from: a@b, to: a@b, username: me}}",
        ["receivers[0].email: a user needs a password, and a password a user (give both, or none)"],
    ),
    ("{name: x, email: 'smtp://me:s3cret@h'}", ["receivers[0].email: expected a mapping of keys to values ("]),
    ("{name: x, apprise: {urls: []}}", ["receivers[0].apprise: no address is given (write urls: "]),
    ("{name: x, pagerduty: 1234}", ["receivers[0].pagerduty: expected a mapping of keys to values ("]),
    (
        "{name: x, webhook: 'http://h', title: '{{ .x'}",
        ["receivers[0].title: parse error at line 1, col 1: this action does not end (close it with }})"],
    ),
    (
        "{name: x, webhook: 'http://h', body: '{{ nope }}'}",
        ["receivers[0].body: parse error at line 1, col 4: unknown fu"],
    ),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_mistakes(text: str, expected: list[str]) -> None:
    found = mistakes(f"receivers:\n- {text}\n")
    assert len(found) == len(expected), found
    for said, start in zip(found, expected, strict=True):
        assert f"$.{start}" in said
        assert "1234" not in said


def test_names_are_their_own() -> None:
    def one(name: str) -> Receiver:
        return Receiver.model_validate({"name": name, "webhook": "http://h"})

    [mistake] = receiver_problems((one("a"), one("b"), one("a")))
    assert (str(mistake), mistake.below) == ("the name 'a' belongs to receivers[0] already", (2, "name"))


def test_every_key_is_documented() -> None:
    def models(model: Any) -> list[Any]:
        from tailrace.config.problems import models_in

        below = [inner for field in model.model_fields.values() for inner in models_in(field.annotation)]
        return [model, *(found for inner in below for found in models(inner))]

    for model in models(Receiver):
        assert model.__doc__
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
    assert set(WAYS) < set(Receiver.model_fields)
