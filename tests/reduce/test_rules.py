"""Rules by example (`tests/cases/reduce/rules.toml`), and what holds for all of them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import polars as pl
import pytest

from reduce.frames import frame
from tailrace.reduce.rules import Rule, RuleError

CASES = tomllib.loads((Path(__file__).parents[1] / "cases" / "reduce" / "rules.toml").read_text())


@pytest.mark.parametrize("case", CASES["rules"], ids=[case["rule"] or "empty" for case in CASES["rules"]])
def test_example(case: dict) -> None:
    if "error" in case:
        with pytest.raises(RuleError) as caught:
            Rule(case["rule"])
        assert str(caught.value) == case["error"]
        return
    mask = Rule(case["rule"]).mask(frame(CASES["rows"]))
    assert [number for number, holds in enumerate(mask, 1) if holds] == case["holds"]


@pytest.mark.parametrize("values", [[200, None], [200.0, None], ["200", None]])
def test_the_type_of_a_column_does_not_matter(values: list) -> None:
    table = pl.DataFrame({"status": values})
    for rule in ("status = 200", "status = '200'", "status >= 200", "status in (200)", "status in ('200', 'x')"):
        assert Rule(rule).mask(table).to_list() == [True, False], rule


def test_a_value_that_is_no_number_is_not_larger_than_one() -> None:
    table = pl.DataFrame({"a": [float("nan"), 1.0], "b": ["NaN", "1"]})
    assert Rule("a > 0").mask(table).to_list() == [False, True]
    assert Rule("b > 0").mask(table).to_list() == [False, True]


def test_large_whole_numbers_are_exact() -> None:
    table = pl.DataFrame({"id": [2**53, 2**53 + 1]})
    assert Rule(f"id = {2**53 + 1}").mask(table).to_list() == [False, True]
    assert Rule(f"id in ({2**53 + 1}, 1)").mask(table).to_list() == [False, True]


def test_a_field_goes_before_a_label_row_by_row() -> None:
    table = pl.DataFrame({"_stream": ['{app="label"}'] * 2, "app": ["field", None]})
    assert Rule("app = 'field'").mask(table).to_list() == [True, False]
    assert Rule("app = 'label'").mask(table).to_list() == [False, True]
    assert Rule("\"app\" = 'label'").mask(table).to_list() == [False, False]


def test_labels_of_many_streams() -> None:
    table = pl.DataFrame({"_stream": ['{app="a", host="h"}', '{app="b"}', '{app="a"}', None]})
    assert Rule("app = 'a' and host is null").mask(table).to_list() == [False, False, True, False]


def test_names_that_nothing_had_are_known_afterwards() -> None:
    rule = Rule("stauts = 1 or level = 'error' or path = '/' or app = 'web'")
    assert rule.unseen == {"stauts", "path", "app"}
    rule.mask(frame([{"path": "/"}]))
    assert rule.unseen == {"stauts"}


def test_a_rule_of_constants_and_an_empty_frame() -> None:
    assert Rule("1 = 1").mask(frame([{}, {}])).to_list() == [True, True]
    assert Rule("1 = 1").mask(frame([{}])[:0]).to_list() == []


@pytest.mark.parametrize(
    "text", ["(" * 3000 + "a = 1", "-" * 9000 + "a = 1", "+".join("a" * 5000) + " = 1", "a" * 20_000]
)
def test_too_deep_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(RuleError):
        Rule(text)


def test_many_conditions_side_by_side_are_no_depth() -> None:
    assert Rule(" or ".join(f"status = {number}" for number in range(800))).mask(frame([{"status": 7}])).all()


def test_a_mistake_in_a_rule_of_several_lines_has_its_line() -> None:
    with pytest.raises(RuleError, match=r"^line 2, column 7: expected a column or a value, found 'and'$"):
        Rule("status = 1\n  and and b = 2")
