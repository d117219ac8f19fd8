"""The sentence of the alert form, in LogQL and back: "when the count of lines over 5m of … by host is above 10".

Comes in: the words of a form. Goes out: an expression; or, from an expression, the words that say exactly it. Raises
`QueryError` with what to do for words that make none. Pure.

A count without lines is 0, so silence ends such an alert; of an average without lines nothing is known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tailrace.errors import QueryError
from tailrace.query.literals import number, range_duration, write_duration, write_number
from tailrace.query.parser import parse
from tailrace.query.stages.line_filter import LineFilter
from tailrace.query.syntax import Binary, LogQuery, Metric, Number, RangeAggregation, VectorAggregation
from tailrace.web.explorer.texts import alerts as texts

MEASURES: Final = ("count", "rate", "share", "value")
HOWS: Final = {
    "avg": "avg_over_time(",
    "max": "max_over_time(",
    "min": "min_over_time(",
    "sum": "sum_over_time(",
    "p50": "quantile_over_time(0.5, ",
    "p95": "quantile_over_time(0.95, ",
    "p99": "quantile_over_time(0.99, ",
}
COMPARISONS: Final = {"above": ">", "at least": ">=", "below": "<", "at most": "<="}
ERRORS: Final = '| detected_level=~"error|critical|fatal"'
"""What makes a line an error, as the share counts them."""

SUMMARIES: Final = {
    "count": "{{ $value | humanize }} lines",
    "rate": "{{ $value | humanize }} lines a second",
    "share": "{{ $value | humanizePercentage }} of the lines are errors",
    "value": "{{ $value | humanize }}",
    "": "{{ $value | humanize }}",
}
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORD: Final = re.compile(r"[\w.-]+")
_NAME_CHARS: Final = 60
_QUANTILES: Final = {0.5: "p50", 0.95: "p95", 0.99: "p99"}


@dataclass(frozen=True, slots=True)
class Sentence:
    """The words, as they were typed."""

    q: str
    measure: str = "count"
    of: str = ""  # the field, for `value`
    how: str = "avg"
    over: str = "5m"
    by: str = ""
    cmp: str = "above"
    n: str = "0"


def written(said: Sentence) -> str:
    """Return the expression of a sentence.

    >>> written(Sentence('{app="x"} |= "boom"', by="host", n="10"))
    'sum by (host) (count_over_time({app="x"} |= "boom" [5m])) > 10'
    >>> written(Sentence('{app="x"}', "value", "took_ms", "p95", "10m", cmp="at least", n="250"))
    'quantile_over_time(0.95, {app="x"} | unwrap took_ms [10m]) by () >= 250'
    """
    query, window = _query(said.q), _window(said.over)
    by = ", ".join(_labels(said.by))
    outer = f"sum by ({by}) (" if by else "sum("
    threshold = f" {_comparison(said.cmp)} {_threshold(said)}"
    match said.measure:
        case "count" | "rate":
            function = "count_over_time" if said.measure == "count" else "rate"
            return f"{outer}{function}({query} [{window}])){threshold}"
        case "share":
            errors = f"{outer}count_over_time({query} {ERRORS} [{window}]))"
            return f"{errors} / {outer}count_over_time({query} [{window}])){threshold}"
        case "value":
            return f"{_how(said.how)}{query} | unwrap {_field(said.of)} [{window}]) by ({by}){threshold}"
    raise QueryError(texts.NO_MEASURE.format(said=said.measure[:40]), hint=", ".join(MEASURES))


def _query(text: str) -> str:
    if not text:
        raise _wrong(texts.NO_QUERY)
    tree = parse(text)
    if not isinstance(tree, LogQuery):
        raise _wrong(texts.NUMBERS)
    return str(tree)


def _window(text: str) -> str:
    span = range_duration(text)
    if not span:
        raise _wrong(texts.NO_WINDOW, text)
    return write_duration(span)


def _labels(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if not _LABEL.fullmatch(name):
            raise _wrong(texts.NO_LABEL, name)
    return names


def _comparison(text: str) -> str:
    if text not in COMPARISONS:
        raise QueryError(texts.NO_COMPARISON.format(said=text[:40]), hint=", ".join(COMPARISONS))
    return COMPARISONS[text]


def _threshold(said: Sentence) -> str:
    text = said.n.removesuffix("%").strip()
    value = number(text.removeprefix("-"))
    if value is None:
        raise _wrong(texts.NO_NUMBER, said.n)
    value = -value if text.startswith("-") else value
    return write_number(round(value / 100, 12) if said.measure == "share" else value)


def _how(text: str) -> str:
    if text not in HOWS:
        raise QueryError(texts.NO_HOW.format(said=text[:40]), hint=", ".join(HOWS))
    return HOWS[text]


def _field(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise _wrong(texts.NO_FIELD if text else (texts.FIELD_MISSING, texts.NO_FIELD[1]), text)
    return text


def _wrong(said: tuple[str, str], typed: str = "") -> QueryError:
    what, hint = said
    return QueryError(what.format(said=typed[:40]), hint=hint)


# --- and back -------------------------------------------------------------------------------------


def is_metric(text: str) -> bool:
    """Tell whether a text is a query that gives numbers."""
    try:
        return bool(text) and not isinstance(parse(text, names=True), LogQuery)
    except QueryError:
        return False


def recognised(text: str) -> Sentence | None:
    """Return the sentence that makes exactly this expression, None if no sentence does."""
    try:
        tree = parse(text, names=True)
        said = _said(tree) if isinstance(tree, Binary) else None
        return said if said is not None and str(parse(written(said))) == str(tree) else None
    except QueryError:
        return None


def compared(text: str, value: float) -> str:
    """Return an expression that is true above a value.

    >>> compared('rate({a="b"}[5m])', 3.0), compared("a or b", 3.0)
    ('rate({a="b"}[5m]) > 3', '(a or b) > 3')
    """
    try:
        whole = isinstance(parse(text, names=True), Binary)
    except QueryError:
        whole = False
    return f"({text}) > {write_number(value)}" if whole else f"{text} > {write_number(value)}"


def _said(tree: Binary) -> Sentence | None:
    names = {op: name for name, op in COMPARISONS.items()}
    if tree.op not in names or not isinstance(tree.right, Number):
        return None
    cmp, value, left = names[tree.op], tree.right.value, tree.left
    if isinstance(left, Binary) and left.op == "/":
        return _sum(left.right, "share", cmp, write_number(round(value * 100, 10)))
    if isinstance(left, RangeAggregation):
        return _value(left, cmp, write_number(value))
    counts = isinstance(left, VectorAggregation) and isinstance(left.operand, RangeAggregation)
    measure = "rate" if counts and left.operand.function == "rate" else "count"  # type: ignore[union-attr]  # as `counts` says
    return _sum(left, measure, cmp, write_number(value))


def _sum(tree: Metric, measure: str, cmp: str, n: str) -> Sentence | None:
    if not isinstance(tree, VectorAggregation) or not isinstance(tree.operand, RangeAggregation):
        return None
    inner, by = tree.operand.range, ", ".join(tree.grouping.labels) if tree.grouping else ""
    return Sentence(str(inner.log), measure, "", "avg", write_duration(inner.range_ns), by, cmp, n)


def _value(tree: RangeAggregation, cmp: str, n: str) -> Sentence | None:
    if tree.range.unwrap is None:
        return None
    how = _QUANTILES.get(tree.parameter or 0.0, "") or tree.function.removesuffix("_over_time")
    by = ", ".join(tree.grouping.labels) if tree.grouping else ""
    inner = tree.range
    return Sentence(str(inner.log), "value", tree.range.unwrap.label, how, write_duration(inner.range_ns), by, cmp, n)


def name_of(said: Sentence, expr: str = "") -> str:
    """Return a name for an alert: whose lines, and what is looked for in them.

    >>> name_of(Sentence('{service_name="cart"} |= "timed out"'))
    'cart timed out'
    """
    try:
        tree = parse(said.q) if not expr else None
    except QueryError:
        tree = None
    if not isinstance(tree, LogQuery):
        return ""
    whose = [word for one in tree.selector.matchers if one.op == "=" for word in _WORD.findall(one.value)[-1:]][:1]
    looked = [
        needle.text for stage in tree.stages if isinstance(stage, LineFilter) and stage.op == "|="
        for needle in stage.needles
    ][:1]  # fmt: skip
    what = " ".join(_WORD.findall(" ".join([*whose, *looked])))
    share = {"share": "errors", "value": said.of}.get(said.measure, "")
    return f"{what} {share}".strip()[:_NAME_CHARS]
