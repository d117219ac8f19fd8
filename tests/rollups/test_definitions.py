"""Metrics are created once, kept, found and deleted."""

from __future__ import annotations

import pytest

from tailrace.clock import NS_PER_S
from tailrace.control import Control
from tailrace.errors import QueryError
from tailrace.rollups.definitions import Definitions, MetricExistsError
from tailrace.rollups.forms import Form

NOW = 1_700_000_000 * NS_PER_S
EXPR = 'sum by (level) (count_over_time({app="web"}[5m]))'


@pytest.fixture
def definitions(tmp_path):
    control = Control.open(tmp_path)
    yield Definitions(control)
    control.close()


def test_a_metric_is_found_as_it_was_created(definitions):
    made = definitions.create("errors", EXPR, now_ns=NOW)
    assert definitions.get("errors") == made
    assert definitions.list() == [made]
    assert (made.expr, made.bucket_ns, made.period_ns) == (EXPR, 60 * NS_PER_S, 300 * NS_PER_S)
    assert made.since_ns == NOW - 86_400 * NS_PER_S


def test_a_period_that_no_range_has_makes_the_bucket_shorter(definitions):
    made = definitions.create("often", 'count_over_time({app="web"}[5m])', now_ns=NOW, period_ns=45 * NS_PER_S)
    assert (made.bucket_ns, made.period_ns) == (15 * NS_PER_S, 45 * NS_PER_S)


def test_a_form_is_kept_with_its_query(definitions):
    form = Form("p95", "bytes", 30, 10, "status")
    made = definitions.create("sizes", form, now_ns=NOW, backfill_ns=None)
    found = definitions.get("sizes")
    assert found == made
    assert found.form == form
    assert found.expr == ('quantile_over_time(0.95, {host=~".+"} | unwrap bytes | __error__="" [30s]) by (status)')
    assert (found.bucket_ns, found.since_ns) == (30 * NS_PER_S, 0)


def test_a_second_one_of_the_name_is_refused_until_the_first_is_deleted(definitions):
    first = definitions.create("errors", EXPR, now_ns=NOW)
    with pytest.raises(MetricExistsError, match="already created"):
        definitions.create("errors", EXPR, now_ns=NOW)
    assert definitions.delete("errors")
    assert not definitions.delete("errors")
    assert definitions.get("errors") is None
    assert definitions.create("errors", EXPR, now_ns=NOW).uid != first.uid


@pytest.mark.parametrize(
    ("name", "expr", "says"),
    [
        ("a b", EXPR, "no name for a metric"),
        ("a", '{app="web"}', "gives lines, not numbers"),
        ("a", "1 + 1", "reads no lines"),
        ("a", 'rate({app="web"}[500ms])', "does not fit"),
        ("a", 'rate({app="web"}[)', "parse error"),
        ("a", Form("sum"), "is of a property"),
        ("a", Form("averge", "bytes"), "did you mean"),
        ("a", Form("sum", "by tes"), "is no property"),
        ("a", Form("count", period_s=0), "too short"),
    ],
)
def test_what_cannot_be_kept_is_refused(definitions, name, expr, says):
    with pytest.raises(QueryError, match=says):
        definitions.create(name, expr, now_ns=NOW)
    assert definitions.list() == []


def test_a_bucket_that_does_not_divide_the_range_is_refused(definitions):
    with pytest.raises(QueryError, match="bucket of 120 s"):
        definitions.create("errors", EXPR, now_ns=NOW, bucket_ns=120 * NS_PER_S)
    assert definitions.create("errors", EXPR, now_ns=NOW, bucket_ns=30 * NS_PER_S).bucket_ns == 30 * NS_PER_S


@pytest.mark.parametrize(
    ("form", "expr"),
    [
        (Form("count"), 'sum (count_over_time({host=~".+"} [1m]))'),
        (
            Form("count", "status", segment="method"),
            'sum by (method) (count_over_time({host=~".+"} | status!="" [1m]))',
        ),
        (
            Form("sum", "response_bsize", filter='{app="web"} | status >= 500'),
            'sum (sum_over_time({app="web"} | status >= 500 | unwrap bytes | __error__="" [1m]))',
        ),
        (
            Form("distinct", "user", segment="host", filter='|= "x"'),
            'count by (host) (sum by (host, user) (count_over_time({host=~".+"} |= "x" | user!="" [1m])))',
        ),
        (Form("avg", "bytes"), 'avg_over_time({host=~".+"} | unwrap bytes | __error__="" [1m]) by ()'),
    ],
)
def test_forms_are_queries(definitions, form, expr):
    assert definitions.create("a", form, now_ns=NOW).expr == expr


def test_the_section_is_the_first_part_of_the_route(definitions):
    expr = definitions.create("hits", Form("count", segment="section"), now_ns=NOW).expr
    assert expr.startswith("sum by (section) (count_over_time(")
    assert "label_format section=" in expr
