"""Samples as the protobuf messages of remote write 1.0 and 2.0, compressed with snappy.

Comes in: series with their labels, one value each, one time. Goes out: the body of a request. Written by hand: the
messages are few, and so nothing needs an extra.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cramjam

from tailrace.exposition import Histogram
from tailrace.exposition.names import LABEL, escape
from tailrace.exposition.text import number
from tailrace.protobuf import double, message, text, varint, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tailrace.exposition import Family

Labels = tuple[tuple[str, str], ...]
"""Names and values, sorted by name; the metric's own name is `__name__`."""

STALE: Final = struct.unpack("<d", struct.pack("<Q", 0x7FF0_0000_0000_0002))[0]
"""The one NaN that says that a series has ended."""

_TYPES: Final = {"counter": 1, "gauge": 2, "histogram": 3}  # of 2.0


@dataclass(frozen=True, slots=True)
class About:
    """What a metric is, for 2.0."""

    type: str
    help: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """The value of one series."""

    labels: Labels
    value: float
    about: About


def samples(families: Iterable[Family], more: Mapping[str, str]) -> dict[Labels, Sample]:
    """Return one sample per series; `more` are labels that a series gets unless it has them. Histograms become classic.

    Where two points have the same labels the later one counts.
    """
    found: dict[Labels, Sample] = {}
    for family in families:
        about = About(family.type, family.help, family.unit)
        for point in family.points:
            for suffix, own, value in _values(point.value):
                labels = {**more, **point.labels, **own, "__name__": escape(family.name + suffix, "underscores")}
                key = _key(labels)
                found[key] = Sample(key, value, about)
    return found


def _values(value: float | Histogram) -> Iterator[tuple[str, dict[str, str], float]]:
    if not isinstance(value, Histogram):
        yield "", {}, value
        return
    below = 0
    for bound, count in zip(value.bounds, value.counts, strict=False):
        below += count
        yield "_bucket", {"le": number(float(bound))}, below
    yield "_bucket", {"le": "+Inf"}, value.count
    yield "_count", {}, value.count
    yield "_sum", {}, value.sum


def _key(labels: Mapping[str, str]) -> Labels:
    named = {name if LABEL.fullmatch(name) else escape(name, "underscores"): value for name, value in labels.items()}
    return tuple(sorted((name, value) for name, value in named.items() if value))


def request(found: Sequence[Sample], time_ms: int, version: str) -> bytes:
    """Return a compressed request of samples taken at one time."""
    body = _version_2(found, time_ms) if version == "2.0" else _version_1(found, time_ms)
    return bytes(cramjam.snappy.compress_raw(body))


def _version_1(found: Sequence[Sample], time_ms: int) -> bytes:
    parts = []
    for one in found:
        labels = b"".join(message(1, text(1, name) + text(2, value)) for name, value in one.labels)
        parts.append(message(1, labels + message(2, double(1, one.value) + whole(2, time_ms))))
    return b"".join(parts)


def _version_2(found: Sequence[Sample], time_ms: int) -> bytes:
    symbols = {"": 0}

    def symbol(word: str) -> int:
        return symbols.setdefault(word, len(symbols))

    parts = []
    for one in found:
        refs = b"".join(varint(symbol(word)) for pair in one.labels for word in pair)
        about = whole(1, _TYPES[one.about.type]) + whole(3, symbol(one.about.help)) + whole(4, symbol(one.about.unit))
        sample = double(1, one.value) + whole(2, time_ms)
        parts.append(message(5, message(1, refs) + message(2, sample) + message(5, about)))
    return b"".join(text(4, one) for one in symbols) + b"".join(parts)
