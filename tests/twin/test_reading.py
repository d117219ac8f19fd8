"""The past: as of a version, as of an instant, condensed or not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tailrace.errors import QueryError
from tailrace.twin.condense import condense
from tailrace.twin.keeper import take
from twin.world import NS, START_NS, World, event, folder, made

if TYPE_CHECKING:
    from tailrace.twin.reading import View


def names(view: View, top: str = "/") -> list[str]:
    return sorted(view.rows(None, top).collect()["path"])


def kept(world: World) -> None:
    take(world.twin.files, world.logs, world.twin.engine)


def test_an_instant_from_events_alone(world: World) -> None:
    world.happen(folder("initial_scan", "/d", 0), made("created", "/d/a", 10), event("deleted", "/d/a", 20))
    world.happen(made("created", "/d/b", 30))
    world.clock.advance(100)
    wanted = {5: ["/d"], 10: ["/d", "/d/a"], 19: ["/d", "/d/a"], 20: ["/d"], 29: ["/d"], 30: ["/d", "/d/b"]}
    for second, paths in wanted.items():
        view = world.twin.at(START_NS + second * NS)
        assert (names(view), view.complete, view.as_of_ns) == (paths, True, START_NS + second * NS)


def test_an_instant_on_top_of_a_version(world: World) -> None:
    now_ns = time.time_ns()
    offset = (now_ns - START_NS) / NS  # versions are stamped by the machine's clock
    world.clock.advance(offset + 1_000)
    world.happen(folder("created", "/d", offset - 50), made("created", "/d/a", offset - 40))
    kept(world)
    condense(world.twin.files)
    version = world.twin.files.snapshot().version
    anchored_ns = world.twin.files.snapshot().committed_ns
    world.happen(made("created", "/d/b", offset + 60), event("deleted", "/d/a", offset + 70))
    view = world.twin.at(anchored_ns + 65 * NS)
    assert (names(view), view.complete) == (["/d", "/d/a", "/d/b"], True)
    kept(world)
    condense(world.twin.files)
    assert names(world.twin.now()) == ["/d", "/d/b"]
    assert names(world.twin.at(anchored_ns + 1)) == ["/d", "/d/a"]
    assert names(world.twin.at(now_ns - 45 * NS)) == ["/d"]
    assert names(world.twin.at_version(version)) == ["/d", "/d/a"]


def test_before_everything_says_that_it_may_lack_something(world: World) -> None:
    world.happen(made("created", "/a", 10))
    kept(world)
    world.clock.advance(100)
    view = world.twin.at(START_NS + 50 * NS)
    assert (names(view), view.complete) == (["/a"], False)


def test_an_unknown_version_is_refused(world: World) -> None:
    with pytest.raises(QueryError, match="version=7 of the table of files is not there"):
        world.twin.at_version(7)


def test_known_paths_as_the_source_wants_them(world: World) -> None:
    world.happen(folder("created", "/d", mtime="2025-03-04T09:15:02.1Z"), made("created", "/d/a", size=3, mode="0640"))
    world.happen(made("created", "/d/b"), host="other")
    found = world.twin.known("web-1", ["/d", "/nothing"]).sort("file_path")
    assert found.select("file_path", "file_type", "file_size", "file_mode", "file_mtime").rows() == [
        ("/d", "dir", 4096, None, "2025-03-04T09:15:02.100000000Z"),  # as a scan writes it: texts are compared
        ("/d/a", "file", 3, "0640", None),
    ]
    assert world.twin.known("web-1", []).height == 0
