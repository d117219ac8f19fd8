from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sinks.receivers import around, consumed, mock_kafka
from store.rows import batch
from tailrace.config.load import parse
from tailrace.errors import ConfigError
from tailrace.sinks.kafka.settings import KafkaSettings
from tailrace.sinks.kafka.sink import KafkaCourier, kafka_sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_S = 60.0


@pytest.fixture(scope="module")
def brokers() -> Iterator[str]:
    with mock_kafka("warm") as found:
        yield found


def settings(brokers: str, topic: str, **more) -> KafkaSettings:
    return KafkaSettings(brokers=brokers.split(","), topic=topic, **more)


def test_a_message_has_key_value_time_and_the_headers_that_name_its_row(brokers: str, tmp_path: Path) -> None:
    sink = kafka_sink(settings(brokers, "one"), around(tmp_path, "kafka"))
    sink.submit(batch(["x", "y"], "agent-1", 7, status=[200, None], _level=["info", None])).result(WAIT_S)
    sink.close()
    first, second = consumed(brokers, "one", 2)
    assert json.loads(first.value()) == {
        "time": "2023-11-14T22:13:20.000000000Z",
        "labels": {"app": "a"},
        "line": "x",
        "level": "info",
        "fields": {"status": 200},
    }
    assert json.loads(second.value())["fields"] == {}
    assert (first.key(), first.timestamp()[1]) == (b'{app="a"}', 1_700_000_000_000)
    assert dict(second.headers()) == {"tailrace_agent": b"agent-1", "tailrace_number": b"7", "tailrace_row": b"1"}


def test_a_row_that_no_broker_takes_is_set_aside_and_the_rest_goes_on(brokers: str, tmp_path: Path) -> None:
    made = settings(brokers, "poison", options={"message.max.bytes": 2_000})
    sink = kafka_sink(made, around(tmp_path, "kafka"))
    sink.submit(batch(["a", "x" * 5_000, "b"], "agent-1", 0)).result(WAIT_S)
    sink.close()
    assert [json.loads(one.value())["line"] for one in consumed(brokers, "poison", 2)] == ["a", "b"]
    (letter,) = sink.dead_letters.letters()
    assert letter.frame()["_row"].to_list() == [1]
    assert "too large" in next(iter(letter.reasons)).lower()


def test_brokers_that_are_away_are_waited_for(tmp_path: Path) -> None:
    away = settings("127.0.0.1:1", "x", timeout_s=1.0, retry_s=0.5)
    sink = kafka_sink(away, around(tmp_path, "kafka"))
    sink.submit(batch(["a"], "agent-1", 0)).result(WAIT_S)
    (letter,) = sink.dead_letters.letters()
    assert next(iter(letter.reasons)).startswith("not delivered within 0.5 s: kafka topic x: ")
    assert "127.0.0.1:1" in next(iter(letter.reasons))
    sink.close()


def test_security_is_told_to_the_client_and_secrets_are_not_shown(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hush\n")
    text = f"""
sinks:
  - type: kafka
    brokers: [a:1, b:2]
    topic: t
    security: tls
    tls: {{ca_file: /ca.pem, cert_file: /c.pem, insecure_skip_verify: true}}
    sasl: SCRAM-SHA-512
    user: me
    password_file: {secret}
"""
    found = KafkaCourier(parse(text).sinks[0], lambda: False)._properties()
    wanted = {
        "bootstrap.servers": "a:1,b:2",
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": "hush",
        "ssl.ca.location": "/ca.pem",
        "ssl.certificate.location": "/c.pem",
        "ssl.key.location": "/c.pem",
        "enable.ssl.certificate.verification": False,
        "enable.idempotence": True,
    }
    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("user: me", "needs 'sasl'"),
        ("sasl: PLAIN, user: me", "a user needs a password"),
        ("options: {sasl.password: hush}", "is no further property"),
        ("options: {acks: 1}", "is no further property"),
    ],
)
def test_mistakes_are_said(keys: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse(f"sinks: [{{type: kafka, brokers: ['a:1'], topic: t, {keys}}}]")
    assert "hush" not in str(caught.value)
