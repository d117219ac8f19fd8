"""Rows as OTLP log records: one resource per stream.

Comes in: rows of a batch. Goes out: an `ExportLogsServiceRequest`. Labels of the stream are attributes of the resource
(`service_name` as `service.name`, `host` as `host.name`), fields are attributes of the record; an alert has `count`.
Needs the extra `otlp`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tailrace import __version__
from tailrace.batch import column_field, is_field, stream_labels

if TYPE_CHECKING:
    import polars as pl

UID: Final = "log.record.uid"
"""Attribute by which receivers tell a record that comes again."""

_RESOURCE: Final = {"service_name": "service.name", "host": "host.name"}
_SEVERITY: Final = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
_ID: Final = "_uid"
_ALERT: Final = {"_count": "count", "_passed": "passed", "_value": "value", _ID: UID}


def request(rows: pl.DataFrame, ids: pl.Series | None = None) -> ExportLogsServiceRequest:
    """Return the rows as one request, their order kept within each stream; `ids` become attributes of the records."""
    message = ExportLogsServiceRequest()
    if ids is not None:
        rows = rows.with_columns(ids.alias(_ID))
    for (stream,), part in rows.group_by("_stream", maintain_order=True):
        labels = stream_labels(str(stream or "{}"))
        resource = Resource(attributes=[_pair(_RESOURCE.get(name, name), value) for name, value in labels.items()])
        scope = ScopeLogs(log_records=[_record(row) for row in part.iter_rows(named=True)])
        scope.scope.name, scope.scope.version = "tailrace", __version__
        message.resource_logs.append(ResourceLogs(resource=resource, scope_logs=[scope]))
    return message


def _record(row: dict[str, Any]) -> LogRecord:
    level = row.get("_level") or ""
    pairs = [_pair(column_field(name), value) for name, value in row.items() if value is not None and is_field(name)]
    pairs += [_pair(name, row[column]) for column, name in _ALERT.items() if row.get(column) is not None]
    return LogRecord(
        time_unix_nano=max(0, row.get("_time_ns") or 0),
        observed_time_unix_nano=max(0, row.get("_observed_ns") or 0),
        severity_number=SeverityNumber.ValueType(_SEVERITY.get(level, 0)),
        severity_text=level.upper(),
        body=AnyValue(string_value=_text(row.get("_line") or "")),
        attributes=pairs,
    )


def _pair(key: str, value: object) -> KeyValue:
    match value:
        case bool():
            return KeyValue(key=key, value=AnyValue(bool_value=value))
        case int():
            return KeyValue(key=key, value=AnyValue(int_value=value))
        case float():
            return KeyValue(key=key, value=AnyValue(double_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=_text(str(value))))


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
