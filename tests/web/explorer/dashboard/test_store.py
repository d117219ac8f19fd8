"""Dashboards in both kinds of control database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace import limits
from tailrace.clock import ManualClock
from tailrace.control import Control
from tailrace.database_url import DatabaseUrl
from tailrace.errors import QueryError
from tailrace.web.explorer.dashboard.model import Panel
from tailrace.web.explorer.dashboard.store import Dashboards
from tailrace.web.refusals import Refused

ONE, TWO, THREE = (Panel(title, '{a="b"}') for title in ("one", "two", "three"))


@pytest.fixture(params=["sqlite", "postgres"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Dashboards]:
    url = DatabaseUrl(request.getfixturevalue("database")) if request.param == "postgres" else None
    control = Control.open(tmp_path, url)
    yield Dashboards(control, ManualClock(1_000))
    control.close()


def titles(kept: Dashboards, number: str) -> list[str]:
    return [panel.title for panel in kept.get(int(number)).panels]


def test_a_dashboard_is_made_listed_and_deleted(kept: Dashboards) -> None:
    made = kept.create("  my  page ", [ONE])
    assert kept.all() == [made] == [kept.get(int(made.id))]
    assert (made.name, made.changed_ns, made.built_in) == ("my page", 1_000, False)
    kept.delete(int(made.id))
    assert kept.all() == []
    for act in (kept.get, kept.delete):
        with pytest.raises(Refused, match="there is no such dashboard") as refused:
            act(int(made.id))
        assert refused.value.status == 404


def test_another_of_the_same_name_gets_a_number(kept: Dashboards) -> None:
    assert [kept.create("page").name for _ in range(3)] == ["page", "page 2", "page 3"]
    long = "x" * limits.TITLE_CHARS
    assert [len(kept.create(long).name) <= limits.TITLE_CHARS for _ in range(2)] == [True, True]


def test_a_dashboard_is_renamed_but_not_to_the_name_of_another(kept: Dashboards) -> None:
    one, two = kept.create("one"), kept.create("two")
    kept.rename(int(one.id), "uno")
    kept.rename(int(one.id), "uno")
    with pytest.raises(Refused, match="there is a dashboard 'two' already"):
        kept.rename(int(one.id), "two")
    assert [board.name for board in kept.all()] == ["two", "uno"]
    assert kept.get(int(two.id)).name == "two"


def test_panels_are_added_changed_moved_and_removed(kept: Dashboards) -> None:
    number = kept.create("page", [ONE, TWO]).id
    third = kept.add(int(number), THREE)
    assert titles(kept, number) == ["one", "two", "three"]
    kept.move(int(number), third.id, -1)
    assert titles(kept, number) == ["one", "three", "two"]
    kept.move(int(number), third.id, -1)
    kept.move(int(number), third.id, -1)
    assert titles(kept, number) == ["three", "one", "two"]
    kept.move(int(number), kept.get(int(number)).panels[2].id, 1)
    assert titles(kept, number) == ["three", "one", "two"]
    kept.replace(int(number), Panel("drei", '{a="c"}', "lines", "", "full", third.id))
    assert kept.get(int(number)).panel(third.id) == Panel("drei", '{a="c"}', "lines", "", "full", third.id)
    kept.remove(int(number), third.id)
    assert titles(kept, number) == ["one", "two"]


def test_a_panel_that_is_gone_is_refused_and_a_bad_one_changes_nothing(kept: Dashboards) -> None:
    number = int(kept.create("page", [ONE]).id)
    with pytest.raises(Refused, match="there is no such panel any more"):
        kept.move(number, "nothing", 1)
    panel = kept.get(number).panels[0]
    with pytest.raises(QueryError):
        kept.replace(number, Panel("one", "{a=", id=panel.id))
    assert kept.get(number).panels == (panel,)


def test_there_are_no_more_panels_than_the_limit(kept: Dashboards) -> None:
    number = int(kept.create("page", [ONE] * limits.PANELS).id)
    with pytest.raises(QueryError, match=f"there are {limits.PANELS} panels already"):
        kept.add(number, ONE)


def test_there_are_no_more_dashboards_than_the_limit(kept: Dashboards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DASHBOARDS", 1)
    kept.create("one")
    with pytest.raises(QueryError, match="there are 1 dashboards already"):
        kept.create("two")
