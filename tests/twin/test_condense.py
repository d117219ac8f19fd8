"""Condensing: the same paths live before and after, and nothing that arrives meanwhile is lost."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from tailrace import limits
from tailrace.twin import table
from tailrace.twin.condense import condense, one_pass
from tailrace.twin.keeper import take
from twin.world import World, event, folder, made

if TYPE_CHECKING:
    import pytest


def kept(world: World) -> World:
    take(world.twin.files, world.logs, world.twin.engine)
    return world


def test_one_record_per_living_path(world: World) -> None:
    world.happen(
        *(made(action, f"/{name}") for name in "abc" for action in ("created", "updated", "attributes_modified"))
    )
    kept(world).happen(event("deleted", "/b"))
    done = condense(kept(world).twin.files)
    assert (done.passes, done.records) == (1, 10)
    snapshot = world.twin.files.snapshot()
    assert (snapshot.rows("live"), snapshot.rows("tail")) == (2, 0)
    assert world.paths() == ["/a", "/c"]


def test_nothing_to_do(world: World) -> None:
    assert condense(world.twin.files).passes == 0
    world.happen(made("created", "/a"))
    condense(kept(world).twin.files)
    assert condense(world.twin.files).passes == 0


def test_only_files_whose_range_is_touched_are_rewritten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TWIN_SEGMENT_ROWS", 4)
    world.happen(*(made("created", f"/{number:02}") for number in range(12)))
    condense(kept(world).twin.files)
    before = world.twin.files.snapshot().part("live")["path"].to_list()
    assert len(before) == 3
    world.happen(made("updated", "/05", size=99))
    condense(kept(world).twin.files)
    after = world.twin.files.snapshot().part("live")["path"].to_list()
    assert len(set(before) & set(after)) == 2
    assert world.paths() == [f"/{number:02}" for number in range(12)]


def test_ranges_stay_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TWIN_SEGMENT_ROWS", 3)
    for step in range(6):
        world.happen(*(made("created", f"/{number:03}") for number in range(step, 60, 6)))
        world.happen(made("created", "/x", size=step), host="other")
        condense(kept(world).twin.files)
    found = sorted(table.bounds(path) for path in world.twin.files.snapshot().part("live")["path"])
    assert all(one[1] < two[0] for one, two in pairwise(found))
    assert world.paths() == [f"/{number:03}" for number in range(60)] + ["/x"]


def test_what_arrives_meanwhile_stays(world: World) -> None:
    world.happen(made("created", "/a"))
    kept(world)
    files = world.twin.files
    replace = files.replace

    def late(*arguments: object) -> bool:
        world.happen(made("updated", "/a", size=77), made("created", "/b"))
        kept(world)
        return replace(*arguments)

    files.replace = late
    assert condense(files).passes == 1
    files.replace = replace
    assert files.snapshot().rows("tail") == 2
    assert world.twin.now().rows().sort("path").collect()["size"].to_list() == [77, 10]


def test_of_two_at_once_one_gives_up(world: World) -> None:
    world.happen(made("created", "/a"), made("updated", "/a"))
    kept(world)
    files = world.twin.files
    replace = files.replace

    def slower(*arguments: object) -> bool:
        files.replace = replace
        assert one_pass(files, 100) is not None
        return replace(*arguments)

    files.replace = slower
    assert one_pass(files, 100) is None
    assert files.snapshot().rows("live") == 1
    assert world.paths() == ["/a"]
    on_disk = {str(path) for path in files.root.glob("part=live/*.parquet")}
    assert on_disk == set(files.snapshot().part("live")["path"])


def test_passes_are_bounded_and_late_records_fit_in(world: World) -> None:
    world.happen(made("created", "/a/x", event_sequence=5))
    kept(world).happen(folder("moved", "/b", old_path="/a", event_sequence=10))
    kept(world).happen(made("created", "/a/late", event_sequence=6))
    kept(world)
    assert condense(world.twin.files, rows=1).passes == 3
    assert world.paths() == ["/b", "/b/late", "/b/x"]
    world.happen(made("created", "/a/later", event_sequence=7))
    assert world.paths() == ["/b", "/b/late", "/b/later", "/b/x"]


def test_a_late_record_carried_to_a_path_that_lives_replaces_nothing_newer(world: World) -> None:
    world.happen(folder("created", "/a", event_sequence=1), folder("moved", "/b", old_path="/a", event_sequence=10))
    world.happen(made("created", "/b/x", size=20, event_sequence=20), made("created", "/b/y", event_sequence=21))
    condense(kept(world).twin.files)
    world.happen(made("created", "/a/x", size=6, event_sequence=6), made("created", "/a/z", event_sequence=7))
    expected = [("/b", 4096), ("/b/x", 20), ("/b/y", 10), ("/b/z", 10)]
    assert world.twin.now().rows().sort("path").select("path", "size").collect().rows() == expected
    condense(kept(world).twin.files)
    assert world.twin.now().rows().sort("path").select("path", "size").collect().rows() == expected


def test_acts_are_forgotten_after_an_hour(world: World) -> None:
    world.happen(made("created", "/a"), event("deleted", "/a", 1))
    condense(kept(world).twin.files)
    assert world.twin.files.snapshot().rows("gone") == 1
    world.happen(made("created", "/b", 4_000))
    condense(kept(world).twin.files)
    assert world.twin.files.snapshot().rows("gone") == 0
