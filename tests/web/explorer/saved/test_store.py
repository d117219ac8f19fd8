from collections.abc import Iterator

import pytest

from tailrace.clock import ManualClock
from tailrace.control import Control
from tailrace.database_url import DatabaseUrl
from tailrace.errors import DataError
from tailrace.web.explorer.saved import store
from tailrace.web.explorer.saved.store import ChangedMeanwhileError, Content, Saved

ERRORS = Content("Errors", "of the shop", "q=%7Ba%3D%22b%22%7D&from=now-1h")


@pytest.fixture(params=["sqlite", "postgres"])
def saved(request, tmp_path) -> Iterator[Saved]:
    url = DatabaseUrl(request.getfixturevalue("database")) if request.param == "postgres" else None
    control = Control.open(tmp_path, url)
    yield Saved(control, ManualClock(5))
    control.close()


def test_a_search_is_found_again_by_its_number(saved: Saved) -> None:
    number = saved.add(ERRORS, "ann")
    found = saved.get(number)
    assert found is not None
    assert (found.owner, found.version, found.newest, found.content, found.at_ns) == ("ann", 1, 1, ERRORS, 5)
    assert saved.get(number + 1) is None


def test_every_version_stays(saved: Saved) -> None:
    number = saved.add(ERRORS, "ann")
    changed = Content("Errors and worse", "", "q=x")
    assert saved.change(number, changed, "bob", version=1)
    assert [(one.version, one.who, one.content) for one in saved.versions(number)] == [
        (2, "bob", changed),
        (1, "ann", ERRORS),
    ]
    assert saved.get(number, 1).content == ERRORS  # type: ignore[union-attr]
    assert saved.get(number).owner == "ann"  # type: ignore[union-attr]


def test_of_two_who_change_the_same_version_the_second_is_told(saved: Saved) -> None:
    number = saved.add(ERRORS, "ann")
    saved.change(number, Content("one", "", ""), "ann", version=1)
    with pytest.raises(ChangedMeanwhileError, match="somebody changed"):
        saved.change(number, Content("two", "", ""), "bob", version=1)
    assert saved.get(number).content.name == "one"  # type: ignore[union-attr]


def test_the_oldest_of_many_versions_go(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "VERSIONS", 3)
    number = saved.add(ERRORS, "ann")
    for version in range(1, 5):
        saved.change(number, Content(f"v{version + 1}", "", ""), "ann", version=version)
    assert [one.version for one in saved.versions(number)] == [5, 4, 3]


def test_a_deleted_search_is_gone_and_its_number_is_not_used_again(saved: Saved) -> None:
    number = saved.add(ERRORS, "ann")
    assert saved.delete(number)
    assert not saved.delete(number)
    assert (saved.get(number), saved.versions(number)) == (None, [])
    assert not saved.change(number, ERRORS, "ann", version=1)
    assert saved.add(ERRORS, "ann") > number


def test_the_list_goes_by_name_and_is_searched_in_all_that_people_wrote(saved: Saved) -> None:
    for name, about, address in (("beta", "100% of it", "q=1"), ("Alpha", "x", "q=a_b"), ("gamma", "", "q=axb")):
        saved.add(Content(name, about, address), "Ann")
    assert [one.content.name for one in saved.all()] == ["Alpha", "beta", "gamma"]
    assert [one.content.name for one in saved.all("A_B")] == ["Alpha"]
    assert [one.content.name for one in saved.all("100%")] == ["beta"]
    assert len(saved.all("ann")) == 3
    assert saved.all("\\") == []


@pytest.mark.parametrize(
    "content",
    [
        Content("  ", "", ""),
        Content("x" * 121, "", ""),
        Content("a\nb", "", ""),
        Content("a", "x" * 2_001, ""),
        Content("a", "", "q=" + "x" * 16_384),
    ],
)
def test_what_is_out_of_bounds_is_refused(saved: Saved, content: Content) -> None:
    with pytest.raises(DataError):
        saved.add(content, "ann")
    assert saved.all() == []


def test_searches_have_a_bound(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SEARCHES", 1)
    saved.add(ERRORS, "ann")
    with pytest.raises(DataError, match="delete one first"):
        saved.add(ERRORS, "ann")


def test_the_same_address_has_the_same_short_link(saved: Saved) -> None:
    key = saved.link("q=1", "ann")
    assert saved.link("q=1", "bob") == key != saved.link("q=2", "ann")
    assert (saved.linked(key), saved.linked("0" * 16)) == ("q=1", None)


def test_the_oldest_of_many_links_go(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LINKS", 2)
    keys = []
    for number in range(3):
        saved._clock.advance(1)  # type: ignore[attr-defined]
        keys.append(saved.link(f"q={number}", "ann"))
    assert [saved.linked(key) for key in keys] == [None, "q=1", "q=2"]
