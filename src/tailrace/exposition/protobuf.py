"""Delimited protobuf, `io.prometheus.client.MetricFamily`: the one format that carries native histograms.

Written by hand: it is six messages of plain fields, and the protobuf library would be one more dependency of every
installation for them. Field numbers are those of `io/prometheus/client/metrics.proto`.

>>> varint(300).hex(), zigzag(-1), zigzag(1)
('ac02', 1, 2)
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from tailrace.exposition.families import Histogram
from tailrace.exposition.names import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tailrace.exposition.families import Exemplar, Family, Native, Point
    from tailrace.exposition.names import Escaping

_TYPES: Final = {"counter": 0, "gauge": 1, "histogram": 4}
_VALUE_FIELDS: Final = {"counter": 3, "gauge": 2}
_VARINT, _DOUBLE, _BYTES = 0, 1, 2  # wire types
_NS: Final = 1_000_000_000
_GAP: Final = 2  # empty buckets that are written out rather than begin a new span, as Prometheus' own client does


def encode(families: Iterable[Family], escaping: Escaping) -> bytes:
    """Return the families, each with its length in front."""
    messages = [_family(family, escaping) for family in families]
    return b"".join(varint(len(message)) + message for message in messages)


def varint(value: int) -> bytes:
    """Return a whole number from 0 on in groups of seven bits."""
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004  seven bits
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value: int) -> int:
    """Return a signed number as one from 0 on, small if it is near 0."""
    return value * 2 if value >= 0 else -value * 2 - 1


def _field(number: int, wire: int, payload: bytes) -> bytes:
    return varint(number << 3 | wire) + payload


def _message(number: int, payload: bytes) -> bytes:
    return _field(number, _BYTES, varint(len(payload)) + payload)


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode("utf-8", "backslashreplace"))


def _double(number: int, value: float) -> bytes:
    return _field(number, _DOUBLE, struct.pack("<d", value))


def _int(number: int, value: int) -> bytes:
    return _field(number, _VARINT, varint(value))


def _family(family: Family, escaping: Escaping) -> bytes:
    parts = [_text(1, escape(family.name, escaping)), _text(2, family.help), _int(3, _TYPES[family.type])]
    parts += [_message(4, _metric(family, point, escaping)) for point in family.points]
    if family.unit:
        parts.append(_text(5, family.unit))
    return b"".join(parts)


def _metric(family: Family, point: Point, escaping: Escaping) -> bytes:
    labels = b"".join(_message(1, _pair(name, point.labels[name], escaping)) for name in sorted(point.labels))
    if isinstance(point.value, Histogram):
        return labels + _message(7, _histogram(point, point.value))
    value = _double(1, float(point.value))
    if family.type == "counter":
        value += _message(2, _exemplar(point.exemplar)) if point.exemplar and point.exemplar.fits else b""
        value += _created(3, point)
    return labels + _message(_VALUE_FIELDS[family.type], value)


def _pair(name: str, value: str, escaping: Escaping = "allow-utf-8") -> bytes:
    return _text(1, escape(name, escaping)) + _text(2, value)


def _created(number: int, point: Point) -> bytes:
    return b"" if point.created_ns is None else _message(number, _time(point.created_ns))


def _time(time_ns: int) -> bytes:
    return _int(1, time_ns // _NS) + _int(2, time_ns % _NS)


def _exemplar(exemplar: Exemplar) -> bytes:
    labels = b"".join(_message(1, _pair(name, exemplar.labels[name])) for name in sorted(exemplar.labels))
    time = b"" if exemplar.time_ns is None else _message(3, _time(exemplar.time_ns))
    return labels + _double(2, float(exemplar.value)) + time


def _histogram(point: Point, histogram: Histogram) -> bytes:
    parts = [_int(1, histogram.count), _double(2, float(histogram.sum))]
    shown = histogram.exemplars or {}
    below = 0
    bounds = [*histogram.bounds, float("inf")] if histogram.bounds else []
    for index, (bound, count) in enumerate(zip(bounds, histogram.counts, strict=True) if bounds else ()):
        below += count
        bucket = _int(1, below) + _double(2, float(bound))
        if index in shown and shown[index].fits:
            bucket += _message(3, _exemplar(shown[index]))
        parts.append(_message(3, bucket))
    if histogram.native is not None:
        parts += _native(histogram.native)
    return b"".join(parts) + _created(15, point)


def _native(native: Native) -> Iterator[bytes]:
    yield _field(5, _VARINT, varint(zigzag(native.schema)))
    yield _double(6, native.zero_threshold)
    yield _int(7, native.zero_count)
    for span, delta, buckets in ((9, 10, native.negative), (12, 13, native.positive)):
        spans, deltas = spans_of(buckets)
        for offset, length in spans:
            yield _message(span, _field(1, _VARINT, varint(zigzag(offset))) + _int(2, length))
        if deltas:
            yield _message(delta, b"".join(varint(zigzag(value)) for value in deltas))
    if not native.positive and not native.negative and not native.zero_threshold:
        yield _message(12, _int(1, 0) + _int(2, 0))  # an empty span marks an empty native histogram as one


def spans_of(buckets: Mapping[int, int]) -> tuple[list[tuple[int, int]], list[int]]:
    """Return runs of buckets as (distance to the run before, length), and each count less the one before.

    >>> spans_of({2: 5, 3: 7, 9: 1})
    ([(2, 2), (5, 1)], [5, 2, -6])
    """
    spans: list[tuple[int, int]] = []
    deltas: list[int] = []
    end = before = 0
    for index in sorted(buckets):
        gap = index - end
        if not spans or gap > _GAP:
            spans.append((gap, 1))
        else:
            deltas += [-before] + [0] * (gap - 1) if gap else []
            before = 0 if gap else before
            spans[-1] = (spans[-1][0], spans[-1][1] + gap + 1)
        deltas.append(buckets[index] - before)
        before, end = buckets[index], index + 1
    return spans, deltas
