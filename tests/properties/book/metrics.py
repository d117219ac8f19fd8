"""LogQL by the book: a slow evaluator in plain Python, one line and one sample at a time.

It shares the syntax tree with the product and nothing else: every rule is written down again from the language's
description, without columns, plans or statistics. `answer` takes rows as dictionaries (`t` in nanoseconds, `line`,
`stream` and `meta` as dictionaries) and gives what a query means over them; `RefusedError` where a query must fail.
Here are metric queries above ranges; the files beside it do the rest.
"""

from __future__ import annotations

# ruff: noqa: PLR0911 -- a rule per return, as the description has them
import math
import re
from collections import defaultdict

from properties.book.filters import COMPARE
from properties.book.line import AmbiguousError, RefusedError
from properties.book.ranges import extreme, grouped, key_of, mean, range_samples, variance
from properties.book.stages import passed
from tailrace.query.syntax import (
    Binary,
    LabelReplace,
    LogQuery,
    Number,
    RangeAggregation,
    Vector,
    VectorAggregation,
)


class Everything:
    """A sum without `by`."""

    labels = ()
    without = False


def aggregate(function, values):
    return {
        "sum": lambda: sum(values),
        "avg": lambda: mean(values),
        "min": lambda: extreme(values, min),
        "max": lambda: extreme(values, max),
        "count": lambda: float(len(values)),
        "stddev": lambda: math.sqrt(variance(values)),
        "stdvar": lambda: variance(values),
    }[function]()


def evaluate(metric, rows, times):
    """Return a float, or {time: {labels: value}}."""
    match metric:
        case Number():
            return metric.value
        case Vector():
            return {time: {(): metric.value} for time in times}
        case RangeAggregation():
            return range_samples(metric, rows, times)
        case LabelReplace():
            return replaced(metric, evaluate(metric.operand, rows, times))
        case VectorAggregation():
            if metric.function == "sum" and isinstance(metric.operand, RangeAggregation):
                operand = range_samples(metric.operand, rows, times, metric.grouping or Everything)
            else:
                operand = evaluate(metric.operand, rows, times)
            return {time: of_groups(metric, samples) for time, samples in operand.items()}
    left, right = evaluate(metric.left, rows, times), evaluate(metric.right, rows, times)
    if isinstance(left, float) and isinstance(right, float):
        return float(operate(metric.op, left, right))
    if isinstance(left, float) or isinstance(right, float):
        vector = right if isinstance(left, float) else left
        done = {}
        for time, samples in vector.items():
            pairs = {k: (left, v, v) if isinstance(left, float) else (v, right, v) for k, v in samples.items()}
            done[time] = applied(metric, pairs)
        return done
    return {time: joined_vectors(metric, left[time], right[time]) for time in times}


def replaced(metric: LabelReplace, vectors):
    done = {}
    for time, samples in vectors.items():
        found = {}
        for key, value in samples.items():
            labels = dict(key)
            match = re.fullmatch(metric.regex, labels.get(metric.source, ""), re.DOTALL)
            if match:
                text = re.sub(r"\$(\w+)|\$\{(\w+)\}", lambda m: match[int(m[1] or m[2])] or "", metric.replacement)  # noqa: B023
                labels.pop(metric.target, None)
                if text:
                    labels[metric.target] = text
            if key_of(labels) in found:
                raise AmbiguousError
            found[key_of(labels)] = value
        done[time] = found
    return done


def of_groups(metric: VectorAggregation, samples):
    if metric.function in ("sort", "sort_desc"):
        return samples
    groups = defaultdict(list)
    for key, value in samples.items():
        groups[key_of(grouped(dict(key), metric.grouping or Everything))].append((key, value))
    if metric.function in ("topk", "bottomk", "approx_topk"):
        sign = 1 if metric.function == "bottomk" else -1
        kept = {}
        for members in groups.values():
            members.sort(key=lambda one: (math.isnan(one[1]), 0 if math.isnan(one[1]) else sign * one[1], one[0]))
            kept |= dict(members[: int(metric.parameter)])
        return kept
    return {key: aggregate(metric.function, [value for _, value in members]) for key, members in groups.items()}


def operate(op, a, b):
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return math.nan if b == 0 else a / b
        case "%":
            return math.nan if b == 0 or math.isinf(a) else math.fmod(a, b)
        case "^":
            return power(a, b)
    return float(COMPARE[op](a, b))


def power(a, b):
    try:
        found = a**b
    except ZeroDivisionError:
        return math.inf
    except OverflowError:
        return math.inf
    return math.nan if isinstance(found, complex) else found


def applied(metric: Binary, pairs):
    """Apply an operator to {labels: (left, right, kept)}."""
    done = {}
    for key, (left, right, kept) in pairs.items():
        value = operate(metric.op, left, right)
        if metric.op not in COMPARE or metric.returns_bool:
            done[key] = value
        elif value:
            done[key] = kept
    return done


def signature(metric: Binary, key):
    if metric.matching is None:
        return key
    return tuple((n, v) for n, v in key if (n in metric.matching.labels) == metric.matching.on)


def joined_vectors(metric: Binary, left, right):
    if metric.op in ("and", "or", "unless"):
        ours = {signature(metric, key) for key in left}
        theirs = {signature(metric, key) for key in right}
        if metric.op == "or":
            return {**left, **{k: v for k, v in right.items() if signature(metric, k) not in ours}}
        return {k: v for k, v in left.items() if (signature(metric, k) in theirs) == (metric.op == "and")}
    group = metric.matching.group if metric.matching else ""
    many, one = (right, left) if group == "right" else (left, right)
    index = {}
    for key, value in one.items():
        if signature(metric, key) in index:
            raise RefusedError
        index[signature(metric, key)] = (key, value)
    pairs, seen, result = {}, set(), set()
    for key, value in many.items():
        mark = signature(metric, key)
        if mark not in index:
            continue
        partner, other = index[mark]
        if not group:
            if mark in seen:
                raise RefusedError
            labels = dict(mark) if metric.matching else dict(key)
        else:
            labels = dict(key)
            for name in metric.matching.include:
                labels.pop(name, None)
                if dict(partner).get(name):
                    labels[name] = dict(partner)[name]
        seen.add(mark)
        a, b = (other, value) if group == "right" else (value, other)
        if key_of(labels) in result:
            raise RefusedError
        result.add(key_of(labels))
        pairs[key_of(labels)] = (a, b, a)
    return applied(metric, pairs)


def answer(query, rows, start, end, step=None):
    """Return the lines of a log query, (time, text, labels) in time order; or {labels: [(time, value)]}."""
    if isinstance(query, LogQuery):
        lines = [line for line in passed(query, rows) if start <= line.t < end]
        return [(line.t, line.text, line.all()) for line in sorted(lines, key=lambda line: line.t)]
    times = [end] if step is None else range(start // step * step, -(-end // step) * step + 1, step)
    found = evaluate(query, rows, times)
    if isinstance(found, float):
        return {(): [(time, found) for time in times]}
    series = defaultdict(list)
    for time in times:
        for key, value in found[time].items():
            series[key].append((time, value))
    return dict(series)
