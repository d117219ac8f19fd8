"""The settings of all kinds of sinks, joined; and what is wrong with a list of them that none can see alone.

A new kind is a model beside its class (`type` as a literal, a `name`), one line here and one in the registry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tailrace.settings import Mistake
from tailrace.sinks.elasticsearch.settings import ElasticsearchSettings
from tailrace.sinks.file.settings import FileSettings
from tailrace.sinks.kafka.settings import KafkaSettings
from tailrace.sinks.loki.settings import LokiSettings
from tailrace.sinks.otlp.settings import OtlpSettings
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
    | PrometheusSettings,
    Field(discriminator="type"),
]
"""Settings of one sink; `type` says which model reads the rest."""


def wrong_sinks(sinks: Sequence[AnySink]) -> Iterator[Mistake]:
    """Yield what is wrong with a list of sinks."""
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
