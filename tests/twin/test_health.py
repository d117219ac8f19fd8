"""The numbers that should be 0, when they are not."""

from __future__ import annotations

from tailrace.twin.condense import condense
from tailrace.twin.health import health
from tailrace.twin.keeper import take
from twin.world import World, event, folder, made


def test_a_healthy_twin(world: World) -> None:
    world.happen(folder("created", "/d"), made("created", "/d/a", process_pid=7))
    take(world.twin.files, world.logs, world.twin.engine)
    found = health(world.twin)
    assert (found.hosts, found.paths, found.records) == (1, 2, 2)
    assert (found.uncondensed, found.orphans, found.open_gaps, found.lag_s) == (0, 0, 0, 0.0)


def test_an_empty_folder(world: World) -> None:
    found = health(world.twin)
    assert (found.hosts, found.paths, found.records, found.version, found.unknown_who) == (0, 0, 0, -1, 0.0)


def test_paths_with_more_than_one_record(world: World) -> None:
    world.happen(made("created", "/a"), made("created", "/b"), made("updated", "/a"))
    take(world.twin.files, world.logs, world.twin.engine)
    assert health(world.twin).uncondensed == 1
    condense(world.twin.files)
    assert health(world.twin).uncondensed == 0
    world.happen(made("updated", "/b"), made("created", "/c"))
    take(world.twin.files, world.logs, world.twin.engine)
    assert health(world.twin).uncondensed == 1


def test_orphans_have_a_living_ancestor_but_no_living_directory(world: World) -> None:
    world.happen(folder("created", "/d"), made("created", "/d/e/a"), made("created", "/d/e/b"), made("created", "/x/y"))
    assert health(world.twin).orphans == 2
    world.happen(folder("created", "/d/e"))
    assert health(world.twin).orphans == 0


def test_gaps_are_open_until_they_have_an_end(world: World) -> None:
    opened = {"event_kind": "state", "event_start": "2026-01-01T00:00:00Z"}
    world.happen(event("gap", "/srv", **opened), event("gap", "/home", **opened))
    assert health(world.twin).open_gaps == 2
    world.happen(event("gap", "/srv", event_end="2026-01-01T00:01:00Z", **opened))
    assert health(world.twin).open_gaps == 1


def test_how_far_behind(world: World) -> None:
    world.happen(made("created", "/a"))
    world.clock.advance(30)
    assert health(world.twin).lag_s == 30.0


def test_share_of_events_that_name_nobody(world: World) -> None:
    world.happen(
        made("created", "/a", event_provider="fanotify", process_pid=7),
        made("updated", "/a", event_provider="fanotify"),
    )
    world.happen(made("created", "/b", event_provider="scan"))
    assert health(world.twin).unknown_who == 0.5
