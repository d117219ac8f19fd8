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

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tailrace.exposition import Family

Labels = tuple[tuple[str, str], ...]
"""Names and values, sorted by name; the metric's own name is `__name__`."""

STALE: Final = struct.unpack("<d", struct.pack("<Q", 0x7FF0_0000_0000_0002))[0]
"""The one NaN that says that a series has ended."""

_TYPES: Final = {"counter": 1, "gauge": 2, "histogram": 3}  # of 2.0
_DOUBLE, _MESSAGE = 1, 2  # wire types


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
    named = {name if LABEL.fullmatch(name) else escape(name, "underscores"): text for name, text in labels.items()}
    return tuple(sorted((name, text) for name, text in named.items() if text))


def request(found: Sequence[Sample], time_ms: int, version: str) -> bytes:
    """Return a compressed request of samples taken at one time."""
    message = _version_2(found, time_ms) if version == "2.0" else _version_1(found, time_ms)
    return bytes(cramjam.snappy.compress_raw(message))


def _version_1(found: Sequence[Sample], time_ms: int) -> bytes:
    parts = []
    for one in found:
        labels = b"".join(_message(1, _text(1, name) + _text(2, text)) for name, text in one.labels)
        parts.append(_message(1, labels + _message(2, _double(1, one.value) + _whole(2, time_ms))))
    return b"".join(parts)


def _version_2(found: Sequence[Sample], time_ms: int) -> bytes:
    symbols = {"": 0}

    def symbol(text: str) -> int:
        return symbols.setdefault(text, len(symbols))

    parts = []
    for one in found:
        refs = b"".join(_varint(symbol(text)) for pair in one.labels for text in pair)
        about = (
            _whole(1, _TYPES[one.about.type]) + _whole(3, symbol(one.about.help)) + _whole(4, symbol(one.about.unit))
        )
        sample = _double(1, one.value) + _whole(2, time_ms)
        parts.append(_message(5, _message(1, refs) + _message(2, sample) + _message(5, about)))
    return b"".join(_text(4, text) for text in symbols) + b"".join(parts)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | _MESSAGE) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode("utf-8", "backslashreplace"))


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | _DOUBLE) + struct.pack("<d", value)


def _whole(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value & (1 << 64) - 1)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004  seven bits to a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
