"""Sums as `du` makes them: worked out by hand, and against `du` over a real tree."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import polars as pl

from tailrace.twin import sizes
from tailrace.twin.condense import condense
from tailrace.twin.keeper import take
from twin.world import NS, START_NS, World, event, folder, made, short

if TYPE_CHECKING:
    from pathlib import Path


def filled(world: World) -> World:
    world.happen(
        folder("created", "/srv", size=4096),
        folder("created", "/srv/a", size=100),
        folder("created", "/srv/a/b", size=10),
        made("created", "/srv/a/one.log", size=1, owner="ann"),
        made("created", "/srv/a/b/two.log", size=2, owner="bob", links=2, inode="7"),
        made("created", "/srv/three.TXT", size=2, owner="bob", links=2, inode="7"),
        made("created", "/srv/.hidden", size=5, owner=None),
        made("created", "/srv-x/other", size=1_000),
    )
    return world


def test_a_folder_counts_each_inode_once(world: World) -> None:
    view = filled(world).twin.now()
    assert sizes.du(view, "/srv") == {
        "bytes": 4096 + 100 + 10 + 1 + 2 + 5,
        "allocated": 6 * 4096,
        "files": 3,
        "dirs": 3,
    }
    assert sizes.du(view, "/srv/a/b")["bytes"] == 12
    assert sizes.du(view, "/srv", dirs=False)["bytes"] == 8
    assert sizes.du(view, "/srv/a/one.log") == {"bytes": 1, "allocated": 4096, "files": 1, "dirs": 0}
    assert sizes.du(view, "/nothing") == {"bytes": 0, "allocated": 0, "files": 0, "dirs": 0}


def test_by_directory_rows_contain_each_other(world: World) -> None:
    view = filled(world).twin.now()
    rows = sizes.split(view, "dir", "/srv", depth=2).select("key", "bytes", "files").rows()
    assert rows == [("/srv", 4214, 3), ("/srv/a", 113, 2), ("/srv/a/b", 12, 1)]
    assert sizes.split(view, "dir", "/", depth=1)["key"].to_list() == ["/", "/srv", "/srv-x"]
    assert sizes.split(view, "dir", "/", depth=0).select("key", "bytes").rows() == [("/", 5214)]


def test_by_what_files_are(world: World) -> None:
    view = filled(world).twin.now()
    by = {
        one: dict(sizes.split(view, one, "/srv", dirs=False).select("key", "bytes").iter_rows())
        for one in ("owner", "extension", "host", "type", "device")
    }
    assert by["owner"] == {"": 5, "bob": 2, "ann": 1}
    assert by["extension"] == {"": 5, "log": 3, "TXT": 2}  # an inode counts in each row that has a name of it
    assert by["host"] == {"web-1": 8}
    assert by["type"] == {"file": 8}
    assert by["device"] == {"d": 8}


def test_by_age(world: World) -> None:
    days = {"/new": 0.5, "/week": 3, "/old": 400}
    for path, age in days.items():
        moment = (
            pl.Series([START_NS - round(age * 86_400) * NS], dtype=pl.Int64)
            .cast(pl.Datetime("ns"))
            .dt.strftime("%Y-%m-%dT%H:%M:%SZ")[0]
        )
        world.happen(made("created", path, size=round(age * 2), mtime=moment))
    world.happen(made("created", "/unknown", size=0))
    found = dict(sizes.split(world.twin.now(), "age").select("key", "bytes").iter_rows())
    assert found == {"< 1 day": 1, "< 1 week": 6, "older": 800, "": 0}


def test_hosts_are_added_up_or_picked(world: World) -> None:
    world.happen(made("created", "/a", size=1, links=2, inode="5"), host="one")
    world.happen(made("created", "/a", size=2, links=2, inode="5"), host="two")
    view = world.twin.now()
    assert sizes.du(view)["bytes"] == 3
    assert sizes.du(view, hosts=["two"])["bytes"] == 2


def test_the_same_condensed_or_not_or_half(world: World) -> None:
    before = sizes.du(filled(world).twin.now())
    take(world.twin.files, world.logs, world.twin.engine)
    condense(world.twin.files)
    assert sizes.du(world.twin.now()) == before
    world.happen(made("updated", "/srv/three.TXT", size=50, links=2, inode="7"), event("deleted", "/srv-x"))
    assert sizes.du(world.twin.now())["bytes"] == before["bytes"] + 48 - 1_000
    assert sizes.du(world.twin.now(), "/srv/a")["bytes"] == 161


def test_equal_to_du_to_the_byte(world: World, tmp_path: Path) -> None:
    top = tmp_path / "tree"
    for number in range(40):
        place = top / f"d{number % 7}" / f"s {number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"f*{number}?").write_bytes(b"x" * number * 37)
        (place / f"link{number}").symlink_to(f"f*{number}?")
    os.link(top / "d1" / "s 1" / "f*1?", top / "d2" / "hard")
    os.link(top / "d1" / "s 1" / "f*1?", top / "d1" / "s 1" / "harder")
    found = [top, *sorted(top.rglob("*"))]
    world.happen(*(seen(path) for path in found))
    view = world.twin.now()
    assert view.rows(None, str(top)).sort("path").collect()["path"].to_list() == sorted(map(str, found))
    for folder_ in (top, top / "d1", top / "d2", top / "d1" / "s 1"):
        assert sizes.du(view, str(folder_))["bytes"] == run("du", "--apparent-size", "-s", "--block-size=1", folder_)
        assert sizes.du(view, str(folder_))["allocated"] == run("du", "-s", "--block-size=1", folder_)
    each = dict(short(sizes.split(view, "dir", str(top), depth=9), ["key", "bytes"]))
    assert each[str(top / "d1" / "s 1")] == run("du", "--apparent-size", "-s", "--block-size=1", top / "d1" / "s 1")


def seen(path: Path) -> dict[str, object]:
    stat = path.lstat()
    kind = "symlink" if path.is_symlink() else "dir" if path.is_dir() else "file"
    known = {"type": kind, "size": stat.st_size, "allocated": stat.st_blocks * 512, "links": stat.st_nlink}
    return event("initial_scan", str(path), inode=str(stat.st_ino), device=str(stat.st_dev), **known)


def run(*command: object) -> int:
    return int(
        subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout.split()[0]
    )
