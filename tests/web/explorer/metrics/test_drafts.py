"""A metric before it is made: what a form says, and what trying it tells."""

from __future__ import annotations

import pytest

from rollups.world import NS, START_NS
from tailrace.errors import QueryError
from tailrace.rollups.forms import Form
from tailrace.web.explorer.metrics.drafts import Draft, read_draft, tried
from web.explorer.site import Site

LINES = '{host=~".+"}'


def test_a_search_fills_the_form_and_an_expression_its_own_field() -> None:
    search = read_draft({"q": LINES, "name": " hits "})
    assert (search.name, search.way, search.filter, search.expr) == ("hits", "form", LINES, "")
    query = read_draft({"q": f"sum(rate({LINES}[5m]))"})
    assert (query.way, query.filter, query.expr, query.period) == ("expr", "", f"sum(rate({LINES}[5m]))", "")
    assert read_draft({"expr": "x"}).way == "expr"
    assert read_draft({}) == Draft()


def test_a_form_is_a_form() -> None:
    draft = Draft(statistic="avg", property="took", segment="host", period="5m", filter=LINES)
    assert draft.what() == Form("avg", "took", 300, None, "host", LINES)
    assert draft.metric().expr == 'avg_over_time({host=~".+"} | unwrap took | __error__="" [5m]) by (host)'
    assert (draft.backfill_ns(), Draft(backfill="").backfill_ns()) == (86_400 * NS, None)


@pytest.mark.parametrize(
    ("draft", "what"),
    [
        (Draft(way="expr"), "the expression is missing"),
        (Draft(period="1500ms"), "is not of whole seconds"),
        (Draft(period="soon"), "is no duration"),
        (Draft(statistic="guess", property="took"), "'guess' is no statistic"),
        (Draft(way="expr", expr=LINES, period=""), "a log query gives lines"),
    ],
)
def test_what_cannot_be_kept_says_why(draft: Draft, what: str) -> None:
    with pytest.raises(QueryError, match=what):
        draft.metric()


def test_trying_counts_series_label_sets_and_lines(site: Site) -> None:
    site.world.lines((-90, "a", None), (-60, "a", None), (-30, "b", None), (-7_200, "c", None))
    services = site.services
    found = tried(Draft(segment="host", filter=LINES), services, site.metrics, lambda: False)
    assert (found.start_ns, found.end_ns) == (START_NS - 3_600 * NS, START_NS)
    assert {curve.name: curve.last for curve in found.chart.curves} == {"host=a": 2.0, "host=b": 1.0}
    assert (found.series, found.sets) == (2, 2)  # c had no line in the last hour
    assert found.rows_a_day == 2 * 1_440
    assert found.backfill_rows == 4
    assert found.bytes_a_row is None  # nothing is kept yet


def test_trying_a_shorter_past_needs_fewer_lines_and_all_of_it_the_most(site: Site) -> None:
    site.world.lines((-90, "a", None))
    site.world.lines((-100 * 86_400, "a", None))
    rows = [
        tried(Draft(filter=LINES, backfill=backfill), site.services, site.metrics, lambda: False).backfill_rows
        for backfill in ("1h", "")
    ]
    assert rows == [1, 2]
