"""OTLP requests as OpenTelemetry's own classes write them."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

T = 1_767_225_600_000_000_001


def any_value(value: object) -> AnyValue:  # noqa: PLR0911  one for each type
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=map(any_value, value)))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=pairs(value)))
    raise TypeError(value)


def pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def record(body: object = "x", time_ns: int = T, attributes: dict[str, Any] | None = None, **more: Any) -> LogRecord:
    return LogRecord(time_unix_nano=time_ns, body=any_value(body), attributes=pairs(attributes or {}), **more)


def request(
    *records: LogRecord,
    resource: dict[str, Any] | None = None,
    scope: dict[str, Any] | None = None,
    name: str = "",
    version: str = "",
) -> ExportLogsServiceRequest:
    of_scope = InstrumentationScope(name=name, version=version, attributes=pairs(scope or {}))
    logs = ResourceLogs(
        resource=Resource(attributes=pairs({"service.name": "cart"} if resource is None else resource)),
        scope_logs=[ScopeLogs(scope=of_scope, log_records=records)],
    )
    return ExportLogsServiceRequest(resource_logs=[logs])
