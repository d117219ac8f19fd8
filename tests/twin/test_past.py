"""Which past states stay, and that what goes from the disk is needed by none of them."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from tailrace.store import log
from tailrace.twin.condense import condense
from tailrace.twin.keeper import take
from tailrace.twin.past import DAY_NS, HOUR_NS, anchors, tidy
from twin.world import World, made

if TYPE_CHECKING:
    import pytest


def names(world: World, version: int) -> list[str]:
    return sorted(world.twin.at_version(version).rows().collect()["path"])


def step(world: World, number: int) -> int:
    """Let something happen and condense it; return the version."""
    world.happen(made("created", f"/{number:02}"))
    take(world.twin.files, world.logs, world.twin.engine)
    condense(world.twin.files)
    return world.twin.files.snapshot().version


def aged(world: World, age_ns: int) -> None:
    """Let all that is on the disk be so old."""
    now_ns = time.time_ns()
    for path in world.twin.files.root.rglob("*"):
        os.utime(path, ns=(now_ns - age_ns, now_ns - age_ns))


def test_every_version_of_the_last_hour_stays(world: World) -> None:
    versions = [step(world, number) for number in range(4)]
    tidy(world.twin.files, time.time_ns())
    assert [len(names(world, version)) for version in versions] == [1, 2, 3, 4]


def test_one_an_hour_then_one_a_day() -> None:
    now_ns = 100 * DAY_NS + 12 * HOUR_NS
    hourly = [(number, now_ns - 30 * HOUR_NS + number * HOUR_NS // 2) for number in range(60)]
    kept = anchors(hourly, now_ns)
    ages = sorted(round((now_ns - at_ns) / HOUR_NS, 1) for number, at_ns in hourly if number in kept)
    assert ages == [*(float(hour) for hour in range(1, 25)), 30.0]
    assert anchors(hourly, now_ns + 28 * DAY_NS) == {0, 36}  # the first of each of the two days
    assert anchors(hourly, now_ns + 40 * DAY_NS) == set()


def test_what_nobody_needs_goes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    files, now_ns = world.twin.files, time.time_ns()
    first = step(world, 0)
    files.checkpoint()
    middle = [step(world, number) for number in range(1, 4)]
    last = step(world, 4)
    files.checkpoint()
    aged(world, 3 * HOUR_NS)
    done = tidy(files, now_ns + 2 * HOUR_NS)
    assert done.files > 0
    assert [version for version, _ in files.versions()] == [first, last]
    assert len(names(world, first)) == 1
    assert world.paths() == names(world, last) == ["/00", "/01", "/02", "/03", "/04"]
    assert not set(middle) & set(log.versions(files.root))
    assert files.before(now_ns + HOUR_NS).version == last
    assert step(world, 5) > last
    assert len(world.paths()) == 6


def test_files_of_a_crash_go_after_an_hour(world: World) -> None:
    step(world, 0)
    orphan = world.twin.files.root / "part=tail" / "orphan.parquet"
    orphan.write_bytes(b"x")
    assert tidy(world.twin.files, time.time_ns()).files == 0
    aged(world, 2 * HOUR_NS)
    assert tidy(world.twin.files, time.time_ns()).files == 1
    assert not orphan.exists()
    assert world.paths() == ["/00"]


def test_nothing_is_there(world: World) -> None:
    assert tidy(world.twin.files, 0).files == 0
