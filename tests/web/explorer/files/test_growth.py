"""What grew between two moments."""

from __future__ import annotations

from tailrace.web.explorer.files import acts, growth
from tailrace.web.explorer.files.folder import folder
from twin.world import NS, START_NS, World, event, made
from twin.world import folder as directory

HOST = "web-1"


def grown(world: World) -> None:
    world.happen(
        directory("created", "/d"),
        made("created", "/d/log/a", 1, size=100),
        made("created", "/d/old", 2, size=30),
        made("created", "/d/same", 3, size=5),
    )
    world.happen(
        made("updated", "/d/log/a", 20, size=400, process_name="app", user_name="ann"),
        made("created", "/d/log/b", 21, size=50, process_name="app", user_name="ann"),
        event("deleted", "/d/old", 22, process_name="rm"),
    )
    world.clock.advance(60)


def test_entries_with_their_sizes_before_and_after(world: World) -> None:
    grown(world)
    old, new = world.twin.at(START_NS + 10 * NS), world.twin.now()
    happened = acts.found(world.twin, HOST, "/d", START_NS + 10 * NS, START_NS + 60 * NS)
    found = growth.entries(folder(old, HOST, "/d"), folder(new, HOST, "/d"), happened)
    columns = ["name", "before", "after", "grown", "more", "there", "new", "who"]
    assert found.select(columns).rows() == [
        ("log", 100, 450, 350, 1, True, False, ["app ann"]),
        ("old", 30, 0, -30, -1, False, False, ["rm"]),
    ]


def test_single_files(world: World) -> None:
    grown(world)
    old, new = world.twin.at(START_NS + 10 * NS), world.twin.now()
    happened = acts.found(world.twin, HOST, "/d", START_NS + 10 * NS, START_NS + 60 * NS)
    found = growth.single_files(old, new, HOST, "/d", happened)
    assert found.rows() == [("/d/log/a", 100, 400, 300), ("/d/log/b", 0, 50, 50), ("/d/old", 30, 0, -30)]


def test_sizes_over_time_have_both_ends_and_moments_between(world: World) -> None:
    grown(world)
    start_ns, end_ns = START_NS + 10 * NS, START_NS + 50 * NS
    before, after = (folder(world.twin.at(at), HOST, "/d") for at in (start_ns, end_ns))
    points = growth.over_time(world.twin, before, after, HOST, start_ns, end_ns)
    first, last = 4096 + 135, 4096 + 455
    assert (points[0], points[-1]) == ((start_ns, first), (end_ns, last))
    assert len(points) == 9  # the ends, and seven eighths
    assert points[1] == (START_NS + 15 * NS, first)
    assert points[3] == (START_NS + 25 * NS, last)
