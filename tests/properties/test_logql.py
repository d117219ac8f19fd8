"""LogQL, for any tree and any text: print and parse are inverse, space and comments mean nothing, no text crashes."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tailrace.errors import QueryError
from tailrace.query.cursor import RESERVED
from tailrace.query.lexer import quote, tokens
from tailrace.query.literals import MAX_INT64
from tailrace.query.parser import parse
from tailrace.query.stages.drop import Drop
from tailrace.query.stages.json import Json
from tailrace.query.stages.keep import Keep
from tailrace.query.stages.label_filter import All, AnyOf, Comparison, LabelFilter
from tailrace.query.stages.line_filter import LineFilter, Needle
from tailrace.query.stages.line_format import LineFormat
from tailrace.query.stages.logfmt import Logfmt
from tailrace.query.syntax import (
    COMPARISONS,
    PRECEDENCE,
    Binary,
    Grouping,
    LogQuery,
    LogRange,
    Matcher,
    Number,
    RangeAggregation,
    Selector,
    Vector,
    VectorAggregation,
)

MS = 1_000_000
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True).filter(lambda name: name.lower() not in RESERVED)
regexes = st.sampled_from(["", ".+", "a|b", r"\d+\.\d*", '[^"`]x', "(?i)é", "a\nb", "x{2,3}"])
numbers = st.floats(allow_nan=False, allow_infinity=False)
unsigned = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
matchers = st.builds(Matcher, names, st.sampled_from(["=", "!="]), st.text(max_size=8)) | st.builds(
    Matcher, names, st.sampled_from(["=~", "!~"]), regexes
)
compare_ops = st.sampled_from(sorted(COMPARISONS))
comparisons = (
    st.builds(Comparison, names, compare_ops, numbers, st.just("number"))
    | st.builds(Comparison, names, compare_ops, st.integers(-MAX_INT64, MAX_INT64), st.just("duration"))
    | st.builds(Comparison, names, compare_ops, st.integers(0, MAX_INT64), st.just("bytes"))
)


def _conditions(parts, depth=2):
    """Trees as the parser makes them: an `All` holds no `All`, an `AnyOf` no `AnyOf`."""
    if depth == 0:
        return parts
    inner = _conditions(parts, depth - 1)
    lists = st.lists(inner, min_size=2, max_size=3)
    return (
        parts
        | lists.filter(lambda found: not any(isinstance(part, All) for part in found)).map(lambda p: All(tuple(p)))
        | lists.filter(lambda found: not any(isinstance(part, AnyOf) for part in found)).map(lambda p: AnyOf(tuple(p)))
    )


def _needles(texts):
    return st.lists(texts.map(Needle), min_size=1, max_size=3).map(tuple)


picks = st.lists(names | matchers, min_size=1, max_size=3).map(tuple)
templates = st.sampled_from(["", "{{.a}} x {{.b}}", '{{ .a | default "-" }}', "plain `text`", "{{if .a}}\n{{end}}"])
stages = st.one_of(
    st.builds(LineFilter, st.sampled_from(["|=", "!="]), _needles(st.text(max_size=8))),
    st.builds(LineFilter, st.sampled_from(["|~", "!~"]), _needles(regexes)),
    st.builds(LabelFilter, _conditions(matchers | comparisons)),
    st.builds(Json),
    st.builds(Logfmt),
    st.builds(LineFormat, templates),
    st.builds(Keep, picks),
    st.builds(Drop, picks),
)
selectors = st.lists(matchers, max_size=2).map(lambda more: Selector((Matcher("host", "=", "a"), *more)))


def _writable(pipeline):
    """Leave out what LogQL cannot say: after `keep a`, a `!= "x"` belongs to the label, as upstream."""
    return not any(
        isinstance(one, Keep | Drop) and isinstance(one.picks[-1], str) and getattr(two, "op", "") in {"!=", "!~"}
        for one, two in itertools.pairwise(pipeline)
    )


logs = st.builds(LogQuery, selectors, st.lists(stages, max_size=3).filter(_writable).map(tuple))
offsets = st.integers(-MAX_INT64, MAX_INT64)
ranges = st.builds(LogRange, logs, st.integers(1, MAX_INT64 // MS).map(lambda ms: ms * MS), offsets)
range_functions = st.sampled_from(["count_over_time", "rate", "bytes_over_time", "bytes_rate"])
groupings = st.none() | st.builds(Grouping, st.lists(names, max_size=3).map(tuple), st.booleans())


def _compound(metrics):
    operands = metrics.filter(lambda metric: not isinstance(metric, Number))
    return (
        st.builds(
            VectorAggregation, st.sampled_from(["sum", "avg", "min", "max", "count"]), operands, groupings, st.none()
        )
        | st.builds(
            VectorAggregation,
            st.sampled_from(["topk", "bottomk"]),
            operands,
            groupings,
            st.integers(1, 1000).map(float),
        )
        | st.builds(Binary, st.sampled_from(sorted(PRECEDENCE.keys() - COMPARISONS)), metrics, metrics)
        | st.builds(Binary, compare_ops, metrics, metrics, st.booleans())
    )


metrics = st.recursive(
    st.builds(RangeAggregation, range_functions, ranges) | st.builds(Number, numbers) | st.builds(Vector, unsigned),
    _compound,
    max_leaves=5,
)
space = st.sampled_from([" ", "\n", "\t\r\n", " # comment \"{'`\n"])


@given(logs | metrics)
def test_print_then_parse_gives_the_same_tree(query):
    text = str(query)
    assert parse(text) == query
    assert str(parse(text)) == text


arithmetic = st.recursive(
    st.integers(-3, 3).map(lambda n: Number(float(n))),
    lambda inner: st.builds(Binary, st.sampled_from(["^", "-", "*", "=="]), inner, inner),
    max_leaves=6,
)


@given(arithmetic)
def test_parentheses_stand_where_they_matter(query):
    assert parse(str(query)) == query


@given(logs | metrics, st.data())
def test_space_and_comments_mean_nothing(query, data):
    loose = "".join(token.text + data.draw(space) for token in tokens(str(query)))
    assert parse(loose) == query


@given(st.text(max_size=30))
def test_any_string_survives_quoting(text):
    (token, _) = tokens(quote(text))
    assert (token.kind, token.value) == ("string", text)


words = st.sampled_from(
    [
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ",",
        "=",
        "!=",
        "=~",
        "|=",
        "|~",
        "|",
        "==",
        ">",
        "+",
        "-",
        "*",
        "^",
        "a",
        "host",
        '"x"',
        "`y`",
        '"("',
        "5",
        "5m",
        "5KB",
        "1e999",
        "rate",
        "sum",
        "by",
        "topk",
        "json",
        "drop",
        "line_format",
        "or",
        "and",
        "bool",
        "offset",
        "#",
        "\n",
        "'",
        '"',
        "`",
        "\\",
        "{{",
        "}}",
        '{a="b"}',
        "[5m]",
        '"{{.a}}"',
        '"{{if}}"',
        "é",
        "$",
        ".",
        "--strict",
        "ip",
    ]
)


def _refusal(text):
    try:
        parse(text)
    except QueryError as error:
        return error
    return None


@given(st.lists(words, max_size=12), st.sampled_from(["", " "]))
def test_no_text_crashes_and_every_place_lies_in_it(parts, between):
    text = between.join(parts)
    error = _refusal(text)
    if error is not None:
        assert error.position is not None
        assert 0 <= error.position <= len(text)
        assert error.query == text
        assert str(error)


@given(st.text(max_size=40))
def test_no_template_crashes(text):
    error = _refusal('{a="b"} | line_format ' + quote("{{" + text))
    assert error is None or error.position is not None
