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
from tailrace.query.stages.decolorize import Decolorize
from tailrace.query.stages.drop import Drop
from tailrace.query.stages.extracts import Extract
from tailrace.query.stages.json import Json
from tailrace.query.stages.keep import Keep
from tailrace.query.stages.label_filter import All, AnyOf, Comparison, Inside, LabelFilter
from tailrace.query.stages.label_format import LabelFormat, Setting
from tailrace.query.stages.line_filter import LineFilter, Needle
from tailrace.query.stages.line_format import LineFormat
from tailrace.query.stages.logfmt import Logfmt
from tailrace.query.stages.pattern import Pattern
from tailrace.query.stages.regexp import Regexp
from tailrace.query.stages.unpack import Unpack
from tailrace.query.syntax import (
    COMPARISONS,
    PRECEDENCE,
    SETS,
    Binary,
    Grouping,
    LabelReplace,
    LogQuery,
    LogRange,
    Matcher,
    Matching,
    Number,
    RangeAggregation,
    Selector,
    Unwrap,
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
    | st.builds(
        Inside, names, st.sampled_from(["=", "!="]), st.sampled_from(["10.0.0.0/8", "::1", "10.0.0.1-10.0.0.9"])
    )
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


addresses = st.sampled_from(["10.0.0.1", "::/8"]).map(lambda text: Needle(text, ip=True))
paths = st.sampled_from(["a", "a.b", 'a["b c"][0]', '["a"]', "[1].x"])
json_extracts = st.lists(st.builds(Extract, names, paths) | names.map(lambda n: Extract(n, n)), max_size=3).map(tuple)
pair_extracts = st.lists(st.builds(Extract, names, st.sampled_from(["a", "b.c", '"d e"'])), max_size=3).map(tuple)
picks = st.lists(names | matchers, min_size=1, max_size=3).map(tuple)
templates = st.sampled_from(["", "{{.a}} x {{.b}}", '{{ .a | default "-" }}', "plain `text`", "{{if .a}}\n{{end}}"])
settings_lists = st.lists(
    st.builds(Setting, names, names) | st.builds(lambda n, t: Setting(n, template=t), names, templates),
    min_size=1,
    max_size=3,
    unique_by=lambda setting: setting.name,
).map(tuple)
stages = st.one_of(
    st.builds(LineFilter, st.sampled_from(["|=", "!="]), _needles(st.text(max_size=8))),
    st.builds(LineFilter, st.sampled_from(["|~", "!~"]), _needles(regexes)),
    st.builds(LineFilter, st.sampled_from(["|>", "!>"]), _needles(st.sampled_from(["", "<_>", "a<_>`", '<_>"x"<_>']))),
    st.builds(LineFilter, st.sampled_from(["|=", "!="]), st.lists(addresses, min_size=1, max_size=2).map(tuple)),
    st.builds(LabelFilter, _conditions(matchers | comparisons)),
    st.builds(Json, json_extracts),
    st.builds(Logfmt, st.booleans(), st.booleans(), pair_extracts),
    st.builds(Regexp, st.sampled_from(["(?P<x>.)", r"\((?P<a>\d+)(?P<b>[^)]*)"])),
    st.builds(Pattern, st.sampled_from(["<a>", "<_> `<b>` x", '"<a>" <b>'])),
    st.builds(Unpack),
    st.builds(Decolorize),
    settings_lists.map(LabelFormat),
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
range_functions = st.sampled_from(["count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time"])
unwraps = st.builds(
    Unwrap,
    names,
    st.sampled_from(["", "bytes", "duration", "duration_seconds"]),
    st.lists(st.builds(LabelFilter, _conditions(matchers | comparisons, 1)), max_size=2).map(tuple),
)
unwrapped = st.builds(LogRange, logs, st.integers(1, MAX_INT64 // MS).map(lambda ms: ms * MS), offsets, unwraps)
value_functions = st.sampled_from(["sum_over_time", "rate", "rate_counter", "absent_over_time"])
grouped_functions = st.sampled_from(["avg_over_time", "max_over_time", "first_over_time", "stddev_over_time"])
label_lists = st.lists(names, max_size=2).map(tuple)
matchings = st.none() | st.builds(Matching, st.booleans(), label_lists)
joins = matchings | st.builds(Matching, st.booleans(), label_lists, st.sampled_from(["left", "right"]), label_lists)
groupings = st.none() | st.builds(Grouping, st.lists(names, max_size=3).map(tuple), st.booleans())


def _constant(metric):
    """Tell whether an operand is a number, which no series are."""
    return isinstance(metric, Number) or (
        isinstance(metric, Binary) and _constant(metric.left) and _constant(metric.right)
    )


def _compound(metrics):
    operands = metrics.filter(lambda metric: not _constant(metric))
    return (
        st.builds(
            VectorAggregation,
            st.sampled_from(["sum", "avg", "min", "max", "count", "stddev", "stdvar"]),
            operands,
            groupings,
            st.none(),
        )
        | st.builds(VectorAggregation, st.sampled_from(["sort", "sort_desc"]), operands, st.none(), st.none())
        | st.builds(
            VectorAggregation,
            st.sampled_from(["topk", "bottomk"]),
            operands,
            groupings,
            st.integers(1, 1000).map(float),
        )
        | st.builds(
            Binary, st.sampled_from(sorted(PRECEDENCE.keys() - COMPARISONS - SETS)), metrics, metrics, matching=joins
        )
        | st.builds(Binary, compare_ops, metrics, metrics, st.booleans(), joins)
        | st.builds(Binary, st.sampled_from(sorted(SETS)), operands, operands, matching=matchings)
        | st.builds(LabelReplace, operands, names, st.sampled_from(["$1", "${a}x", ""]), names, regexes)
    )


metrics = st.recursive(
    st.builds(RangeAggregation, range_functions, ranges)
    | st.builds(RangeAggregation, value_functions, unwrapped)
    | st.builds(RangeAggregation, grouped_functions, unwrapped, groupings)
    | st.builds(RangeAggregation, st.just("quantile_over_time"), unwrapped, groupings, unsigned)
    | st.builds(Number, numbers)
    | st.builds(Vector, unsigned),
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
        "unwrap",
        "on",
        "group_left",
        "label_replace",
        "avg_over_time",
        "quantile_over_time",
        "regexp",
        "pattern",
        "label_format",
        "|>",
        "!>",
        "logfmt",
        "a.b[0]",
        '"<_>"',
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
