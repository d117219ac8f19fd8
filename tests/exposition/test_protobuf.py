"""Delimited protobuf, read back by the protobuf library with the messages of Prometheus' own definition."""

from __future__ import annotations

from typing import Any

import pytest

from tailrace.exposition import Exemplar, Family, Format, Histogram, Native, Point, render
from tailrace.exposition.protobuf import spans_of

descriptor = pytest.importorskip("google.protobuf.descriptor_pb2", reason="protobuf is not installed")
from google.protobuf import descriptor_pool, message_factory  # noqa: E402  after the skip

FORM = Format("protobuf", "")

_FIELDS = {
    "LabelPair": "name=1:string value=2:string",
    "Time": "seconds=1:int64 nanos=2:int32",
    "Exemplar": "label=1:*LabelPair value=2:double timestamp=3:Time",
    "Gauge": "value=1:double",
    "Counter": "value=1:double exemplar=2:Exemplar created=3:Time",
    "Bucket": "count=1:uint64 bound=2:double exemplar=3:Exemplar",
    "BucketSpan": "offset=1:sint32 length=2:uint32",
    "Histogram": "count=1:uint64 sum=2:double bucket=3:*Bucket schema=5:sint32 zero_threshold=6:double zero_count=7:uint64 "
    "negative_span=9:*BucketSpan negative_delta=10:*sint64 positive_span=12:*BucketSpan positive_delta=13:*sint64 created=15:Time",
    "Metric": "label=1:*LabelPair gauge=2:Gauge counter=3:Counter histogram=7:Histogram",
    "MetricFamily": "name=1:string help=2:string type=3:int32 metric=4:*Metric unit=5:string",
}
"""The part of `io/prometheus/client/metrics.proto` that is written: name=number:type, `*` is a list."""


def _family_class() -> Any:
    file = descriptor.FileDescriptorProto(name="metrics.proto", package="t", syntax="proto3")
    field = descriptor.FieldDescriptorProto
    for message, fields in _FIELDS.items():
        made = file.message_type.add(name=message)
        for text in fields.split():
            name, _, rest = text.partition("=")
            number, _, kind = rest.partition(":")
            label = field.LABEL_REPEATED if kind.startswith("*") else field.LABEL_OPTIONAL
            kind = kind.lstrip("*")
            if kind in _FIELDS:
                made.field.add(
                    name=name, number=int(number), label=label, type=field.TYPE_MESSAGE, type_name=f".t.{kind}"
                )
            else:
                made.field.add(name=name, number=int(number), label=label, type=getattr(field, f"TYPE_{kind.upper()}"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.MetricFamily"))


def _read(data: bytes) -> list[Any]:
    """Return the families of a delimited stream."""
    kind, families, at = _family_class(), [], 0
    while at < len(data):
        length = shift = 0
        while True:
            length |= (data[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if not data[at - 1] & 0x80:
                break
        families.append(kind.FromString(data[at : at + length]))
        at += length
    return families


def test_counters_and_gauges() -> None:
    point = Point({"b": "2", "a": "é"}, 300, 1_500_000_001, Exemplar({"id": "x"}, 2.0, 3_000_000_004))
    counter, gauge = _read(
        render(
            [
                Family("hits_total", "counter", "Hits.", [point]),
                Family("g_bytes", "gauge", "G.", [Point({}, -2.5)], "bytes"),
            ],
            FORM,
        )
    )
    assert (counter.name, counter.help, counter.type) == ("hits_total", "Hits.", 0)
    metric = counter.metric[0]
    assert [(pair.name, pair.value) for pair in metric.label] == [("a", "é"), ("b", "2")]
    assert (metric.counter.value, metric.counter.created.seconds, metric.counter.created.nanos) == (300, 1, 500_000_001)
    exemplar = metric.counter.exemplar
    assert (exemplar.label[0].value, exemplar.value, exemplar.timestamp.seconds, exemplar.timestamp.nanos) == (
        "x",
        2,
        3,
        4,
    )
    assert (gauge.type, gauge.unit, gauge.metric[0].gauge.value) == (1, "bytes", -2.5)


def test_histograms_classic_and_native() -> None:
    native = Native(3, 2.0**-128, 1, {-24: 1, 0: 2, 1: 5}, {0: 7})
    value = Histogram(16, 12.5, (0.1, 1.0), (4, 5, 7), {2: Exemplar({"id": "x"}, 9.0)}, native)
    (family,) = _read(render([Family("took_seconds", "histogram", "T.", [Point({}, value, 5)])], FORM))
    read = family.metric[0].histogram
    assert (family.type, read.count, read.sum) == (4, 16, 12.5)
    assert [(bucket.count, bucket.bound) for bucket in read.bucket] == [(4, 0.1), (9, 1.0), (16, float("inf"))]
    assert read.bucket[2].exemplar.value == 9
    assert (read.schema, read.zero_threshold, read.zero_count) == (3, 2.0**-128, 1)
    assert [(span.offset, span.length) for span in read.positive_span] == [(-24, 1), (23, 2)]
    assert list(read.positive_delta) == [1, 1, 3]
    assert [(span.offset, span.length) for span in read.negative_span] == [(0, 1)]
    assert list(read.negative_delta) == [7]


@pytest.mark.parametrize(
    "buckets",
    [
        {},
        {5: 1},
        {-3: 2, -2: 2},
        {0: 1, 2: 3},
        {0: 1, 3: 3},
        {0: 1, 4: 3, 5: 1, 9: 9},
        dict.fromkeys(range(-200, 200, 7), 3),
    ],
)
def test_spans_say_the_same_buckets(buckets: dict[int, int]) -> None:
    spans, deltas = spans_of(buckets)
    told: dict[int, int] = {}
    rest, index, count = iter(deltas), 0, 0
    for offset, length in spans:
        index += offset
        for _ in range(length):
            count += next(rest)
            told[index] = count
            index += 1
    assert {bucket: number for bucket, number in told.items() if number} == buckets
    assert next(rest, None) is None
