"""An `ExportLogsServiceRequest` in JSON, to columns.

Comes in: bytes. Goes out: `Records`. Refuses, whole, by `DataError` with the place: what is no JSON, and members of the
wrong type. As the format wants it: names in lowerCamelCase (the names of the schema are taken too), unknown ones are
passed over, 64-bit numbers may be texts, `traceId` and `spanId` are hexadecimal in any case, bytes are base64.

Cost: about 20 µs per record; protobuf is the way for those who have many.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import Any, Final

import polars as pl

from tailrace import limits
from tailrace.errors import DataError
from tailrace.intake.json_body import load
from tailrace.intake.otlp.records import RECORD, Attributes, Group, Pairs, Records, Scalar, as_text, flat

_HEX: Final = re.compile(r"[0-9A-Fa-f]*")
_DIGITS: Final = re.compile(r"-?[0-9]{1,20}")
_DEPTH: Final = 100  # values inside of values, as in protobuf
_UNSIGNED: Final = (0, 2**64 - 1)
_SIGNED: Final = (-(2**63), 2**63 - 1)
_ENUM: Final = (-(2**31), 2**31 - 1)
_FIXED: Final = (0, 2**32 - 1)

Json = dict[str, Any]  # an object as it came: nested, of several kinds, checked here


def decode(body: bytes) -> Records:
    """Return the records of a request."""
    request = load(body)
    groups: list[Group] = []
    counts: list[int] = []
    columns: dict[str, list[Any]] = {name: [] for name in RECORD}
    pairs = Pairs()
    for where, logs in _objects(_object(request, "$"), "resourceLogs", "$"):
        resource = _attributes(_member(logs, "resource", where), f"{where}.resource")
        for at, one in _objects(logs, "scopeLogs", where):
            records = _objects(one, "logRecords", at)
            if len(columns["line"]) + len(records) > limits.OTLP_RECORDS:
                raise DataError(f"the request has more than {limits.OTLP_RECORDS} records; send fewer at once")
            groups.append(Group(resource, _scope(_member(one, "scope", at), f"{at}.scope")))
            counts.append(len(records))
            for place, record in records:
                _record(record, place, columns, pairs)
    frame = pl.DataFrame([pl.Series(name, columns[name], dtype=dtype) for name, dtype in RECORD.items()])
    return Records(groups, counts, frame, pairs.frames())


def _record(record: Json, where: str, columns: dict[str, list[Any]], pairs: Pairs) -> None:
    row = len(columns["line"])
    columns["time"].append(_integer(record, "timeUnixNano", where, _UNSIGNED))
    columns["observed"].append(_integer(record, "observedTimeUnixNano", where, _UNSIGNED))
    columns["severity"].append(_integer(record, "severityNumber", where, _ENUM))
    columns["severity_text"].append(_text(record, "severityText", where))
    columns["flags"].append(_integer(record, "flags", where, _FIXED))
    columns["dropped"].append(_integer(record, "droppedAttributesCount", where, _FIXED))
    columns["trace"].append(_hex(record, "traceId", where))
    columns["span"].append(_hex(record, "spanId", where))
    columns["event"].append(_text(record, "eventName", where))
    columns["line"].append(as_text(_value(_get(record, "body"), f"{where}.body")))
    columns["raw"].append(None)
    for place, pair in _objects(record, "attributes", where):
        pairs.add(row, _text(pair, "key", place), _value(_get(pair, "value"), f"{place}.value"))


def _scope(scope: Json, where: str) -> Attributes:
    named = (("scope_name", _text(scope, "name", where)), ("scope_version", _text(scope, "version", where)))
    return (*(pair for pair in named if pair[1]), *_attributes(scope, where))


def _attributes(holder: Json, where: str) -> Attributes:
    found: list[tuple[str, Scalar]] = []
    for place, pair in _objects(holder, "attributes", where):
        found += flat(_text(pair, "key", place), _value(_get(pair, "value"), f"{place}.value"))
    return tuple(found)


# --- values -----------------------------------------------------------------------------------------


def _value(value: Any, where: str, depth: int = 0) -> object:
    """Return an `AnyValue`: an object of at most one member, which names its type."""
    if value is None:
        return None
    if depth > _DEPTH:
        raise DataError(f"{where[:200]}: values are nested deeper than {_DEPTH}")
    value = _object(value, where)
    for kind, read in _READERS.items():
        found = _get(value, kind)
        if found is not None:
            return read(value, kind, where)
    if (array := _get(value, "arrayValue")) is not None:
        items = _list(_object(array, f"{where}.arrayValue"), "values", where)
        return [_value(one, f"{where}.values[{index}]", depth + 1) for index, one in enumerate(items)]
    if (kvlist := _get(value, "kvlistValue")) is not None:
        members = _objects(_object(kvlist, f"{where}.kvlistValue"), "values", where)
        return {_text(one, "key", at): _value(_get(one, "value"), at, depth + 1) for at, one in members}
    return None


def _string(value: Json, kind: str, where: str) -> str:
    return _text(value, kind, where)


def _bool(value: Json, kind: str, where: str) -> bool:
    found = _get(value, kind)
    if not isinstance(found, bool):
        raise DataError(f"{where}.{kind} is no boolean")
    return found


def _int(value: Json, kind: str, where: str) -> int:
    return _integer(value, kind, where, _SIGNED)


def _double(value: Json, kind: str, where: str) -> float:
    found = _get(value, kind)
    if isinstance(found, str) and found in {"NaN", "Infinity", "-Infinity"}:
        return float(found)
    try:
        number = math.nan if isinstance(found, bool) else float(found)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isnan(number) and not (isinstance(found, float) and math.isnan(found)):
        raise DataError(f"{where}.{kind} is no number")
    return number


def _bytes(value: Json, kind: str, where: str) -> str:
    """Return bytes as they are kept: in base64, the common alphabet."""
    found = _text(value, kind, where).translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
    try:
        return base64.b64encode(base64.b64decode(found + "=" * (-len(found) % 4), validate=True)).decode()
    except (binascii.Error, ValueError):
        raise DataError(f"{where}.{kind} is no base64") from None


_READERS: Final = {
    "stringValue": _string,
    "boolValue": _bool,
    "intValue": _int,
    "doubleValue": _double,
    "bytesValue": _bytes,
}


# --- members ----------------------------------------------------------------------------------------


def _get(holder: Json, name: str) -> Any:
    """Return a member by its JSON name, or by its name in the schema."""
    found = holder.get(name)
    return holder.get(_SCHEMA_NAMES[name]) if found is None and name in _SCHEMA_NAMES else found


_SCHEMA_NAMES: Final = {
    name: re.sub(r"(?<!^)([A-Z])", lambda match: "_" + match[1].lower(), name)
    for name in (
        "resourceLogs",
        "scopeLogs",
        "logRecords",
        "timeUnixNano",
        "observedTimeUnixNano",
        "severityNumber",
        "severityText",
        "traceId",
        "spanId",
        "eventName",
        "droppedAttributesCount",
        "stringValue",
        "boolValue",
        "intValue",
        "doubleValue",
        "bytesValue",
        "arrayValue",
        "kvlistValue",
    )
}


def _object(value: Any, where: str) -> Json:
    if not isinstance(value, dict):
        raise DataError(f"{where[:200]} is no object")
    return value


def _member(holder: Json, name: str, where: str) -> Json:
    found = _get(holder, name)
    return {} if found is None else _object(found, f"{where}.{name}")


def _list(holder: Json, name: str, where: str) -> list[Any]:
    found = _get(holder, name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise DataError(f"{where}.{name} is no list")
    return found


def _objects(holder: Json, name: str, where: str) -> list[tuple[str, Json]]:
    """Return the objects of a list, each with its place."""
    return [
        (place, _object(one, place))
        for index, one in enumerate(_list(holder, name, where))
        if (place := f"{where}.{name}[{index}]")
    ]


def _text(holder: Json, name: str, where: str) -> str:
    found = _get(holder, name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise DataError(f"{where}.{name} is no string")
    return found if found.isascii() else found.encode("utf-8", "backslashreplace").decode()  # JSON has half characters


def _hex(holder: Json, name: str, where: str) -> str:
    found = _text(holder, name, where)
    if _HEX.fullmatch(found) is None or len(found) % 2:
        raise DataError(f"{where}.{name} is not hexadecimal")
    return found.lower()


def _integer(holder: Json, name: str, where: str, span: tuple[int, int]) -> int:
    found = _get(holder, name)
    if found is None or found == "":
        return 0
    if isinstance(found, str) and _DIGITS.fullmatch(found):
        found = int(found)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if not isinstance(found, int) or isinstance(found, bool) or not span[0] <= found <= span[1]:
        raise DataError(f"{where}.{name} is no integer between {span[0]} and {span[1]}")
    return found
