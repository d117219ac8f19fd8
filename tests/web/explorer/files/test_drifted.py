"""What differs from a moment of the past, and from a baseline."""

from __future__ import annotations

import polars as pl
import pytest

from tailrace.drift.baseline import About, Baseline
from tailrace.drift.rules import Rule
from tailrace.web.explorer.files import drifted
from twin.world import NS, START_NS, World, event, folder, made

HOST = "web-1"


@pytest.fixture
def changed(world: World) -> World:
    world.happen(
        folder("created", "/d"),
        made("created", "/d/a", 1, mode="0644", mtime="2023-11-14T22:00:00Z"),
        made("created", "/d/gone", 2),
        made("created", "/d/x", 3, inode="77"),
    )
    world.happen(
        made("updated", "/d/a", 20, size=11, mode="0600", mtime="2023-11-14T22:13:30Z"),
        event("deleted", "/d/gone", 21),
        made("created", "/d/new", 22, inode="99"),
        made("moved", "/d/y", 23, old_path="/d/x", inode="77"),
    )
    world.clock.advance(60)
    return world


def test_the_past_and_now(changed: World) -> None:
    old, new = (drifted.files(view, HOST, ["/d"]) for view in (changed.twin.at(START_NS + 10 * NS), changed.twin.now()))
    found = drifted.page(drifted.between(old, new), 1)
    assert found.counts == {"new": 1, "removed": 1, "changed": 1, "renamed": 1}
    told = {row.path: (row.kind, row.old_path, row.changes) for row in found.rows}
    assert told == {
        "/d/a": (
            "changed",
            "",
            [
                ("size", "10", "11"),
                ("mode", "0644", "0600"),
                ("mtime", "2023-11-14T22:00:00Z", "2023-11-14T22:13:30Z"),
            ],
        ),
        "/d/gone": ("removed", "", []),
        "/d/new": ("new", "", []),
        "/d/y": ("renamed", "/d/x", []),
    }
    assert [row.path for row in drifted.page(drifted.between(old, new), 1, "new").rows] == ["/d/new"]


def test_a_baseline_with_its_rules(changed: World) -> None:
    rows = pl.DataFrame(
        {
            "file_path": ["/d/a", "/d/y", "/d/new", "/d/lost"],
            "file_type": ["file"] * 4,
            "file_size": [10, 10, 10, 10],
            "file_mode": ["0644", None, None, None],
            "file_mtime": ["2023-11-14T22:13:30Z", None, None, None],
            "file_inode": ["/d/a", "77", "99", "5"],
            "file_device": ["d"] * 4,
            "file_links": [1] * 4,
            "file_hash_sha256": ["ab"] * 4,
            "file_acl": ["secret"] * 4,
        }
    )
    rules = (Rule("**", "all"), Rule("/d", "ignore"), Rule("/d/a", "all-size"))
    baseline = Baseline(About(START_NS, HOST, ("/d",), rules), rows)
    found = drifted.page(drifted.from_baseline(baseline, drifted.files(changed.twin.now(), HOST, ["/d"])), 1)
    told = {row.path: (row.kind, row.changes) for row in found.rows}
    # what events do not tell, hash and ACL here, is no difference; the size of /d/a does not count by its rule
    assert told == {"/d/a": ("changed", [("mode", "0644", "0600")]), "/d/lost": ("removed", [])}
