"""The messages of the service `tracer.MetricCollector`: its numbers, made from the table of events.

`Process(stream Metric) returns (Empty)`. A `Metric` has the count, the common members, and the message of its event, if
the protocol knows that event: arguments numbered in their order. Needs the extra `otlp`, for protobuf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tailrace.syscalls.events import EVENTS, argument, common

if TYPE_CHECKING:
    import polars as pl

METHOD: Final = "/tracer.MetricCollector/Process"

_NUMBERS: Final = {
    "connect_v4": 3,
    "connect_v6": 4,
    "chmod": 5,
    "chown": 6,
    "close": 7,
    "fchmod": 8,
    "fchmodat": 9,
    "fchown": 10,
    "fchownat": 11,
    "mkdir": 12,
    "mkdirat": 13,
    "open": 14,
    "read": 15,
    "write": 16,
}
_Field: Final = descriptor_pb2.FieldDescriptorProto
_COMMON: Final = (
    ("timestamp", _Field.TYPE_UINT64),
    ("pid", _Field.TYPE_INT64),
    ("ret", _Field.TYPE_INT64),
    ("name", _Field.TYPE_STRING),
    ("hash", _Field.TYPE_UINT64),
    ("flags", _Field.TYPE_UINT64),
)
_SIGNED: Final = ("dfd", "count", "flag")
_SMALL: Final = ("user", "group", "sport", "dport", "netns")
_NAME_BYTES: Final = 256


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="tailrace/tracer.proto", package="tracer", syntax="proto3")
    file.message_type.add(name="Empty")
    _message(file, "ProtobufCommonEvent", list(_COMMON))
    metric = file.message_type.add(name="Metric")
    metric.field.add(name="count", number=1, type=_Field.TYPE_UINT64, label=_Field.LABEL_OPTIONAL)
    parts = [("common_event", 2, "ProtobufCommonEvent")]
    for event, number in _NUMBERS.items():
        name = "".join(word.capitalize() for word in event.split("_"))
        _message(file, name, [(wanted.name, _type(event, wanted.name)) for wanted in EVENTS[event]])
        parts.append((event, number, name))
    for field, number, name in parts:
        metric.field.add(
            name=field,
            number=number,
            type=_Field.TYPE_MESSAGE,
            label=_Field.LABEL_OPTIONAL,
            type_name=f".tracer.{name}",
        )
    return file


def _message(file: descriptor_pb2.FileDescriptorProto, name: str, fields: list[tuple[str, Any]]) -> None:
    message = file.message_type.add(name=name)
    for number, (field, kind) in enumerate(fields, 1):
        message.field.add(name=field, number=number, type=kind, label=_Field.LABEL_OPTIONAL)


def _type(event: str, name: str) -> Any:  # a member of an enumeration that protobuf does not type
    if name in ("filename", "pathname", "buf"):
        return _Field.TYPE_BYTES
    if name in ("saddr", "daddr"):
        return _Field.TYPE_UINT32 if event.endswith("_v4") else _Field.TYPE_STRING
    if name in _SMALL:
        return _Field.TYPE_UINT32
    return _Field.TYPE_INT64 if name in _SIGNED or (event, name) == ("open", "flags") else _Field.TYPE_UINT64


_POOL: Final = descriptor_pool.DescriptorPool()
_POOL.Add(_file())
Metric: Final = message_factory.GetMessageClass(_POOL.FindMessageTypeByName("tracer.Metric"))
Empty: Final = message_factory.GetMessageClass(_POOL.FindMessageTypeByName("tracer.Empty"))


def metrics(rows: pl.DataFrame) -> list[Any]:  # of the class above, which is made when the program runs
    """Return the rows as messages."""
    return [_metric(rows[index]) for index in range(len(rows))]


def _metric(row: pl.DataFrame) -> Any:  # as above
    event = str(row["name"][0] or "") if "name" in row.columns else ""
    count = row["_count"][0] if "_count" in row.columns else 1
    metric = Metric(count=max(0, count or 1))
    for name, kind in _COMMON:
        if name != "name":
            setattr(metric.common_event, name, _fitting(common(row, name)[0], kind))
    metric.common_event.name = event
    if event in _NUMBERS:
        part = getattr(metric, event)
        part.SetInParent()
        for number, wanted in enumerate(EVENTS[event], 1):
            value = argument(row, event, number)[0]
            if value is not None:
                setattr(part, wanted.name, _fitting(value, _type(event, wanted.name)))
    return metric


def _fitting(value: object, kind: object) -> object:
    """Return a value as its field takes it: unsigned numbers wrap, names are cut."""
    if kind == _Field.TYPE_BYTES:
        return str(value).encode("utf-8", "surrogateescape")[:_NAME_BYTES]
    if kind == _Field.TYPE_STRING:
        return str(value)
    if kind == _Field.TYPE_UINT32 and "." in str(value):
        parts = [int(part) for part in str(value).split(".")]
        return int.from_bytes(bytes(parts), "big")
    number = int(str(value))
    return number % 2**64 if kind == _Field.TYPE_UINT64 else number % 2**32 if kind == _Field.TYPE_UINT32 else number
