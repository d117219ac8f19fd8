import polars as pl
import pytest

from tailrace.query.detected import Field, detected_fields, detected_labels, size_text
from tailrace.query.parser import parse


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-20"], "int"),
        (["1", "2.5"], "float"),
        (["1e3", "NaN"], "float"),
        (["true", "false"], "boolean"),
        (["15ms", "1h30m"], "duration"),
        (["1KB", "2.5 MiB"], "bytes"),
        (["1KB", "15ms"], "string"),
        (["1", "x"], "string"),
        (["123456789012345678901"], "float"),
    ],
)
def test_the_kind_is_the_first_that_all_values_fit(values: list[str], kind: str) -> None:
    assert Field(dict.fromkeys(values)).kind == kind


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (9, "9B"),
        (10, "10B"),
        (999, "999B"),
        (1_000, "1.0kB"),
        (1_550, "1.6kB"),
        (10_400, "10kB"),
        (82_854_982, "83MB"),
    ],
)
def test_sizes_are_written_in_one_way(size: int, text: str) -> None:
    assert size_text(size) == text


def test_equal_sizes_are_one_value() -> None:
    assert Field(dict.fromkeys(["1KB", "1000B", "2kb"])).shown() == ["1.0kB", "2.0kB"]


def test_labels_of_identifiers_are_left_out_unless_people_choose_by_them() -> None:
    streams = [{"pod": "1", "id": "1", "n": "1", "zone": ""}, {"pod": "2", "id": "2", "n": "x"}]
    assert detected_labels(streams) == {"n": 2, "pod": 2, "zone": 1}


def frame(**columns: list[str | None]) -> pl.DataFrame:
    height = len(next(iter(columns.values())))
    given = {"_line": [""] * height, "_level": [None] * height} | columns
    return pl.DataFrame(given, schema=dict.fromkeys(given, pl.String))


def fields(query: str = '{a="b"}', **columns: list[str | None]) -> dict[str, Field]:
    found = detected_fields(parse(query), frame(**columns))  # type: ignore[arg-type]
    assert list(found) == sorted(found)
    return found


def test_metadata_needs_no_parser() -> None:
    found = fields(**{"meta.trace": ["1", None, "2"], "_level": ["info", "info", None]})
    assert {name: (list(one.values), one.parsers) for name, one in found.items()} == {
        "detected_level": (["info"], set()),
        "trace": (["1", "2"], set()),
    }


def test_lines_are_read_as_json_else_as_logfmt() -> None:
    found = fields(_line=['{"a":{"b.c":1},"d":[1],"e":null,"f":""}', "a=1 broken", "{broken x=2", "no pairs"])
    assert {name: (list(one.values), one.parsers, one.path) for name, one in found.items()} == {
        "a": (["1"], {"logfmt"}, ()),
        "a_b_c": (["1"], {"json"}, ("a", "b.c")),
        "x": (["2"], {"logfmt"}, ()),
    }


def test_a_field_with_the_name_of_a_label_is_told_apart() -> None:
    assert set(fields(**{"_line": ["app=x n=1"], "stream.app": ["y"]})) == {"app_extracted", "n"}


def test_what_the_query_parses_is_taken_instead_of_the_line() -> None:
    found = fields('{a="b"} | json', **{"_line": ['{"n":1}'], "parsed.n": ["1"], "parsed.__error__": ["x"]})
    assert {name: one.parsers for name, one in found.items()} == {"n": {"json"}}
