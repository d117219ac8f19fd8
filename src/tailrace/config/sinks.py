"""The settings of all kinds of sinks, joined; and what is wrong with a list of them that none can see alone.

A new kind is a model beside its class (`type` as a literal, a `name`), one line here and one in the registry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import Field

from tailrace.settings import Mistake
from tailrace.sinks.elasticsearch.settings import ElasticsearchSettings
from tailrace.sinks.file.settings import FileSettings
from tailrace.sinks.kafka.settings import KafkaSettings
from tailrace.sinks.loki.settings import LokiSettings
from tailrace.sinks.otlp.settings import OtlpSettings
from tailrace.sinks.postgres.settings import PostgresSettings
from tailrace.sinks.prometheus.settings import PrometheusSettings
from tailrace.sinks.settings import StoreSinkSettings
from tailrace.sinks.ship.settings import ShipSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AnySink = Annotated[
    StoreSinkSettings
    | ShipSettings
    | ElasticsearchSettings
    | FileSettings
    | KafkaSettings
    | LokiSettings
    | OtlpSettings
    | PostgresSettings
    | PrometheusSettings,
    Field(discriminator="type"),
]
"""Settings of one sink; `type` says which model reads the rest."""


def wrong_sinks(sinks: Sequence[AnySink], listen: tuple[str, int] | None) -> Iterator[Mistake]:
    """Yield what is wrong with a list of sinks of a program that listens at an address."""
    if all(sink.type == "prometheus" for sink in sinks):
        yield Mistake("no sink takes lines: what is read would go nowhere", "write '- type: store'")
    for index, sink in enumerate(sinks):
        before = sinks[:index]
        taken = [number for number, other in enumerate(before) if other.name == sink.name]
        if taken:
            what = f"the name {sink.name!r} belongs to sinks[{taken[0]}] already"
            yield Mistake(what, "give each sink a name of its own", (index, "name"))
        elif sink.type == "store" and any(other.type == "store" for other in before):
            yield Mistake("there is one table, and a sink for it already", "remove this one", (index, "type"))
        if listen is not None and _is_here(getattr(sink, "url", ""), listen):
            what = "this program listens at this address: each line would come back for ever"
            yield Mistake(what, "give the address of another one", (index, "url"))


def _is_here(url: object, listen: tuple[str, int]) -> bool:
    """Tell whether an address of this machine is the one of `listen`."""
    if not isinstance(url, str) or not url:
        return False
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname in ("localhost", "::1", listen[0]) else parts.hostname
    return host == "127.0.0.1" and parts.port == listen[1] != 0
