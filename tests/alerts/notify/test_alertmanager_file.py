"""Alertmanager's own file becomes our settings, or says what does not fit, and where."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tailrace.alerts.notify.alertmanager_file import parse_alertmanager
from tailrace.alerts.notify.policy import policy
from tailrace.alerts.notify.settings import NotifySettings
from tailrace.errors import ConfigError

FILE = """
global:
  resolve_timeout: 10m
  smtp_smarthost: 'localhost:25'
  smtp_from: tailrace@example.com
  smtp_require_tls: false
  slack_api_url: https://hooks.slack.com/services/T0/B0/hidden
templates: []
route:
  receiver: team
  group_by: [alertname, cluster]
  group_wait: 10s
  routes:
  - receiver: nobody
    match: {severity: none}
  - receiver: chat
    matchers: [ severity="chat" ]
    mute_time_intervals: [nights]
mute_time_intervals:
- name: nights
  time_intervals: [{times: [{start_time: '22:00', end_time: '24:00'}]}]
inhibit_rules:
- {source_match: {severity: page}, target_match: {severity: chat}, equal: [alertname]}
receivers:
- name: nobody
- name: team
  webhook_configs:
  - {url: 'http://127.0.0.1:1/a', timeout: 5s, max_alerts: 3}
  - url: 'http://127.0.0.1:1/b'
    send_resolved: false
    http_config: {authorization: {credentials: hidden}, tls_config: {insecure_skip_verify: true}}
  email_configs:
  - {to: 'x@example.com, y@example.com'}
- name: chat
  slack_configs: [{title: 'now: {{ .Status }}'}]
"""


def test_a_file_as_people_have_it():
    read = parse_alertmanager(FILE)
    found = [(one.name, one.ways, one.send_resolved) for one in read.receivers]
    assert found == [
        ("team", ("webhook",), True),
        ("team", ("webhook",), False),
        ("team", ("email",), False),
        ("chat", ("slack",), False),
    ]
    assert (read.silent_receivers, read.resolve_timeout_s) == (("nobody",), 600.0)
    first, second, mail, chat = read.receivers
    assert (first.webhook.timeout_s, first.webhook.max_alerts) == (5.0, 3)
    assert (second.webhook.bearer_token.reveal(), second.webhook.tls.insecure_skip_verify) == ("hidden", True)
    assert (mail.email.to, mail.email.sender) == (("x@example.com", "y@example.com"), "tailrace@example.com")
    assert (mail.email.host, mail.email.port, mail.email.encryption) == ("localhost", 25, "none")
    assert chat.title == "now: {{ .Status }}"
    assert list(policy(read).lines) == ["team/webhook", "team/webhook/1", "team/email", "chat/slack"]
    assert "hidden" not in str(read.model_dump(mode="json"))


def test_a_configuration_may_name_it(tmp_path):
    path = tmp_path / "alertmanager.yml"
    path.write_text(FILE)
    read = NotifySettings.model_validate({"alertmanager_file": str(path)})
    assert (read.route.receiver, len(read.receivers), len(read.time_intervals)) == ("team", 4, 1)
    with pytest.raises(ValidationError, match="the file given as `alertmanager_file` says this"):
        NotifySettings.model_validate({"alertmanager_file": str(path), "route": {"receiver": "x"}})
    path.write_text("route: 1")
    with pytest.raises(ValidationError, match="a route is required"):
        NotifySettings.model_validate({"alertmanager_file": str(path)})
    with pytest.raises(ValidationError, match="there is no such file"):
        NotifySettings.model_validate({"alertmanager_file": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("route: {receiver: a}\nreceivers: [{name: b}]", "1:9: $.route.receiver: there is no receiver 'a'"),
        ("receivers: [{name: b}]", "$.route: a route is required, with a receiver for all alerts"),
        (
            "route: {receiver: a}\nreceivers:\n- name: a\n  opsgenie_configs: [{api_key: x}]",
            "4:3: $.receivers[0].opsgenie_configs: receivers of the kind 'opsgenie' are not known here",
        ),
        (
            "route: {receiver: a}\nreceivers:\n- name: a\n  webhook_configs:\n  - {urll: 'http://x'}",
            "5:6: $.receivers[0].webhook_configs[0].urll: 'urll' is not taken over (did you mean 'url'?)",
        ),
        (
            "route: {receiver: a}\nreceivers:\n- name: b\n- name: a\n  webhook_configs: [{url: 'http://x'}, {url: 'ftp://x'}]",
            "$.receivers[1].webhook_configs[1].url: this is no address of a web service",
        ),
        ("route: {receiver: a}\nreceivers: [{name: a}, {name: a}]", "$.receivers[1].name: the name 'a' is taken"),
        (
            "route: {receiver: a}\nreceivers: [{name: a}]\ntemplates: [x.tmpl]",
            "$.templates: files of templates are not",
        ),
        (
            "route: {receiver: a}\nreceivers: [{name: a}]\nroutes: []",
            "3:1: $.routes: unknown key 'routes' (did you mean",
        ),
        (
            "global: {opsgenie_api_key: x}\nroute: {receiver: a}\nreceivers: [{name: a}]",
            "1:10: $.global.opsgenie_api_key: 'opsgenie_api_key' has no meaning here",
        ),
        (
            "route: {receiver: a}\nreceivers: [{name: a}]\nglobal: {resolve_timeout: soon}",
            "$.global.resolve_timeout: 'soon' is no duration",
        ),
        ("- a", "expected a mapping of keys to values, got a list"),
        ("route: {receiver: a", "1:"),
    ],
)
def test_what_does_not_fit_is_said_at_its_place(text, said):
    with pytest.raises(ConfigError) as caught:
        parse_alertmanager(text)
    assert any(said in problem.one_line() for problem in caught.value.problems), str(caught.value)
