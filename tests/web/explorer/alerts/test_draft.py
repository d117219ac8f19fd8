"""A rule while it is edited: from an address, to a group, and from a rule that is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from starlette.datastructures import QueryParams

from tailrace.alerts.rules.book import parsed
from tailrace.errors import DataError
from tailrace.web.explorer.alerts.draft import Draft, definition, group, of_rule, placed, read, suggested

DRAFT = Draft(
    q='{app="x"} |= "boom"',
    by="host",
    n="10",
    name="Booms",
    severity="page",
    labels="team=web\n shop = a=b ",
    summary="{{ $value }} booms",
    notes="runbook=https://x/y",
    for_="2m",
    keep="5m",
    nodata="keep",
    every="30s",
)
GROUP: dict[str, Any] = {
    "name": "Booms",
    "interval": "30s",
    "rules": [
        {
            "alert": "Booms",
            "expr": 'sum by (host) (count_over_time({app="x"} |= "boom" [5m])) > 10',
            "for": "2m",
            "keep_firing_for": "5m",
            "labels": {"severity": "page", "team": "web", "shop": "a=b"},
            "annotations": {"summary": "{{ $value }} booms", "runbook": "https://x/y"},
            "no_data": "keep",
        }
    ],
}


def test_a_draft_is_its_address() -> None:
    parts = urlsplit(DRAFT.url())
    assert parts.path == "/alerts/edit"
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    assert given["for"] == "2m"
    assert read(QueryParams(given)) == replace(DRAFT, labels="team=web\n shop = a=b")  # ends are cut


def test_a_draft_makes_a_group() -> None:
    assert group(DRAFT) == GROUP
    parsed("explorer", GROUP)


def test_a_rule_that_is_there_makes_the_same_draft() -> None:
    (found,) = parsed("explorer", GROUP)
    draft = of_rule(found.rules[0], found)
    assert draft == replace(DRAFT, labels="team=web\nshop=a=b", rule=found.rules[0].id)
    assert group(draft) == GROUP


def test_a_changed_rule_keeps_what_the_form_has_no_field_for() -> None:
    before: dict[str, Any] = {
        "name": "g",
        "limit": 3,
        "rules": [{"record": "a", "expr": "1"}, {"alert": "Old", "expr": "1", "absent_for": "1h", "for": "9m"}],
    }
    after = placed(replace(DRAFT, for_=""), before, 1)
    assert after["limit"] == 3
    assert after["rules"][0] == before["rules"][0]
    assert after["rules"][1]["absent_for"] == "1h"
    assert after["rules"][1]["alert"] == "Booms"
    assert "for" not in after["rules"][1]


def test_a_search_becomes_a_draft() -> None:
    lines = suggested(read(QueryParams({"q": '{app="x"} |= "boom"'})))
    assert (lines.write, lines.name, lines.summary) == ("form", "x boom", "{{ $value | humanize }} lines")
    count = read(QueryParams({"q": 'sum by (a) (count_over_time({app="x"}[1h])) > 3'}))
    assert (count.write, count.q, count.over, count.by, count.n) == ("form", '{app="x"}', "1h", "a", "3")
    bare = read(QueryParams({"expr": 'sum by (a) (rate({app="x"}[1h]))'}))
    assert (bare.write, bare.measure, bare.by, bare.n) == ("form", "rate", "a", "0")
    other = read(QueryParams({"expr": 'topk(1, rate({app="x"}[1h]))'}))
    assert (other.write, other.expr) == ("expr", 'topk(1, rate({app="x"}[1h]))')
    typed = read(QueryParams({"write": "form", "q": 'rate({app="x"}[1h])'}))
    assert typed.write == "form"  # what the form was told stays in the form, with its error


@pytest.mark.parametrize("wrong", [{"name": ""}, {"labels": "no label"}, {"notes": "= x"}])
def test_what_makes_no_rule_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(DataError):
        definition(replace(DRAFT, **wrong))
