"""Rules, metrics, receivers and alerts over HTTP: whatever is sent, the answer is no failure of ours, and comes soon.

Bodies that are right, each with one thing of it replaced by something odd, or left out; texts that are no bodies; and
odd parameters. Afterwards everything can still be listed: nothing was kept that cannot be shown.
"""

from __future__ import annotations

import json
import time
from itertools import product

import httpx
import pytest

from tailrace.clock import SystemClock
from tailrace.config.model import Config
from tailrace.server import Server
from tailrace.sinks.store import StoreSink
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts

SLOW_S = 10
RULE = {"alert": "A", "expr": 'sum(count_over_time({a="b"}[5m])) > 1', "for": "1m", "labels": {"a": "b"}}
GROUP = {"name": "g", "interval": "1m", "limit": 1, "rules": [RULE | {"annotations": {"s": "{{ $value }}"}}]}
WEBHOOK = {"url": "http://127.0.0.1:1/", "timeout_s": 1, "headers": {"a": "b"}, "max_alerts": 1}
TIMES = {"startsAt": "2026-11-22T10:00:00Z", "endsAt": "2099-11-22T10:00:00Z"}
MATCHER = {"name": "a", "value": "b", "isRegex": False, "isEqual": True}
BODIES = [
    ("POST", "/api/v1/metrics", {"name": "m", "expr": 'rate({a="b"}[1m])', "bucket_s": 60, "backfill_s": 60}),
    ("POST", "/api/v1/metrics", {"name": "n", "statistic": "sum", "property": "p", "period_s": 60, "refresh_s": 10}),
    ("PUT", "/api/v1/receivers/x", {"receiver": {"webhook": WEBHOOK}, "route": {"matchers": ["a=b"]}}),
    (
        "POST",
        "/api/v2/alerts",
        [{"labels": {"a": "b"}, "annotations": {"s": "t"}, **TIMES, "generatorURL": "http://a"}],
    ),
    ("POST", "/api/v2/silences", {"matchers": [MATCHER], **TIMES, "createdBy": "x", "comment": "y", "id": ""}),
    ("POST", "/api/v1/rules/backtest", {"group": GROUP, "rule": "A", "start": "now-1h", "sweep": {"threshold": [1]}}),
    ("POST", "/loki/api/v1/rules/ns", GROUP),
]
ODD = [
    *(None, True, 0, -1, 1.5, 10**30, float("inf"), float("nan"), "", "\x00", "\ud800", "a" * 5_000, [], {}, [[]]),
    *("9999-99-99T00:00:00Z", "99999-01-01T00:00:00Z", "{{", {"\ud800": "x"}),
]
NO_BODIES = [
    *(b"", b"\xff\xfe", b"null", b"1", b'"x"', b"[null]", b"{", b"[" * 100_000, b'{"a":' * 50_000, b"1" * 10_000),
    *(b'{"a":1e999}', b"\x00", b'["\\ud800"]', b'"\\ud800": 1', b"a: &a [*a]", b"x: !!python/name:os.system"),
]
WORDS = ["", "-1", "1e999", "NaN", "9" * 30, "%00", "%ff", "%ED%A0%80", "..", "a%2Fb", "{", "(a%2B)%2B$", str(2**63)]
PARAMETERS = {
    "/api/v1/rules": ("type", "file", "rule_group", "match[]", "exclude_alerts", "group_limit", "group_next_token"),
    "/api/v1/rules/evaluations": ("rule", "outcome", "start", "end", "limit"),
    "/api/v1/alerts/history": ("rule", "limit"),
    "/api/v1/notifications": ("state",),
    "/api/v1/metrics/m/values": ("start", "end", "limit"),
    "/api/v2/alerts": ("active", "filter", "receiver"),
    "/api/v2/alerts/groups": ("silenced", "filter", "receiver"),
    "/api/v2/silences": ("filter",),
}
PLACES = [
    *("/api/v1/metrics/{}", "/api/v1/metrics/{}/values", "/api/v1/receivers/{}", "/api/v1/receivers/{}/test"),
    *("/api/v1/notifications/{}", "/api/v1/notifications/{}/retry", "/api/v2/silence/{}", "/loki/api/v1/rules/{}"),
    "/loki/api/v1/rules/ns/{}",
]
LISTS = [*PARAMETERS, "/api/v1/metrics", "/api/v1/receivers", "/api/v2/status", "/loki/api/v1/rules", "/metrics"]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    data = tmp_path_factory.mktemp("hostile")
    config = Config.model_validate({"data": str(data), "listen": "127.0.0.1:0"})
    table = LogTable.open(data, create=True)
    sink = StoreSink(table, clock=SystemClock(), settings=config.store)
    server = Server(config, table, sink, accounts=Accounts(), clock=SystemClock())
    server.start()
    with httpx.Client(base_url=server.address, timeout=30, trust_env=False) as found:
        yield found
    server.stop()
    sink.close()


def ask(client, method, path, **body):
    began = time.monotonic()
    answer = client.request(method, path, **body)
    said = f"{method} {path} {str(body)[:300]}: {answer.status_code} {answer.text[:300]}"
    assert answer.status_code < 500, said
    assert "Traceback" not in answer.text, said
    assert time.monotonic() - began < SLOW_S, said


def trails(value, trail=()):
    yield trail
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from trails(part, (*trail, key))


def changed(body, trail, *odd):
    body = json.loads(json.dumps(body))
    inner = body
    for key in trail[:-1]:
        inner = inner[key]
    if odd:
        inner[trail[-1]] = odd[0]
    else:
        del inner[trail[-1]]
    return body


@pytest.mark.parametrize(
    ("method", "path", "body"), BODIES, ids=[f"{path}-{n}" for n, (_, path, _) in enumerate(BODIES)]
)
def test_odd_bodies(client, method, path, body):
    for text in NO_BODIES:
        ask(client, method, path, content=text)
    for trail in trails(body):
        if trail:
            ask(client, method, path, content=json.dumps(changed(body, trail)))
            for odd in ODD:
                ask(client, method, path, content=json.dumps(changed(body, trail, odd)))
    for listed in LISTS:
        ask(client, "GET", listed)


def test_odd_words(client):
    for path, names in PARAMETERS.items():
        for name, word in product(names, WORDS):
            rule = "rule=x&" if path.endswith("history") and name != "rule" else ""
            ask(client, "GET", f"{path}?{rule}{name}={word}")
    for place, word, method in product(PLACES, WORDS, ("GET", "POST", "PUT", "DELETE", "PATCH")):
        ask(client, method, place.format(word), content=b"{}")
