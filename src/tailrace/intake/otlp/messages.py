"""The messages of OTLP logs, cut no deeper than their columns need.

`google.protobuf` reads what is nested down to records; resources, scopes, bodies and attributes stay bytes here, since
most of them are read as columns (`values`) or are equal to the one before. The library checks every length and number,
in C. Measured against its own classes for the whole schema, for a record of four attributes: 3 instead of 6 µs, and no
object per attribute. Needs the extra `otlp`.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

__all__ = [
    "AnyValue",
    "DecodeError",
    "KeyValue",
    "LogRecords",
    "Request",
    "Resource",
    "ResourceLogs",
    "Scope",
    "ScopeLogs",
]

_Field: Final = descriptor_pb2.FieldDescriptorProto
_PACKAGE: Final = "tailrace.otlp"
_MESSAGES: Final[dict[str, str]] = {
    "Request": "1 repeated resources bytes",
    "ResourceLogs": "1 resource bytes, 2 repeated scopes bytes",
    "ScopeLogs": "1 scope bytes, 2 repeated records bytes",
    "LogRecords": "2 repeated records LogRecord",
    "LogRecord": "1 time fixed64, 2 severity int32, 3 severity_text bytes, 5 body bytes, 6 repeated attributes bytes, "
    "7 dropped uint32, 8 flags fixed32, 9 trace bytes, 10 span bytes, 11 observed fixed64, 12 event bytes",
    "Resource": "1 repeated attributes bytes",
    "Scope": "1 name bytes, 2 version bytes, 3 repeated attributes bytes",
    "KeyValue": "1 key bytes, 2 value AnyValue",
    "AnyValue": "1 string bytes oneof, 2 bool bool oneof, 3 int int64 oneof, 4 double double oneof, "
    "5 array ArrayValue oneof, 6 map MapValue oneof, 7 bytes bytes oneof",
    "ArrayValue": "1 repeated values AnyValue",
    "MapValue": "1 repeated values KeyValue",
}
"""Name to fields: number, name, type. What is nested is bytes first, so that it can be counted before it takes memory;
`LogRecords` is `ScopeLogs` once more, with its records. Texts are bytes: one that is no UTF-8 refuses no request."""


def _classes() -> dict[str, Any]:  # Any: classes made at run time
    file = descriptor_pb2.FileDescriptorProto(name="tailrace/otlp.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for text in fields.split(", "):
            number, *words = text.split()
            field = message.field.add(number=int(number), label=_Field.LABEL_OPTIONAL)
            if words[0] == "repeated":
                field.label = _Field.LABEL_REPEATED
                words = words[1:]
            field.name = words[0]
            if words[-1] == "oneof":
                if not message.oneof_decl:
                    message.oneof_decl.add(name="value")
                field.oneof_index = 0
            if words[1] in _MESSAGES:
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{words[1]}"
            else:
                field.type = _Field.Type.Value(f"TYPE_{words[1].upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES
    }


_CLASSES: Final = _classes()
Request: Final = _CLASSES["Request"]
ResourceLogs: Final = _CLASSES["ResourceLogs"]
ScopeLogs: Final = _CLASSES["ScopeLogs"]
LogRecords: Final = _CLASSES["LogRecords"]
Resource: Final = _CLASSES["Resource"]
Scope: Final = _CLASSES["Scope"]
KeyValue: Final = _CLASSES["KeyValue"]
AnyValue: Final = _CLASSES["AnyValue"]
