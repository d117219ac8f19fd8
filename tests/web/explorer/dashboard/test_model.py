"""What a dashboard may be, and its way into a file and back."""

from __future__ import annotations

import pytest

from tailrace import limits
from tailrace.errors import DataError, QueryError
from tailrace.web.explorer.dashboard.model import Dashboard, Panel, checked, filled, from_json, name_of, to_json
from tailrace.web.explorer.dashboard.start import START

S = 1_000_000_000


def test_step_and_range_stand_in_a_query() -> None:
    query = "sum(rate({a='b'}[$__interval])) / sum(rate({a='b'}[${__range}]))"
    assert filled(query, 30 * S, 3_600 * S) == "sum(rate({a='b'}[30s])) / sum(rate({a='b'}[1h]))"
    assert filled("x[$__auto] y[$__rate_interval] $__intervals", 60 * S, S) == "x[1m] y[1m] $__intervals"


def test_a_panel_is_tidied() -> None:
    panel = checked(Panel("  many   words ", '  {a="b"}\n', by=" host "))
    assert (panel.title, panel.query, panel.by) == ("many words", '{a="b"}', "host")
    assert checked(Panel("", '{a="b"}')).title == '{a="b"}'


@pytest.mark.parametrize(
    ("panel", "what"),
    [
        (Panel("t", ""), "the query is missing"),
        (Panel("t", "{a="), "expected"),
        (Panel("t", 'rate({a="b"}[1m])', "lines"), "a metric query has no lines to list"),
        (Panel("t", '{a="b"}', "pie"), "'pie' is no kind of a panel"),  # type: ignore[arg-type]
        (Panel("t", '{a="b"}', width="huge"), "'huge' is no width of a panel"),  # type: ignore[arg-type]
        (Panel("t", '{a="b"}', by="no label"), "'no label' is no label"),
        (Panel("t" * (limits.TITLE_CHARS + 1), '{a="b"}'), "the title is longer"),
        (Panel("t", '{a="' + "b" * limits.QUERY_BYTES + '"}'), "the query is longer"),
    ],
)
def test_a_panel_that_cannot_be_drawn_is_refused(panel: Panel, what: str) -> None:
    with pytest.raises(QueryError, match=what):
        checked(panel)


def test_a_recorded_series_can_be_drawn() -> None:
    assert checked(Panel("t", "job:errors:rate5m > 1", "curves")).kind == "curves"


def test_every_panel_of_the_first_dashboard_can_be_kept() -> None:
    assert START.built_in
    assert [checked(panel) for panel in START.panels] == list(START.panels)
    assert len({panel.id for panel in START.panels}) == len(START.panels)


def test_a_dashboard_goes_into_a_file_and_back() -> None:
    panels = (
        Panel("a", '{a="b"}', "lines", "", "full", "1"),
        Panel("b", 'rate({a="b"}[1m])', "number", "x", "third", "2"),
    )
    name, found = from_json(to_json(Dashboard("7", "mine", panels, 5)))
    assert name == "mine"
    assert found == [
        Panel("a", '{a="b"}', "lines", "", "full"),
        Panel("b", 'rate({a="b"}[1m])', "number", "x", "third"),
    ]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ([], r"\$\.format: this is no dashboard"),
        ({"format": "tailrace-dashboard-9", "name": "x"}, r"\$\.format"),
        ({"name": 3}, r"\$\.name: this is no text"),
        ({"panels": {}}, r"\$\.panels: this is no list"),
        ({"panels": [{}] * (limits.PANELS + 1)}, r"\$\.panels: this is no list of at most 60 panels"),
        ({"panels": ["x"]}, r"\$\.panels\[0\]: this is no object"),
        ({"panels": [{"title": "x"}]}, r"\$\.panels\[0\]: title and query are needed"),
        ({"panels": [{"title": "x", "query": 1}]}, r"\$\.panels\[0\]\.query: this is no text"),
        ({"panels": [{"title": "x", "query": '{a="b"}', "kin": "bars"}]}, r"\$\.panels\[0\]\.kin: unknown key .*kind"),
        ({"panels": [{"title": "x", "query": "{a="}]}, r"\$\.panels\[0\]: parse error at line 1, col 4"),
    ],
)
def test_a_file_that_is_none_says_where(given: object, what: str) -> None:
    whole = given if not isinstance(given, dict) else {"format": "tailrace-dashboard-1", "name": "x", **given}
    with pytest.raises(DataError, match=what):
        from_json(whole)


def test_a_name_is_short_and_there() -> None:
    assert name_of("  two\nwords ") == "two words"
    for text in ("", "   ", "x" * (limits.TITLE_CHARS + 1)):
        with pytest.raises(QueryError, match="a dashboard has a name"):
            name_of(text)
