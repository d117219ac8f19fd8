"""Deliver rows to a topic of Kafka, at least once: after a crash at most what was on its way comes again.

Within one life of the program nothing comes twice: the producer is idempotent. Each message has the headers
`tailrace_agent`, `tailrace_number` and `tailrace_row`, which are the same when it comes again, so a consumer can tell.
Its value is a JSON object with `time`, `labels`, `line`, `level` and `fields`. Needs the extra `kafka`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from tailrace.errors import ConfigError, Problem, TransientError
from tailrace.secret import secret_of
from tailrace.sinks.delivery import ROW, Sent
from tailrace.sinks.json_rows import documents
from tailrace.sinks.sending import SendingSink
from tailrace.sinks.service import warn_if_insecure

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.sinks.around import Around
    from tailrace.sinks.delivery import Rows
    from tailrace.sinks.kafka.settings import KafkaSettings

BUFFER_KIB: Final = 64 * 1_024
"""What the client itself may hold; a request of ours is far smaller."""

LAST_S: Final = 2.0
"""How long brokers are waited for when the program is to stop."""

_FLUSH_S: Final = 0.5
_FULL_S: Final = 0.1
_PURGED_S: Final = 1.0
_POISON: Final = ("MSG_SIZE_TOO_LARGE", "INVALID_MSG_SIZE", "INVALID_RECORD", "_INVALID_ARG", "INVALID_TIMESTAMP")


def kafka_sink(settings: KafkaSettings, around: Around) -> SendingSink:
    """Return the sink; a missing extra is a `ConfigError`."""
    try:
        import confluent_kafka  # noqa: F401  to know now
    except ModuleNotFoundError as error:
        hint = "pip install 'tailrace[kafka]'"
        raise ConfigError(
            [Problem(f"sink {settings.name!r}", f"needs {error.name}, which is not installed", hint)]
        ) from error
    return SendingSink(settings, around, KafkaCourier(settings, lambda: around.patience.hurried))


class KafkaCourier:
    """Produces to one topic."""

    def __init__(self, settings: KafkaSettings, hurried: Callable[[], bool]) -> None:
        self._settings = settings
        self._hurried = hurried
        self._producer: Any = None  # of librdkafka's client, which has no types
        self._fatal = self._said = ""
        warn_if_insecure(settings.name, settings.tls)

    def send(self, rows: Rows) -> Sent:
        """Produce messages and wait until the brokers have them."""
        producer = self._made()
        self._said = ""
        outcome: dict[int, Any] = {}  # place: error, None for delivered; Any as above
        refused: dict[int, str] = {}
        for place, message in enumerate(self._messages(rows)):
            why = self._produce(producer, message, _noting(outcome, place))
            if why:
                refused[place] = why
        if self._flush(producer):
            producer.purge()  # else it would go on to send what is then sent again
            producer.flush(_PURGED_S)
        return self._meaning(len(rows), outcome, refused)

    def close(self) -> None:
        """Let go of the brokers."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(_PURGED_S)
            self._producer = None

    def _flush(self, producer: Any) -> int:  # as above
        """Wait until the brokers have everything, and return how many messages they do not have when time is over."""
        left, end_s = 1, time.monotonic() + self._settings.timeout_s
        while left and time.monotonic() < end_s:
            if self._hurried():
                return int(producer.flush(LAST_S))
            left = int(producer.flush(_FLUSH_S))
        return left

    def _messages(self, rows: Rows) -> list[dict[str, Any]]:  # keywords of `produce`
        agent, number = rows.position.agent.encode(), str(rows.position.number).encode()
        head = [("tailrace_agent", agent), ("tailrace_number", number)]
        keys = rows.frame["_stream"] if self._settings.key == "stream" else [None] * len(rows)
        columns = (documents(rows.frame), keys, rows.frame["_time_ns"] // 1_000_000, rows.frame[ROW])
        return [
            {
                "value": value.encode(),
                "key": None if key is None else key.encode(),
                "timestamp": max(0, time_ms or 0),
                "headers": [*head, ("tailrace_row", str(row).encode())],
            }
            for value, key, time_ms, row in zip(*columns, strict=True)
        ]

    def _produce(self, producer: Any, message: dict[str, Any], noting: Callable[[Any, Any], None]) -> str:  # as above
        """Hand a message to the client, which may have to make room first; returns why it never will be sent."""
        from confluent_kafka import KafkaException

        while True:
            try:
                producer.produce(self._settings.topic, on_delivery=noting, **message)
            except BufferError:
                producer.poll(_FULL_S)
            except KafkaException as error:
                if error.args[0].name() in _POISON:
                    return str(error.args[0].str())
                self._reset(error.args[0].str())
                raise TransientError(self._what(error.args[0].str())) from None
            else:
                return ""

    def _meaning(self, count: int, outcome: dict[int, Any], refused: dict[int, str]) -> Sent:  # as above
        again: dict[int, str] = {}
        for place in range(count):
            if place in refused or (place in outcome and outcome[place] is None):
                continue
            error = outcome.get(place)
            if error is not None and error.name() in _POISON:
                refused[place] = str(error.str())
            else:
                again[place] = self._what(self._fatal or self._said or (error.str() if error else "no answer in time"))
        if self._fatal:
            self._reset(self._fatal)
        return Sent(refused, again)

    def _made(self) -> Any:  # as above
        if self._producer is None:
            from confluent_kafka import Producer

            self._fatal = ""
            try:
                self._producer = Producer(self._properties())
            except Exception as error:  # noqa: BLE001  of librdkafka: an unknown property, a missing file
                raise TransientError(self._what(str(error))) from None
        return self._producer

    def _properties(self) -> dict[str, Any]:  # as above
        settings = self._settings
        found: dict[str, Any] = {
            "compression.type": settings.compression,
            "queue.buffering.max.kbytes": BUFFER_KIB,
            "linger.ms": 5,
            "log_level": 2,  # what goes wrong is said by us, once an attempt
            **settings.options,
            "bootstrap.servers": ",".join(settings.brokers),
            "enable.idempotence": True,
            "message.timeout.ms": int(settings.timeout_s * 1_000),
            "error_cb": self._told,
            "security.protocol": _protocol(settings),
        }
        tls = settings.tls
        files = {"ssl.ca.location": tls.ca_file, "ssl.certificate.location": tls.cert_file}
        files["ssl.key.location"] = tls.key_file or tls.cert_file
        found |= {name: str(path) for name, path in files.items() if path is not None}
        if tls.insecure_skip_verify:
            found["enable.ssl.certificate.verification"] = False
        if settings.sasl != "none":
            password = secret_of(settings.password, settings.password_file)
            found |= {"sasl.mechanism": settings.sasl, "sasl.username": settings.user, "sasl.password": password}
        return found

    def _told(self, error: Any) -> None:  # as above
        """Take what the client says beside what became of messages; only a fatal error asks for something."""
        self._said = error.str()
        if error.fatal():
            self._fatal = error.str()

    def _reset(self, why: str) -> None:
        """Begin with a new producer: one with a fatal error sends nothing any more."""
        if self._fatal or "fatal" in why.lower():
            self.close()
            self._fatal = ""

    def _what(self, why: str) -> str:
        return f"kafka topic {self._settings.topic}: {why}"


def _noting(outcome: dict[int, Any], place: int) -> Callable[[Any, Any], None]:  # as above
    def note(error: Any, _message: Any) -> None:  # as above
        outcome[place] = error

    return note


def _protocol(settings: KafkaSettings) -> str:
    secured = settings.security == "tls"
    if settings.sasl == "none":
        return "ssl" if secured else "plaintext"
    return "sasl_ssl" if secured else "sasl_plaintext"
