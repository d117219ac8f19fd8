"""Range aggregations: the lines of a window, or the values of a label, to numbers."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

from properties.book.filters import byte_count, duration_ns, go_float, judge
from properties.book.line import ERROR, RefusedError, S
from properties.book.stages import passed
from tailrace.query.syntax import (
    RangeAggregation,
)


def key_of(labels):
    return tuple(sorted(labels.items()))


def grouped(labels, grouping):
    if grouping is None:
        return labels
    if grouping.without:
        return {name: value for name, value in labels.items() if name not in grouping.labels}
    return {name: labels[name] for name in grouping.labels if name in labels}


def quantile(q, values):
    if q > 1:
        return math.inf
    values = sorted(values, key=lambda v: (not math.isnan(v), v))
    rank = q * (len(values) - 1)
    low, weight = int(rank), rank - int(rank)
    if weight == 0:
        return values[low]
    return values[low] * (1 - weight) + values[min(low + 1, len(values) - 1)] * weight


def rate_counter(points, start, end, seconds):
    if len(points) < 2:
        return 0.0
    times, values = [t / S for t, _ in points], [v for _, v in points]
    d = values[-1] - values[0] + sum(a for a, b in itertools.pairwise(values) if b < a)
    span = times[-1] - times[0]
    usual = span / (len(points) - 1)
    left, right = times[0] - start / S, end / S - times[-1]
    left = usual / 2 if left >= 1.1 * usual else left
    right = usual / 2 if right >= 1.1 * usual else right
    if d > 0 and values[0] >= 0:
        left = min(left, span * values[0] / d)
    return d * (span + left + right) / span / seconds


def mean(values):
    found = 0.0
    for count, value in enumerate(values, 1):
        if math.isinf(found) and (math.isfinite(value) or value == found):
            continue
        found += value / count - found / count
    return found


def extreme(values, pick):
    numbers = [value for value in values if not math.isnan(value)]
    return pick(numbers) if numbers else math.nan


def variance(values):
    average = sum(values) / len(values)
    return sum((value - average) ** 2 for value in values) / len(values)


def value_of(aggregation, points, start, end):
    seconds = aggregation.range.range_ns / S
    values = [value for _, value in points]
    return {
        "count_over_time": lambda: float(sum(values)),
        "bytes_over_time": lambda: float(sum(values)),
        "rate": lambda: sum(values) / seconds,
        "bytes_rate": lambda: sum(values) / seconds,
        "sum_over_time": lambda: sum(values),
        "avg_over_time": lambda: mean(values),
        "min_over_time": lambda: extreme(values, min),
        "max_over_time": lambda: extreme(values, max),
        "first_over_time": lambda: values[0],
        "last_over_time": lambda: values[-1],
        "stddev_over_time": lambda: math.sqrt(variance(values)),
        "stdvar_over_time": lambda: variance(values),
        "quantile_over_time": lambda: quantile(aggregation.parameter, values),
        "rate_counter": lambda: rate_counter(points, start, end, seconds),
    }[aggregation.function]()


UNWRAPS = {"": go_float, "bytes": byte_count}


def unwrapped(aggregation, lines):
    unwrap = aggregation.range.unwrap
    read = UNWRAPS.get(unwrap.conversion) or (lambda text: None if (ns := duration_ns(text)) is None else ns / 1e9)
    for line in lines:
        text = line.get(unwrap.label)
        if not text:
            continue
        value = read(text)
        if value is None:
            line.fail("SampleExtractionErr")
            value = 0.0
        if all(judge(stage.condition, line) for stage in unwrap.filters):
            yield line, value


def range_samples(aggregation: RangeAggregation, rows, times, outer=None):
    """Return {time: {labels: value}}; `outer` is the sum around, whose groups are formed first."""
    needed = outer is None or (outer.without or outer.labels)
    additive = aggregation.function in ("count_over_time", "rate", "bytes_over_time", "bytes_rate", "sum_over_time")
    narrow = outer is not None and additive and aggregation.grouping is None
    unwrap = aggregation.range.unwrap
    parses = bool(not narrow or needed or unwrap or aggregation.function == "absent_over_time")
    if aggregation.function == "absent_over_time":
        parses = bool(unwrap)
    lines = sorted(passed(aggregation.range.log, rows, parses=parses), key=lambda line: line.t)
    if unwrap:
        samples = list(unwrapped(aggregation, lines))
    else:
        sized = aggregation.function.startswith("bytes")
        samples = [(line, len(line.text.encode()) if sized else 1) for line in lines]
    result = {}
    counts_errors = narrow and not outer.without and ERROR in outer.labels
    for time in times:
        end = time - aggregation.range.offset_ns
        start = end - aggregation.range.range_ns
        window = [(line, value) for line, value in samples if start < line.t <= end]
        if aggregation.function == "absent_over_time":
            if any(line.get(ERROR) is not None for line, _ in window):
                raise RefusedError
            result[time] = {} if window else {key_of(absent_labels(aggregation.range.log.selector)): 1.0}
            continue
        series = defaultdict(list)
        for line, value in window:
            if line.get(ERROR) is not None and not counts_errors:
                raise RefusedError
            labels = line.all()
            if unwrap and not (
                aggregation.grouping
                and not aggregation.grouping.without
                and unwrap.label in aggregation.grouping.labels
            ):
                labels.pop(unwrap.label, None)
            labels = grouped(labels, aggregation.grouping)
            series[key_of(labels)].append((line.t, value))
        result[time] = {key: value_of(aggregation, points, start, end) for key, points in series.items()}
    return result


def absent_labels(selector):
    names = [matcher.name for matcher in selector.matchers]
    return {m.name: m.value for m in selector.matchers if m.op == "=" and m.value and names.count(m.name) == 1}
