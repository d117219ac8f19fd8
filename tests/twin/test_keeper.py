"""Taking events into the table of files: exactly once, whatever happens in between."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tailrace import limits
from tailrace.errors import TableError
from tailrace.files import Files
from tailrace.store.compact import compact
from tailrace.store.vacuum import vacuum
from tailrace.telemetry import Accounts
from tailrace.twin import keeper
from tailrace.twin.keeper import Keeper, take
from tailrace.twin.table import FilesTable
from twin.world import NS, START_NS, World, event, folder, made

if TYPE_CHECKING:
    from collections.abc import Callable


def taken(world: World) -> int:
    return take(world.twin.files, world.logs, world.twin.engine)[0]


def test_takes_each_event_once(world: World) -> None:
    world.happen(made("created", "/a"), made("created", "/b"))
    world.others(2)
    assert taken(world) == 2
    assert taken(world) == 0
    world.happen(event("deleted", "/a"))
    assert taken(world) == 1
    assert world.twin.files.snapshot().rows("tail") == 3
    assert world.paths() == ["/b"]


def test_a_move_makes_two_records(world: World) -> None:
    world.happen(made("moved", "/b", old_path="/a"))
    assert taken(world) == 2


def test_answers_include_what_was_not_taken(world: World) -> None:
    world.happen(folder("created", "/d"), made("created", "/d/a"))
    taken(world)
    assert world.paths() == ["/d", "/d/a"]
    world.happen(made("created", "/d/b"))
    assert world.paths() == ["/d", "/d/a", "/d/b"]
    world.others()
    assert world.paths() == ["/d", "/d/a", "/d/b"]
    world.happen(event("deleted", "/d"))
    assert world.paths() == []


class Broken(Files):
    """A disk on which one operation does what it should and then fails."""

    def run(self, what: str, action: Callable[[], object]) -> object:
        found = super().run(what, action)
        if what == "commit":
            raise OSError(5, "Input/output error")
        return found


def test_a_commit_that_failed_after_it_was_made_is_recognised(world: World) -> None:
    world.happen(made("created", "/a"))
    world.twin.files.table.files = Broken()
    assert taken(world) == 1
    world.twin.files.table.files = Files()
    assert taken(world) == 0
    assert world.twin.files.snapshot().rows("tail") == 1


def test_two_keepers_take_once(world: World) -> None:
    world.happen(made("created", "/a"))
    snapshot = world.logs.snapshot()
    other = FilesTable(world.data)
    assert taken(world) == 1
    records = world.twin.files.snapshot()
    assert not other.append(_records(world), snapshot.version)
    assert world.twin.files.snapshot().version == records.version


def _records(world: World) -> object:
    from tailrace.twin.table import scan

    return scan(world.twin.files.snapshot().files["path"].to_list()).collect()


def test_large_imports_are_taken_in_pieces(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TWIN_TAKE_ROWS", 2)
    for number in range(5):
        world.happen(made("created", f"/{number}"))
    assert taken(world) == 5
    assert world.twin.files.snapshot().part("tail")["rows"].to_list() == [2, 2, 1]
    assert taken(world) == 0


def test_takes_all_again_when_the_log_is_gone(world: World) -> None:
    world.happen(made("created", "/a"), made("created", "/b"))
    taken(world)
    for number in range(60):
        world.happen(made("created", f"/n{number}"), event("deleted", "/a"))
    compact(world.logs, now_ns=START_NS + 100 * 86_400 * NS)
    far_ns = 2**62
    vacuum(world.logs, now_ns=far_ns, grace_s=0)
    world.happen(made("created", "/z"))
    expected = sorted(["/b", "/z", *(f"/n{number}" for number in range(60))])
    assert world.paths() == expected
    assert taken(world) >= 62
    assert world.paths() == expected


def test_a_long_stretch_without_events_is_written_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "EMPTY_COMMITS", 3)
    world.happen(made("created", "/a"))
    taken(world)
    world.others(2)
    taken(world)
    assert world.twin.files.snapshot().taken < world.logs.snapshot().version
    world.others(2)
    taken(world)
    assert world.twin.files.snapshot().taken == world.logs.snapshot().version


def test_another_log_is_refused(world: World) -> None:
    world.happen(made("created", "/a"))
    world.happen(made("created", "/b"))
    taken(world)
    shutil.rmtree(world.data / "logs")
    other = World(world.data)
    with pytest.raises(TableError, match="made from another `logs`, up to version"):
        taken(other)
    with pytest.raises(TableError, match="move it away"):
        other.paths()


def test_a_round_condenses_a_long_tail_and_measures(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TWIN_TAIL_ROWS", 4)
    accounts = Accounts()
    kept = Keeper(world.twin, accounts)
    world.happen(folder("created", "/d"), made("created", "/d/a"), made("updated", "/d/a", size=11))
    kept.round()
    assert world.twin.files.snapshot().rows("tail") == 3
    world.happen(made("updated", "/d/a", size=12))
    world.clock.advance(3_600)
    kept.round()
    snapshot = world.twin.files.snapshot()
    assert (snapshot.rows("tail"), snapshot.rows("live")) == (0, 2)
    assert world.twin.usage.exists()
    text = accounts.render()[0].decode()
    assert "tailrace_twin_records_total 4" in text
    assert "tailrace_twin_condensed_total 4" in text
    assert "tailrace_twin_paths 2" in text
    assert "tailrace_twin_uncondensed_paths 0" in text


def test_starts_and_stops(world: World) -> None:
    kept = Keeper(world.twin, Accounts())
    kept.start()
    kept.stop()
