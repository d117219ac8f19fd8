"""Settings of the sink for Kafka."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003  pydantic reads it
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tailrace.access.client_tls import ClientTls
from tailrace.secret import Secret  # noqa: TC001  pydantic reads it
from tailrace.settings import Mistake
from tailrace.sinks.settings import SenderSettings, SinkName

_OURS = ("bootstrap.servers", "enable.idempotence", "acks", "message.timeout.ms")
_BROKER: Final = re.compile(r"[^\s,/@]+:\d{1,5}")


def _broker(value: str) -> str:
    if not _BROKER.fullmatch(value):
        raise Mistake(f"{value!r} is no address of a broker", "write host:port, for example kafka-1:9092")
    return value


class KafkaSettings(SenderSettings):
    """A topic of Kafka, or of what speaks its protocol. Needs the extra `kafka`."""

    type: Literal["kafka"] = "kafka"
    """The kind of sink."""

    name: SinkName = "kafka"
    """Name of the sink."""

    brokers: Annotated[tuple[Annotated[str, AfterValidator(_broker)], ...], Field(min_length=1)]
    """Addresses of brokers to begin with, `host:port`."""

    topic: str = Field(min_length=1, max_length=249, pattern=r"^[A-Za-z0-9._-]+$")
    """Topic; it must exist, or the brokers must make it."""

    key: Literal["stream", "none"] = "stream"
    """`stream` keeps the rows of one stream in one partition, and so in order; `none` spreads them."""

    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "zstd"
    """How messages are compressed."""

    security: Literal["plaintext", "tls"] = "plaintext"
    """Whether connections are encrypted."""

    tls: ClientTls = ClientTls()
    """How brokers prove who they are, and how we do, with `security: tls`."""

    sasl: Literal["none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "none"
    """How a user proves who it is."""

    user: str = ""
    """The user, with `sasl`."""

    password: Secret | None = None
    """Password of the user; better in a file of its own."""

    password_file: Path | None = None
    """File that holds the password."""

    options: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Further properties of librdkafka's producer, as `linger.ms`; those of security have keys of their own here."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.sasl == "none") != (not self.user):
            raise Mistake("a user needs 'sasl', and 'sasl' needs a user", "give both or none")
        if self.user and (self.password is None) == (self.password_file is None):
            raise Mistake("a user needs a password", "give password_file, or password")
        for name in self.options:
            if name in _OURS or name.startswith(("ssl.", "sasl.", "security.")):
                raise Mistake(f"{name!r} is no further property", "use the key that stands for it", ("options", name))
        return self
