"""Delimited protobuf, `io.prometheus.client.MetricFamily`: the one format that carries native histograms.

Written by hand: it is six messages of plain fields, and the protobuf library would be one more dependency of every
installation for them. Field numbers are those of `io/prometheus/client/metrics.proto`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.exposition.families import Histogram
from tailrace.exposition.names import escape
from tailrace.protobuf import double, message, text, varint, whole, zigzag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tailrace.exposition.families import Exemplar, Family, Native, Point
    from tailrace.exposition.names import Escaping

_TYPES: Final = {"counter": 0, "gauge": 1, "histogram": 4}
_VALUE_FIELDS: Final = {"counter": 3, "gauge": 2}
_NS: Final = 1_000_000_000
_GAP: Final = 2  # empty buckets that are written out rather than begin a new span, as Prometheus' own client does


def encode(families: Iterable[Family], escaping: Escaping) -> bytes:
    """Return the families, each with its length in front."""
    messages = [_family(family, escaping) for family in families]
    return b"".join(varint(len(one)) + one for one in messages)


def _family(family: Family, escaping: Escaping) -> bytes:
    parts = [text(1, escape(family.name, escaping)), text(2, family.help), whole(3, _TYPES[family.type])]
    parts += [message(4, _metric(family, point, escaping)) for point in family.points]
    if family.unit:
        parts.append(text(5, family.unit))
    return b"".join(parts)


def _metric(family: Family, point: Point, escaping: Escaping) -> bytes:
    labels = b"".join(message(1, _pair(name, point.labels[name], escaping)) for name in sorted(point.labels))
    if isinstance(point.value, Histogram):
        return labels + message(7, _histogram(point, point.value))
    value = double(1, float(point.value))
    if family.type == "counter":
        value += message(2, _exemplar(point.exemplar)) if point.exemplar and point.exemplar.fits else b""
        value += _created(3, point)
    return labels + message(_VALUE_FIELDS[family.type], value)


def _pair(name: str, value: str, escaping: Escaping = "allow-utf-8") -> bytes:
    return text(1, escape(name, escaping)) + text(2, value)


def _created(number: int, point: Point) -> bytes:
    return b"" if point.created_ns is None else message(number, _time(point.created_ns))


def _time(time_ns: int) -> bytes:
    return whole(1, time_ns // _NS) + whole(2, time_ns % _NS)


def _exemplar(exemplar: Exemplar) -> bytes:
    labels = b"".join(message(1, _pair(name, exemplar.labels[name])) for name in sorted(exemplar.labels))
    time = b"" if exemplar.time_ns is None else message(3, _time(exemplar.time_ns))
    return labels + double(2, float(exemplar.value)) + time


def _histogram(point: Point, histogram: Histogram) -> bytes:
    parts = [whole(1, histogram.count), double(2, float(histogram.sum))]
    shown = histogram.exemplars or {}
    below = 0
    bounds = [*histogram.bounds, float("inf")] if histogram.bounds else []
    for index, (bound, count) in enumerate(zip(bounds, histogram.counts, strict=True) if bounds else ()):
        below += count
        bucket = whole(1, below) + double(2, float(bound))
        if index in shown and shown[index].fits:
            bucket += message(3, _exemplar(shown[index]))
        parts.append(message(3, bucket))
    if histogram.native is not None:
        parts += _native(histogram.native)
    return b"".join(parts) + _created(15, point)


def _native(native: Native) -> Iterator[bytes]:
    yield whole(5, zigzag(native.schema))
    yield double(6, native.zero_threshold)
    yield whole(7, native.zero_count)
    for span, delta, buckets in ((9, 10, native.negative), (12, 13, native.positive)):
        spans, deltas = spans_of(buckets)
        for offset, length in spans:
            yield message(span, whole(1, zigzag(offset)) + whole(2, length))
        if deltas:
            yield message(delta, b"".join(varint(zigzag(value)) for value in deltas))
    if not native.positive and not native.negative and not native.zero_threshold:
        yield message(12, whole(1, 0) + whole(2, 0))  # an empty span marks an empty native histogram as one


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
