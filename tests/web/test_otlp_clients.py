"""The exporters of OpenTelemetry's SDK, as programs use them."""

import logging
import warnings

import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from tailrace.clock import SystemClock
from tailrace.intake.gate import Gate
from tailrace.intake.listeners import Supply
from tailrace.intake.otlp.settings import OtlpGrpcSettings
from tailrace.intake.otlp_grpc import OtlpGrpc
from tailrace.intake.settings import IntakeSettings
from web.conftest import House

LINES = 2_000


def told(exporter) -> None:
    """Log as a program does that was given this exporter."""
    provider = LoggerProvider(Resource.create({"service.name": "shop", "service.instance.id": "i1", "host.name": "a1"}))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the handler is to move to another package
        handler = LoggingHandler(logger_provider=provider)
    logger = logging.Logger("shop.cart")  # noqa: LOG001  one of its own: nothing else is to hear it
    logger.addHandler(handler)
    for number in range(LINES):
        logger.warning("no stock of %d", number, extra={"item": number, "kind": "book"})
    assert provider.force_flush(60_000)
    provider.shutdown()


def check(house: House) -> None:
    frame = house.services.engine.collect(
        house.services.engine.scan(
            house.table.snapshot().segments(-(2**63) + 1, 2**63 - 1),
            {name: house.table.snapshot().columns[name] for name in ("_line", "_level", "_stream", "item", "kind")},
        )
    ).sort("item")
    assert frame["item"].to_list() == list(range(LINES))
    assert frame["_line"].to_list() == [f"no stock of {number}" for number in range(LINES)]
    assert set(frame["_level"]) == {"warn"}
    assert set(frame["kind"]) == {"book"}
    assert set(frame["_stream"]) == {'{service_instance_id="i1", service_name="shop"}'}


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_the_http_exporter(house, compression) -> None:
    told(HttpExporter(endpoint=f"{str(house.client.base_url).rstrip('/')}/v1/logs", compression=compression))
    check(house)


def test_the_grpc_exporter(house) -> None:
    gate = Gate(IntakeSettings(), clock=SystemClock(), accounts=house.accounts)
    supply = Supply(house.services.sink, gate, house.accounts, SystemClock())
    listener = OtlpGrpc(OtlpGrpcSettings(listen="127.0.0.1:0"), supply)
    listener.start()
    told(GrpcExporter(endpoint=f"127.0.0.1:{listener.port}", insecure=True))
    listener.stop()
    check(house)
