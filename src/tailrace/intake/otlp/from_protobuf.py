"""An `ExportLogsServiceRequest` in protobuf, to columns.

Comes in: bytes. Goes out: `Records`. Refuses, whole, by `DataError`: bytes that are no such message. Unknown fields are
passed over, as the format wants it.

Cost: about 2 µs per record beside its attributes, in one loop over the records; `values` reads these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from tailrace import limits
from tailrace.errors import DataError
from tailrace.intake.otlp import values
from tailrace.intake.otlp.messages import (
    DecodeError,
    LogRecords,
    Request,
    Resource,
    ResourceLogs,
    Scope,
    ScopeLogs,
)
from tailrace.intake.otlp.records import Group, Records

if TYPE_CHECKING:
    from collections.abc import Sequence


def decode(body: bytes) -> Records:
    """Return the records of a request."""
    groups: list[Group] = []
    counts: list[int] = []
    columns = _Columns()
    resources: dict[bytes, Any] = {}
    scopes: dict[bytes, Any] = {}
    count = 0
    try:
        for data in _counted(Request.FromString(body).resources, 0):
            logs = ResourceLogs.FromString(data)
            resource = _known(resources, logs.resource, _resource)
            for inner in _counted(logs.scopes, len(groups)):
                one = ScopeLogs.FromString(inner)
                count += len(_counted(one.records, count))
                groups.append(Group(resource, _known(scopes, one.scope, _scope)))
                counts.append(len(one.records))
                columns.add(LogRecords.FromString(inner).records)
    except DecodeError:
        raise DataError("malformed protobuf: this is no ExportLogsServiceRequest") from None
    return columns.records(groups, counts)


def _counted(messages: Any, before: int) -> Any:  # Any: bytes of messages, in a class made at run time
    """Return messages if there are not too many of them to be read."""
    if before + len(messages) > limits.OTLP_RECORDS:
        raise DataError(
            f"the request has more than {limits.OTLP_RECORDS} records or groups of them; send fewer at once"
        )
    return messages


class _Columns:
    """The fields of records, as lists."""

    def __init__(self) -> None:
        self.numbers: dict[str, list[int]] = {
            name: [] for name in ("time", "observed", "severity", "flags", "dropped", "held")
        }
        self.texts: dict[str, list[bytes]] = {name: [] for name in ("severity_text", "event", "body", "trace", "span")}
        self.attributes: list[bytes] = []

    def add(self, records: Any) -> None:  # Any: a list of messages whose class is made at run time
        numbers, texts = self.numbers, self.texts
        time, observed, severity = numbers["time"].append, numbers["observed"].append, numbers["severity"].append
        flags, dropped, held = numbers["flags"].append, numbers["dropped"].append, numbers["held"].append
        severity_text, event, body = texts["severity_text"].append, texts["event"].append, texts["body"].append
        trace, span, attributes = texts["trace"].append, texts["span"].append, self.attributes.extend
        for record in records:
            time(record.time)
            observed(record.observed)
            severity(record.severity)
            severity_text(record.severity_text)
            body(record.body)
            flags(record.flags)
            dropped(record.dropped)
            trace(record.trace)
            span(record.span)
            event(record.event)
            its = record.attributes
            held(len(its))
            attributes(its)
            if len(self.attributes) > limits.OTLP_ATTRIBUTES:
                raise DataError(f"the records have more than {limits.OTLP_ATTRIBUTES} attributes; send fewer at once")

    def records(self, groups: Sequence[Group], counts: Sequence[int]) -> Records:
        numbers, texts = self.numbers, self.texts
        line, raw = values.lines(pl.Series(texts["body"], dtype=pl.Binary))
        frame = pl.DataFrame(
            {
                "time": pl.Series(numbers["time"], dtype=pl.UInt64),
                "observed": pl.Series(numbers["observed"], dtype=pl.UInt64),
                **{name: pl.Series(numbers[name], dtype=pl.Int64) for name in ("severity", "flags", "dropped")},
                **{name: _decoded(texts[name]) for name in ("severity_text", "event")},
                **{name: pl.Series(texts[name], dtype=pl.Binary).bin.encode("hex") for name in ("trace", "span")},
                "line": line,
                "raw": raw,
            }
        )
        held = pl.Series(numbers["held"], dtype=pl.UInt32)
        rows = pl.select(pl.int_range(frame.height, dtype=pl.UInt32).repeat_by(pl.lit(held)).explode()).to_series()
        blobs = pl.Series(self.attributes, dtype=pl.Binary)
        pairs = values.pairs(blobs, rows.drop_nulls()) if len(blobs) else []
        return Records(groups, counts, frame, pairs)


def _known(cache: dict[bytes, Any], data: bytes, read: Any) -> Any:  # Any: of resources or of scopes
    """Return what a message says, read once: the records of a program all come with the same ones."""
    found = cache.get(data)
    if found is None:
        found = cache[data] = read(data)
    return found


def _resource(data: bytes) -> Any:
    return values.attributes(Resource.FromString(data).attributes)


def _scope(data: bytes) -> Any:
    scope = Scope.FromString(data)
    named = (("scope_name", values.text(scope.name)), ("scope_version", values.text(scope.version)))
    return (*(pair for pair in named if pair[1]), *values.attributes(scope.attributes))


def _decoded(blobs: list[bytes]) -> pl.Series:
    """Return texts whose bytes should be UTF-8."""
    found = values.texts(pl.Series(blobs, dtype=pl.Binary))
    bad = found.is_null().arg_true()
    return found.scatter(bad, pl.Series([values.text(blobs[at]) for at in bad], dtype=pl.String)) if len(bad) else found
