"""Events folded into acts, and the search that finds them."""

from __future__ import annotations

import pytest

from tailrace.query.run import Request, run
from tailrace.web.explorer.files import acts
from twin.world import NS, START_NS, World, event, folder, made

HOST = "web-1"
VI = {"process_name": "vi", "process_pid": 7, "user_name": "ann"}


def happened(world: World, top: str = "/") -> acts.Changes:
    found = acts.found(world.twin, HOST, top, START_NS, START_NS + 100 * NS)
    return acts.changes(found, START_NS, START_NS + 100 * NS)


def test_what_one_program_does_in_one_go_is_one_act(world: World) -> None:
    world.happen(
        made("created", "/srv/a/x", 1, **VI),
        made("created", "/srv/a/y", 2, **VI),
        made("created", "/srv/ab/z", 7, **VI),  # five seconds are no pause
        made("created", "/srv/a/x2", 12.5, **VI),  # more are one
        made("updated", "/srv/a/x", 2, **VI),
        made("created", "/srv/a/w", 2, **{**VI, "process_pid": 8}),
        event("deleted", "/srv/a/y", 3),
    )
    found = happened(world)
    told = [(act.action, act.path, act.events, act.process, act.pid) for act in found.acts]
    assert told == [
        ("created", "/srv/a/x2", 1, "vi", 7),
        ("created", "/srv", 3, "vi", 7),
        ("deleted", "/srv/a/y", 1, "", None),
        ("created", "/srv/a/w", 1, "vi", 8),
        ("updated", "/srv/a/x", 1, "vi", 7),
    ]
    assert (found.total, found.events) == (5, 7)
    assert (found.acts[1].start_ns, found.acts[1].end_ns) == (START_NS + NS, START_NS + 7 * NS)


def test_a_move_is_told_from_both_ends(world: World) -> None:
    world.happen(folder("created", "/a"), made("moved", "/b/x", 1, old_path="/a/x"))
    assert [act.old_path for act in happened(world, "/a").acts if act.action == "moved"] == ["/a/x"]
    assert [act.path for act in happened(world, "/b").acts] == ["/b/x"]
    assert [act.path for act in happened(world, "/a/x").acts] == ["/b/x"]


def test_a_path_is_no_prefix_of_a_name(world: World) -> None:
    world.happen(made("created", "/srv/a"), made("created", "/srv/ab", 1))
    assert [act.path for act in happened(world, "/srv/a").acts] == ["/srv/a"]


def test_the_drawing_has_every_event_once(world: World) -> None:
    world.happen(made("created", "/a", 1), made("created,updated", "/b", 50), event("deleted", "/a", 99.5))
    bars = happened(world).bars
    assert dict(zip(bars.names, bars.sums, strict=True)) == {"made": 2, "removed": 1}


def test_what_and_who(world: World) -> None:
    world.happen(
        made("created,updated", "/a", 1, **VI),
        made("updated", "/b", 2, process_executable="/usr/bin/Rsync", user_id="33"),
    )
    rows = acts.found(world.twin, HOST, "/", START_NS, START_NS + 100 * NS)
    assert acts.matching(rows, "created", "")["path"].to_list() == ["/a"]
    assert acts.matching(rows, "updated", "")["path"].to_list() == ["/a", "/b"]
    assert acts.matching(rows, "", "rsy")["path"].to_list() == ["/b"]
    assert acts.matching(rows, "", "33")["path"].to_list() == ["/b"]
    assert acts.matching(rows, "", "7")["path"].to_list() == ["/a"]


@pytest.mark.parametrize("name", ["a", "a*b", "a.b+(c)[d]", 'q"uote', "back`tick", "new\nline", "bidi\u202e"])
def test_the_search_finds_what_is_at_and_below_a_path(world: World, name: str) -> None:
    world.happen(
        folder("created", f"/d/{name}"),
        made("created", f"/d/{name}/x", 1),
        made("created", f"/d/{name}x", 2),
        made("updated", "/d/aXb", 3),
    )

    def count(query: str) -> int:
        return run(Request(query, START_NS, START_NS + 10 * NS), world.logs, world.twin.engine).frame.height

    assert count(acts.query(HOST, f"/d/{name}")) == 2
    assert count(acts.query(HOST, f"/d/{name}", alone=True)) == 1
    assert count(acts.query(HOST, "/")) == 4
    assert count(acts.query(HOST, "/", action="updated")) == 1
    assert count(acts.query("elsewhere", "/")) == 0


def test_the_end_of_the_first_look(world: World) -> None:
    world.happen(made("initial_scan", "/a", 3), made("initial_scan", "/b", 4), made("created", "/c", 9))
    assert acts.began_ns(world.twin, HOST, START_NS, START_NS + 100 * NS) == START_NS + 4 * NS + 1
    assert acts.began_ns(world.twin, HOST, START_NS + 5 * NS, START_NS + 100 * NS) is None


@pytest.mark.parametrize(
    ("low", "high", "both"),
    [("/srv/a/x", "/srv/ab/y", "/srv"), ("/a", "/a", "/a"), ("/a", "/b", "/"), ("C:\\t\\a", "C:\\t\\b", "C:\\t")],
)
def test_the_directory_that_paths_share(low: str, high: str, both: str) -> None:
    assert acts.common(low, high) == both
