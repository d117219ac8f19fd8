"""Dashboards as a reader has them without script: pages, forms, and what comes back."""

from __future__ import annotations

import json
import re

from tailrace.web.explorer.dashboard.model import Panel
from web.explorer.site import Site

LINES = '{host=~".+"}'
HOSTILE = "<script>alert(1)</script>\u202e"


def test_someone_who_has_none_sees_the_overview_of_everything(site: Site) -> None:
    site.world.lines((-60, "a", None), (-30, "b", None))
    page = site.get("/dashboard")
    assert page.status_code == 200
    assert page.text.count("data-panel=") == 8
    assert "This panel cannot be drawn" not in page.text
    assert "Copy to edit" in page.text


def test_an_empty_table_says_so(site: Site) -> None:
    assert "No lines are stored yet" in site.get("/dashboard").text


def test_the_overview_is_copied_and_the_copy_is_home(site: Site) -> None:
    made = site.post("/dashboard/new", copy="start", name="")
    assert (made.status_code, made.headers["location"]) == (303, "/dashboard/1?edit=1")
    assert "<h1><bdi>Overview, copy</bdi></h1>" in site.get("/dashboard").text
    assert site.get("/dashboard/1", edit="1").text.count('value="remove"') == 8


def test_a_panel_is_added_changed_moved_and_removed_by_forms(site: Site) -> None:
    number = site.post("/dashboard/new", name="mine").headers["location"].split("/")[2].partition("?")[0]
    where = f"/dashboard/{number}"
    for title in ("one", "two"):
        assert site.post(f"{where}/add", title=title, query=LINES, kind="bars", by="host").status_code == 303
    one, two = site.dashboards.get(int(number)).panels
    assert site.post(f"{where}/panels/{two.id}", do="up").headers["location"] == f"{where}?edit=1#panel-{two.id}"
    fields = {"title": "uno", "query": LINES, "kind": "number", "by": "", "width": "third"}
    site.post(f"{where}/panels/{one.id}", do="save", **fields)
    shown = [(panel.title, panel.kind, panel.by) for panel in site.dashboards.get(int(number)).panels]
    assert shown == [("two", "bars", "host"), ("uno", "number", "")]
    site.post(f"{where}/panels/{one.id}", do="remove")
    site.post(f"{where}/rename", name="ours")
    assert [panel.title for panel in site.dashboards.get(int(number)).panels] == ["two"]
    assert "<h1><bdi>ours</bdi></h1>" in site.get(where).text
    assert site.post(f"{where}/delete").headers["location"] == "/dashboard"
    assert site.get(where).status_code == 404


def test_a_mistake_is_said_on_the_page_and_changes_nothing(site: Site) -> None:
    site.dashboards.create("mine", [Panel("one", LINES)])
    refused = site.post("/dashboard/1/add", title="two", query='{host="a"')
    assert refused.status_code == 400
    assert 'role="alert"' in refused.text
    assert len(site.dashboards.get(1).panels) == 1
    assert site.post("/dashboard/1/rename", name=" ").status_code == 400


def test_the_overview_itself_cannot_be_changed(site: Site) -> None:
    refused = site.post("/dashboard/start/delete")
    assert (refused.status_code, "copy this dashboard to change it" in refused.text) == (404, True)
    assert site.post("/dashboard/start/panels/lines", do="remove").status_code == 404


def test_one_panel_that_fails_leaves_the_others_alone(site: Site) -> None:
    site.world.lines((-60, "a", None))
    wrong = 'sum(sum_over_time({host="a"} | unwrap host [1m]))'  # a host is no number
    site.dashboards.create("mine", [Panel("good", LINES, "number"), Panel("other", wrong, "curves")])
    panels = [site.get(f"/dashboard/1/panels/{panel.id}").text for panel in site.dashboards.get(1).panels]
    assert [">1<" in panel for panel in panels] == [True, False]
    page = site.get("/dashboard/1")
    assert (page.status_code, page.text.count("This panel cannot be drawn")) == (200, 1)
    assert ">1<" in page.text


def test_a_panel_is_asked_again_for_the_range_of_the_page(site: Site) -> None:
    site.world.lines((-7200, "a", None), (-60, "a", None))
    panel = site.dashboards.create("mine", [Panel("n", LINES, "number")]).panels[0]
    numbers = {
        start: re.search(r'class="big">([\d,]+)<', site.get(f"/dashboard/1/panels/{panel.id}", **{"from": start}).text)
        for start in ("now-1h", "now-6h")
    }
    assert {start: found and found[1] for start, found in numbers.items()} == {"now-1h": "1", "now-6h": "2"}
    assert site.get("/dashboard/1/panels/gone").status_code == 404


