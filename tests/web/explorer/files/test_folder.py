"""Directories with the sums of all below them; values are added up by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tailrace.twin.condense import condense
from tailrace.twin.keeper import take
from tailrace.web.explorer.files.folder import Folders, folder, inside, sorted_rows
from twin.world import World, event, made
from twin.world import folder as directory

if TYPE_CHECKING:
    from tailrace.web.explorer.files.folder import Folder

HOST = "web-1"


def rows(found: Folder, *columns: str) -> list[tuple[object, ...]]:
    return found.rows.select(columns or ("name", "kind", "bytes", "files", "dirs")).rows()


@pytest.fixture
def shop(world: World) -> World:
    world.happen(
        directory("created", "/srv"),
        directory("created", "/srv/log", 1),
        made("created", "/srv/log/a", 2, size=100, mtime="2023-11-14T22:00:00Z"),
        made("created", "/srv/log/old/b", 3, size=50, mtime="2023-11-14T21:00:00Z"),  # of `old` itself nobody told
        made("created", "/srv/note", 4, size=7, owner="eve", mode="0600"),
    )
    world.happen(made("created", "/srv/other", size=1_000), host="db-1")
    return world


def test_entries_have_the_sums_of_all_below_them(shop: World) -> None:
    found = folder(shop.twin.now(), HOST, "/srv")
    assert rows(found) == [("log", "dir", 4096 + 150, 2, 1), ("note", "file", 7, 1, 0)]
    assert found.sums == {"bytes": 2 * 4096 + 157, "allocated": 5 * 4096, "files": 3, "dirs": 2}
    assert rows(found, "path", "owner", "mode") == [("/srv/log", "ann", None), ("/srv/note", "eve", "0600")]


def test_a_directory_that_only_its_content_tells_of_is_one(shop: World) -> None:
    assert rows(folder(shop.twin.now(), HOST, "/srv/log")) == [("a", "file", 100, 1, 0), ("old", "dir", 50, 1, 0)]
    assert rows(folder(shop.twin.now(), HOST, "/")) == [("srv", "dir", 2 * 4096 + 157, 3, 2)]


def test_the_newest_of_all_below_counts(shop: World) -> None:
    hour = 1_699_999_200_000_000_000  # 2023-11-14T22:00:00Z
    assert rows(folder(shop.twin.now(), HOST, "/srv"), "name", "newest_ns") == [("log", hour), ("note", None)]


def test_nothing_is_known_elsewhere(shop: World) -> None:
    assert not folder(shop.twin.now(), HOST, "/srv/nope").rows.height
    assert not folder(shop.twin.now(), "nobody", "/srv").rows.height
    assert not folder(shop.twin.now(), HOST, "/sr").rows.height


def test_what_came_after_condensing_counts_in_its_place(shop: World) -> None:
    take(shop.twin.files, shop.logs, shop.twin.engine)
    condense(shop.twin.files)
    shop.happen(
        event("deleted", "/srv/log/a", 10), made("updated", "/srv/note", 11, size=9, mtime="2023-11-14T20:00:00Z")
    )
    found = folder(shop.twin.now(), HOST, "/srv")
    assert rows(found) == [("log", "dir", 4096 + 50, 1, 1), ("note", "file", 9, 1, 0)]
    hours = [1_699_999_200_000_000_000 - hour * 3_600_000_000_000 for hour in (1, 2)]
    assert rows(found, "newest_ns") == [(hours[0],), (hours[1],)]  # that of the file that is gone counts no more


def test_an_inode_with_several_names_counts_once_in_each_entry(world: World) -> None:
    one = {"size": 100, "links": 3, "inode": "7"}
    world.happen(
        made("created", "/d/a/x", **one), made("created", "/d/a/y", 1, **one), made("created", "/d/z", 2, **one)
    )
    found = folder(world.twin.now(), HOST, "/d")
    assert rows(found, "name", "bytes") == [("a", 100), ("z", 100)]
    assert found.sums["bytes"] == 100


def test_names_are_not_patterns_and_may_hold_anything(world: World) -> None:
    names = ["*", "a b", "new\nline", "<b>", "\u202egpj", "x" * 255, "\\xff", "%2f", "C:"]
    world.happen(*(made("created", f"/d/{name}/f", number) for number, name in enumerate(names)))
    found = folder(world.twin.now(), HOST, "/d")
    assert set(found.rows["name"]) == set(names)
    for name in names:
        assert folder(world.twin.now(), HOST, f"/d/{name}").rows["name"].to_list() == ["f"]


def test_each_volume_of_windows_is_a_root(world: World) -> None:
    world.happen(made("created", "C:\\Temp\\a", size=3), made("created", "\\\\nas\\b\\c", 1, size=4))
    found = folder(world.twin.now(), HOST, "/")
    assert rows(found, "path", "bytes") == [("\\\\nas", 4), ("C:", 3)]
    assert rows(folder(world.twin.now(), HOST, "C:"), "path", "kind") == [("C:/Temp", "dir")]


def test_what_stands_in_the_entries(shop: World) -> None:
    found = inside(shop.twin.now(), HOST, "/srv").select("name", "inner", "bytes").sort("inner")
    assert found.rows() == [("log", "a", 100), ("log", "old", 50)]


def test_orders(shop: World) -> None:
    found = folder(shop.twin.now(), HOST, "/srv").rows
    assert sorted_rows(found, "name")["name"].to_list() == ["log", "note"]
    assert sorted_rows(found, "newest")["name"].to_list() == ["log", "note"]
    assert sorted_rows(found, "files")["name"].to_list() == ["log", "note"]


def test_an_answer_is_kept_while_the_state_stays(shop: World) -> None:
    folders = Folders()
    first = folders.of(shop.twin.now(), HOST, "/srv")
    shop.others()
    assert folders.of(shop.twin.now(), HOST, "/srv") is first  # lines that are no events change nothing
    shop.happen(made("created", "/srv/new", 20))
    again = folders.of(shop.twin.now(), HOST, "/srv")
    assert again is not first
    assert again.sums["files"] == 4
