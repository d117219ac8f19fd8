"""Paths of Windows in the twin: trees of their own, told as they came."""

from __future__ import annotations

import polars as pl
import pytest

from tailrace.twin import changes, listing, sizes, tree
from tailrace.twin.condense import condense
from tailrace.twin.keeper import take
from twin.world import World, event, folder, made

PATHS = [
    ("C:\\Temp\\a", "C:/Temp/a", "C:/Temp"),
    ("C:\\", "C:/", "C:"),
    ("d:\\x", "d:/x", "d:"),
    ("\\\\nas\\share\\a b", "\\\\nas/share/a b", "\\\\nas/share"),
    ("/srv/a\\b", "/srv/a\\b", "/srv"),
    ("/C:\\x", "/C:\\x", ""),
    ("/", "/", None),
]


@pytest.mark.parametrize(("path", "here", "parent"), PATHS)
@pytest.mark.parametrize("others", [[], ["/etc"]])
def test_paths_of_windows_are_trees_and_come_back_as_they_were(path, here, parent, others) -> None:
    frame = pl.DataFrame({"path": [path, None, *others]}).select(here=tree.slashed(pl.col("path")))
    assert frame["here"].to_list() == [here, None, *others]
    assert frame.select(tree.native(pl.col("here")))["here"].to_list() == [path, None, *others]
    assert frame.select(up=tree.parent(pl.col("here")))["up"][0] == parent


def test_the_root_of_a_volume_has_no_parent() -> None:
    frame = pl.DataFrame({"host": ["h", "h"], "dir": ["C:/a/b", "\\\\nas/s"]})
    assert set(tree.lineage(frame)["dir"]) == {"C:/a/b", "C:/a", "C:", "\\\\nas/s", "\\\\nas"}


@pytest.mark.parametrize("condensed", [False, True])
def test_subtrees_of_windows_go_and_are_asked_for(world: World, condensed: bool) -> None:
    world.happen(folder("created", "C:\\Temp"), folder("created", "C:\\Temp\\old"), numbered=False)
    world.happen(made("created", "C:\\Temp\\old\\x", 1), made("created", "C:\\Temp\\older", 1), numbered=False)
    world.happen(made("created", "\\\\nas\\s\\y", 2, size=7), made("created", "/srv/z\\w", 2), numbered=False)
    world.happen(event("deleted", "C:\\Temp\\old", 3), numbered=False)
    if condensed:
        take(world.twin.files, world.logs, world.twin.engine)
        condense(world.twin.files)
    world.clock.advance(100)
    view = world.twin.now()
    shown = listing.ls(view, "/", recursive=True)["path"].to_list()
    assert shown == ["/srv/z\\w", "C:\\Temp", "C:\\Temp\\older", "\\\\nas\\s\\y"]
    assert listing.ls(view, tree.slashed_text("C:\\Temp"))["path"].to_list() == ["C:\\Temp\\older"]
    assert sizes.du(view, "C:/Temp") == {"bytes": 4106, "allocated": 8192, "files": 1, "dirs": 1}
    assert sizes.du(view, tree.slashed_text("\\\\nas\\s"))["bytes"] == 7
    told = changes.history(world.twin, tree.slashed_text("C:\\Temp\\old\\x"))
    assert told.select("action", "path").rows() == [("deleted", "C:\\Temp\\old"), ("created", "C:\\Temp\\old\\x")]
    assert world.twin.known("web-1", ["C:\\"])["file_path"].sort().to_list() == ["C:\\Temp", "C:\\Temp\\older"]