def test_a_range_that_is_none_is_said(site: Site) -> None:
    page = site.get("/dashboard", **{"from": "yesterdayish"})
    assert page.status_code == 400
    assert "is no time" in page.text


def test_links_keep_range_and_refresh(site: Site) -> None:
    page = site.get("/dashboard", **{"from": "now-6h", "refresh": "30"}).text
    assert 'href="/dashboard/start?from=now-6h&amp;refresh=60"' in page
    assert 'data-refresh="30"' in page
    assert 'data-refresh="0"' in site.get("/dashboard", refresh="1").text  # no choice of the page


def test_a_search_is_put_on_a_dashboard(site: Site) -> None:
    site.world.lines((-60, "a", None))
    offered = site.get("/dashboard/add", q=LINES, title="From a search", kind="table")
    assert offered.status_code == 200
    assert "Preview: <bdi>From a search" in offered.text
    fields = {"title": "From a search", "query": LINES, "kind": "table", "by": "host"}
    made = site.post("/dashboard/add", to_board="", name="fresh", **fields)
    assert made.headers["location"] == "/dashboard/1"
    site.post("/dashboard/add", to_board="1", **fields)
    board = site.dashboards.get(1)
    assert (board.name, [panel.title for panel in board.panels]) == ("fresh", ["From a search"] * 2)


def test_a_search_that_is_wrong_is_not_put_anywhere(site: Site) -> None:
    refused = site.post("/dashboard/add", to_board="", query='{host="a"')
    assert (refused.status_code, site.dashboards.all()) == (400, [])


def test_a_dashboard_goes_out_and_comes_in(site: Site) -> None:
    file = site.get("/dashboard/start/export")
    assert file.headers["content-disposition"] == 'attachment; filename="Overview.json"'
    assert json.loads(file.text)["name"] == "Overview"
    made = site.post("/dashboard/new", text=file.text)
    assert made.status_code == 303
    again = site.get("/dashboard/1/export")
    assert json.loads(again.text) == json.loads(file.text)


def test_a_file_that_is_none_is_said_and_kept_in_the_form(site: Site) -> None:
    refused = site.post("/dashboard/new", text="<no json>")
    assert refused.status_code == 400
    assert "&lt;no json&gt;</textarea>" in refused.text
    assert site.post("/dashboard/new", text=" ").status_code == 400
    assert site.dashboards.all() == []


def test_names_and_titles_are_text_and_nothing_else(site: Site) -> None:
    site.dashboards.create(HOSTILE, [Panel(HOSTILE, LINES, "number")])
    for page in (site.get("/dashboard/1"), site.get("/dashboard/1", edit="1"), site.get("/dashboard/1/panels/x")):
        assert "<script>alert" not in page.text
        assert "\u202e</h" not in page.text


def test_addresses_that_are_none_are_not_found(site: Site) -> None:
    for name in ("0", "99999999999999999999", "x", "١"):
        assert site.get(f"/dashboard/{name}").status_code == 404


def test_plain_words_of_a_panel_are_read_as_in_the_search_and_names_of_series_are_not(site: Site) -> None:
    site.world.lines((-60, "card declined", None), (-30, "b", None))
    number = site.post("/dashboard/new", name="mine").headers["location"].split("/")[2].partition("?")[0]
    typed = ["declined", "card -b", f"{LINES} declined", "level:warn", "sum(shop_orders)", f"rate({LINES}[5m])"]
    for query in typed:
        assert site.post(f"/dashboard/{number}/add", query=query, kind="curves", by="").status_code == 303
    every = '{service_name=~".+"}'
    assert [panel.query for panel in site.dashboards.get(int(number)).panels] == [
        f'{every} |~ "(?i)declined"',
        f'{every} |~ "(?i)card" !~ "(?i)b"',
        f'{LINES} |~ "(?i)declined"',
        f'{every} | detected_level="warn"',
        *typed[4:],
    ]
    assert "(?i)declined" in site.get("/dashboard/add", q="declined").text
    site.rules.rules = [{"name": "job:hits", "type": "recording"}, {"name": "declined", "type": "alerting"}]
    for query in ("job:hits", "declined"):
        site.post(f"/dashboard/{number}/add", query=query, kind="curves", by="")
    assert [panel.query for panel in site.dashboards.get(int(number)).panels[-2:]] == [
        "job:hits",
        f'{every} |~ "(?i)declined"',
    ]
