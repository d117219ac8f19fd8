from itertools import pairwise

import polars as pl
import pytest

from tailrace.query import parser
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.search.facets import Numbers, Value, hidden, of_fields, of_labels, unusual
from tailrace.web.explorer.search.sample import Part, Sample, merged


def sampled(rows: int, total: int | None = None, **columns: list[str | None]) -> Sample:
    names = {name.replace("__", ".", 1): values for name, values in columns.items()}
    lines = pl.DataFrame({"_line": ["x"] * rows, "_level": [None] * rows}, schema_overrides={"_level": pl.String})
    return Sample(
        lines.with_columns(pl.Series(name, values, pl.String) for name, values in names.items()), total or rows
    )


def log(text: str) -> LogQuery:
    query = parser.parse(text)
    assert isinstance(query, LogQuery)
    return query


def test_labels_are_counted_and_those_with_several_values_come_first() -> None:
    counts = pl.DataFrame(
        {"host": ["a", "b", None, "a"], "job": ["j"] * 4, "bucket": [0] * 4, "lines": [5, 2, 1, 3]},
        schema_overrides={"host": pl.String},
    )
    host, job = of_labels({"job": counts, "host": counts})
    assert (job.name, job.distinct, job.having, job.lines) == ("job", 1, 11, 11)
    assert host.values == [Value("a", 8, 8 / 11), Value("b", 2, 2 / 11)]
    assert (host.distinct, host.having, host.lines, host.more, host.other) == (2, 10, 11, 0, 0)


def test_of_many_values_ten_are_listed_and_the_rest_counted() -> None:
    counts = pl.DataFrame({"h": [f"{n:02}" for n in range(13)], "lines": [20 - n for n in range(13)]})
    (facet,) = of_labels({"h": counts})
    assert [value.text for value in facet.values] == [f"{n:02}" for n in range(10)]
    assert (facet.more, facet.other) == (3, 10 + 9 + 8)


def test_names_and_values_are_found() -> None:
    counts = pl.DataFrame({"h": ["web-1", "web-2", "db"], "lines": [1, 1, 1]})
    assert [[v.text for v in facet.values] for facet in of_labels({"h": counts}, "WEB")] == [["web-1", "web-2"]]
    assert [facet.name for facet in of_labels({"h": counts}, "x")] == []
    assert len(of_labels({"host": counts.rename({"h": "host"})}, "hos")[0].values) == 3
    found = of_fields(sampled(2, meta__status=["200", "404"], meta__user=["ann", "bob"]), None, "40")
    assert [(facet.name, [v.text for v in facet.values]) for facet in found] == [("status", ["404"])]


def test_fields_have_types_shares_and_what_was_parsed_fills_in() -> None:
    sample = sampled(
        4,
        meta__status=["200", "404", "200", None],
        parsed__status=["1", "1", "1", "500"],
        parsed__took=["5ms", "1m2s", None, None],
        meta__size=["5kB", "3MB", "", None],
        meta__ok=["true", "false", "true", "true"],
        meta__who=["ann", "7", "ann", "bob"],
        parsed____error__=["JSONParserErr"] * 4,
    )
    found = {facet.name: facet for facet in of_fields(sample)}
    types = {"status": "number", "took": "duration", "size": "bytes", "ok": "boolean", "who": "text"}
    assert {name: facet.type for name, facet in found.items()} == types
    assert [(value.text, value.lines, value.share) for value in found["status"].values] == [
        ("200", 2, 0.5),
        ("404", 1, 0.25),
        ("500", 1, 0.25),
    ]
    assert (found["size"].having, found["size"].lines) == (2, 4)  # an empty text is no value


def test_numbers_are_spread_over_bins_whose_last_is_open() -> None:
    values = [str(number) for number in range(100)] + ["1000000"]
    (facet,) = of_fields(sampled(101, meta__n=[*values]))
    numbers = facet.numbers
    assert isinstance(numbers, Numbers)
    assert (numbers.least, numbers.median, numbers.most) == (0.0, 50.0, 1_000_000.0)
    assert numbers.top == 99.0
    assert sum(numbers.bins) == 101
    assert numbers.bins[0] == 5  # 0 to 4: a twentieth of 99 is 4.95
    assert numbers.boxes[0] == (0, round(40 * 5 / max(numbers.bins), 1))
    (few,) = of_fields(sampled(2, meta__n=["1", "2"]))
    assert few.numbers is None  # two values say more than a drawing
    (odd,) = of_fields(sampled(2, meta__n=["NaN", "2"]))
    assert odd.type == "text"


def test_values_that_became_frequent_are_unusual_and_chance_is_not() -> None:
    now = sampled(1_000, meta__s=["500"] * 300 + ["200"] * 700, meta__h=["a"] * 510 + ["b"] * 490)
    before = sampled(1_000, meta__s=["500"] * 10 + ["200"] * 890 + ["404"] * 100, meta__h=["a"] * 490 + ["b"] * 510)
    found = unusual(of_fields(now, before))
    assert [(one.facet.name, one.value.text, one.value.share, one.value.before) for one in found] == [
        ("s", "500", 0.3, 0.01),
        ("s", "200", 0.7, 0.89),
    ]
    assert unusual(of_fields(now, sampled(0, total=0))) == []
    assert unusual(of_fields(now)) == []


def test_what_a_parser_would_find_is_told_unless_the_query_parses() -> None:
    frame = pl.DataFrame({"_line": ['{"user":"ann","n":1}', "a=1 b=2"], "_level": [None, None]})
    sample = Sample(frame.with_columns(pl.lit("1").alias("meta.n")).cast({"_level": pl.String}), 2)
    assert hidden(log('{a="b"}'), sample) == {"json": ["user"], "logfmt": ["a", "b"]}
    assert hidden(log('{a="b"} | json'), sample) == {}


@pytest.mark.parametrize(
    ("lines", "parts", "sums"),
    [
        ([5, 5, 10], 2, [10, 10]),
        ([1] * 10, 10, [1] * 10),
        ([100, 1, 1], 10, [100, 2]),
        ([0, 0, 5], 3, [5]),
        ([7], 4, [7]),
        ([3, 3, 3], 1, [9]),
    ],
)
def test_buckets_become_parts_of_about_equal_weight(lines: list[int], parts: int, sums: list[int]) -> None:
    buckets = [Part(at, at + 1, count) for at, count in enumerate(lines)]
    found = list(merged(buckets, parts))
    assert [part.lines for part in found if part.lines] == sums
    assert len(found) <= parts
    assert (found[0].start_ns, found[-1].end_ns) == (0, len(lines))
    assert all(one.end_ns == other.start_ns for one, other in pairwise(found))
