"""What grew, who wrote it, and what happened to one path."""

from __future__ import annotations

from tailrace.twin.changes import diff, history
from twin.world import NS, START_NS, World, event, folder, made


def filled(world: World) -> World:
    cp = {"process_name": "cp", "process_pid": 7, "user_name": "ann"}
    world.happen(folder("initial_scan", "/srv"), folder("initial_scan", "/srv/a"), folder("initial_scan", "/srv/b"))
    world.happen(made("created", "/srv/a/x", 10, size=100, **cp), made("created", "/srv/a/y", 11, size=50, **cp))
    world.happen(made("created", "/srv/b/z", 12, size=5, process_name="tar", user_name="bob"))
    world.happen(made("updated", "/srv/a/x", 20, size=400, process_name="dd", user_name="root"))
    world.happen(folder("moved", "/srv/c", 30, old_path="/srv/a"), event("deleted", "/srv/b/z", 31))
    world.clock.advance(1_000)
    return world


def test_what_grew_and_who_wrote_it(world: World) -> None:
    found = diff(filled(world).twin, START_NS + 5 * NS, START_NS + 25 * NS, "/srv")
    assert found.select("path", "bytes", "files").rows() == [("/srv", 455, 3), ("/srv/a", 450, 2), ("/srv/b", 5, 1)]
    assert dict(found.select("path", "who").iter_rows()) == {
        "/srv": ["cp ann", "dd root", "tar bob"],
        "/srv/a": ["cp ann", "dd root"],
        "/srv/b": ["tar bob"],
    }


def test_what_shrank_and_went(world: World) -> None:
    found = diff(filled(world).twin, START_NS + 25 * NS, START_NS + 40 * NS, "/srv")
    rows = found.select("path", "bytes", "files", "dirs").rows()
    assert rows == [("/srv/c", 4096 + 450, 2, 1), ("/srv", -5, -1, 0), ("/srv/b", -5, -1, 0), ("/srv/a", -4546, -2, -1)]


def test_nothing_changed(world: World) -> None:
    assert diff(filled(world).twin, START_NS + 50 * NS, START_NS + 60 * NS).height == 0


def test_history_of_a_path_with_who_and_under_its_former_names(world: World) -> None:
    found = history(filled(world).twin, "/srv/c/x")
    assert found.select("action", "path", "old_path", "process_name").rows() == [
        ("moved", "/srv/c", "/srv/a", None),
        ("updated", "/srv/a/x", None, "dd"),
        ("created", "/srv/a/x", None, "cp"),
    ]
    assert found["time"][0] == "2023-11-14T22:13:50Z"


def test_history_of_what_is_gone(world: World) -> None:
    found = history(filled(world).twin, "/srv/b/z")
    assert found["action"].to_list() == ["deleted", "created"]
    assert history(world.twin, "/srv/b/z", end_ns=START_NS + 20 * NS)["action"].to_list() == ["created"]
    assert history(world.twin, "/nothing").height == 0


def test_history_tells_the_removal_of_a_directory_above(world: World) -> None:
    world.happen(made("created", "/d/x", 1), event("deleted", "/d", 2), event("deleted", "/dx", 3))
    assert history(world.twin, "/d/x").select("action", "path").rows() == [("deleted", "/d"), ("created", "/d/x")]
