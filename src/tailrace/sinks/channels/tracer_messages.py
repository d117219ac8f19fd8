"""The messages of the service `tracer.MetricCollector`: its numbers, made from the table of events.

`Process(stream Metric) returns (Empty)`. A `Metric` has the count, the common members, and the message of its event, if
the protocol knows that event: arguments numbered in their order. What the protocol has no room for has numbers from 101
on, which other receivers skip: the program, the stream and the group of the filter, and the paths behind descriptors.
Needs the extra `otlp`, for protobuf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tailrace.batch import stream_labels
from tailrace.syscalls.events import EVENTS, argument, common, path_of, whole
from tailrace.syscalls.hashing import event_hash

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
_OURS: Final = 101  # number of the first field that is not of the protocol
_TAGS: Final = ("stream", "group")
_V4_PARTS: Final = 4


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="tailrace/tracer.proto", package="tracer", syntax="proto3")
    file.message_type.add(name="Empty")
    _message(file, "ProtobufCommonEvent", list(_COMMON), [("program_id", _Field.TYPE_UINT64)])
    metric = file.message_type.add(name="Metric")
    metric.field.add(name="count", number=1, type=_Field.TYPE_UINT64, label=_Field.LABEL_OPTIONAL)
    parts = [("common_event", 2, "ProtobufCommonEvent")]
    for event, number in _NUMBERS.items():
        name = "".join(word.capitalize() for word in event.split("_"))
        paths = [(f"{wanted.name}_path", _Field.TYPE_STRING) for wanted in EVENTS[event] if wanted.kind == "fd"]
        _message(file, name, [(wanted.name, _type(event, wanted.name)) for wanted in EVENTS[event]], paths)
        parts.append((event, number, name))
    for field, number, name in parts:
        metric.field.add(
            name=field,
            number=number,
            type=_Field.TYPE_MESSAGE,
            label=_Field.LABEL_OPTIONAL,
            type_name=f".tracer.{name}",
        )
    for number, tag in enumerate(_TAGS, _OURS):
        metric.field.add(name=tag, number=number, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL)
    return file


def _message(
    file: descriptor_pb2.FileDescriptorProto, name: str, fields: list[tuple[str, Any]], ours: list[tuple[str, Any]]
) -> None:
    message = file.message_type.add(name=name)
    for number, (field, kind) in [*enumerate(fields, 1), *enumerate(ours, _OURS)]:
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
    for name, kind in (*_COMMON, ("program_id", _Field.TYPE_UINT64)):
        if name != "name":
            setattr(metric.common_event, name, _fitting(common(row, name)[0], kind))
    metric.common_event.name = event
    labels = stream_labels(str(row["_stream"][0] or "{}")) if "_stream" in row.columns else {}
    for tag in _TAGS:
        setattr(metric, tag, labels.get(tag, ""))
    if event in EVENTS:
        metric.common_event.hash = event_hash(row)
    if event in _NUMBERS:
        _fill(getattr(metric, event), row, event)
    return metric


def _fill(part: Any, row: pl.DataFrame, event: str) -> None:  # as above
    """Set the arguments of an event's own message."""
    part.SetInParent()
    for number, wanted in enumerate(EVENTS[event], 1):
        value = argument(row, event, number)[0]
        if value is not None:
            setattr(part, wanted.name, _fitting(value, _type(event, wanted.name)))
        path = path_of(row, event, number)[0] if wanted.kind == "fd" else None
        if path is not None:
            setattr(part, f"{wanted.name}_path", _fitting(path, _Field.TYPE_STRING))


def _fitting(value: object, kind: object) -> object:
    """Return a value as its field takes it: unsigned numbers wrap, names are cut, what is no number is 0."""
    if kind == _Field.TYPE_BYTES:
        return str(value).encode("utf-8", "surrogateescape")[:_NAME_BYTES]
    if kind == _Field.TYPE_STRING:
        return str(value).encode("utf-8", "backslashreplace").decode()
    number = _address(value) if kind == _Field.TYPE_UINT32 and "." in str(value) else whole(value)
    if kind == _Field.TYPE_INT64:
        return (number + 2**63) % 2**64 - 2**63
    return number % 2**64 if kind == _Field.TYPE_UINT64 else number % 2**32


def _address(value: object) -> int:
    """Return an IPv4 address as a number; what is none is 0."""
    parts = str(value).split(".")
    good = len(parts) == _V4_PARTS and all(part.isdecimal() and int(part) < 1 << 8 for part in parts)
    return int.from_bytes(bytes(map(int, parts)), "big") if good else whole(value)
