"""The rules of the fold, one by one, with states worked out by hand."""

from __future__ import annotations

import polars as pl
import pytest

from tailrace.twin.fold import fold
from tailrace.twin.records import EVENT, of_events
from twin.world import Event, event, folder, made


def records(*events: Event, numbered: bool = True, host: str = "h") -> pl.DataFrame:
    rows = []
    for number, one in enumerate(events, 1):
        row = dict.fromkeys(EVENT) | {"host": host, "order": number} | one
        row["_time_ns"] = round(row.pop("second") * 1_000_000_000)
        if numbered and row["event_sequence"] is None:
            row["event_sequence"] = number
        rows.append({name: row[name] for name in EVENT})
    return of_events(pl.DataFrame(rows, schema=dict(EVENT)))


def living(*events: Event, numbered: bool = True) -> list[str]:
    return sorted(fold(records(*events, numbered=numbered)).live["path"])


def test_latest_sequence_wins_over_order() -> None:
    live = fold(
        records(made("created", "/a", event_sequence=7, size=1), made("updated", "/a", event_sequence=6, size=2))
    )
    assert live.live.select("path", "size").rows() == [("/a", 1)]


def test_latest_time_then_order_without_sequence() -> None:
    rows = records(
        made("created", "/a", 5, size=1), made("updated", "/a", 5, size=2), made("updated", "/a", 4), numbered=False
    )
    assert fold(rows).live.select("path", "size").rows() == [("/a", 2)]


@pytest.mark.parametrize(
    ("actions", "lives"),
    [
        ("deleted,created", True),  # metadata is there: a replaced, living file
        ("created,deleted", True),
        ("updated", True),
        ("deleted", False),  # alone, whatever is told of the file
        ("moved", False),
    ],
)
def test_several_actions_with_metadata(actions: str, lives: bool) -> None:
    assert living(made(actions, "/a")) == (["/a"] if lives else [])


@pytest.mark.parametrize(
    ("actions", "lives"),
    [("deleted,created", True), ("created,deleted", False), ("created,moved", False), ("created", True)],
)
def test_several_actions_without_metadata(actions: str, lives: bool) -> None:
    assert living(event(actions, "/a")) == (["/a"] if lives else [])


def test_a_directory_takes_its_subtree_by_true_prefix() -> None:
    names = ["/d", "/d/x", "/d/y/z", "/d-x", "/d.x", "/d0", "/d*", "/d*/x", "/d?", "/dd", "/d\n"]
    events = [made("created", name) for name in names]
    assert living(*events, event("deleted", "/d")) == sorted(set(names) - {"/d", "/d/x", "/d/y/z"})


def test_a_star_in_a_name_is_a_star() -> None:
    names = ["/a*", "/a*/x", "/ab", "/ab/x", "/a?", "/a?/x"]
    assert living(*(made("created", name) for name in names), event("deleted", "/a*")) == [
        "/a?",
        "/a?/x",
        "/ab",
        "/ab/x",
    ]


def test_what_came_after_the_removal_stays() -> None:
    events = [folder("created", "/d"), made("created", "/d/old"), event("deleted", "/d")]
    assert living(*events, folder("created", "/d"), made("created", "/d/new")) == ["/d", "/d/new"]


def test_a_removal_that_is_all_that_is_known_of_a_directory() -> None:
    assert living(made("created", "/d/x"), made("created", "/d/y/z"), event("deleted", "/d")) == []


def test_an_attribute_change_of_a_directory_removes_nothing() -> None:
    events = [folder("created", "/d"), made("created", "/d/x"), folder("attributes_modified", "/d", mode="0700")]
    assert living(*events) == ["/d", "/d/x"]


def test_a_replaced_directory_is_empty() -> None:
    events = [
        folder("created", "/d"),
        made("created", "/d/x"),
        folder("deleted,created", "/d"),
        made("created", "/d/y"),
    ]
    assert living(*events) == ["/d", "/d/y"]


def test_the_root_itself_can_go() -> None:
    assert living(made("created", "/x"), event("deleted", "/"), made("created", "/y")) == ["/y"]


def test_a_moved_directory_takes_its_subtree_along() -> None:
    events = [folder("created", "/a"), made("created", "/a/x y"), made("created", "/a/s/*"), made("created", "/ab")]
    assert living(*events, folder("moved", "/b/c", old_path="/a")) == ["/ab", "/b/c", "/b/c/s/*", "/b/c/x y"]


def test_moves_of_moves() -> None:
    events = [folder("created", "/a"), made("created", "/a/x"), folder("moved", "/b", old_path="/a")]
    events += [made("created", "/b/y"), folder("moved", "/c/d", old_path="/b"), folder("moved", "/e", old_path="/c")]
    assert living(*events) == ["/e", "/e/d", "/e/d/x", "/e/d/y"]


def test_there_and_back() -> None:
    events = [folder("created", "/a", inode="1"), made("created", "/a/x")]
    events += [folder("moved", "/b", old_path="/a", inode="1"), folder("moved", "/a", old_path="/b", inode="1")]
    assert living(*events) == ["/a", "/a/x"]


def test_two_directories_change_places_as_the_source_tells_it() -> None:
    events = [folder("created", "/a", inode="1"), made("created", "/a/x"), folder("created", "/b", inode="2")]
    events += [made("created", "/b/y"), folder("moved", "/b", old_path="/a", inode="1")]
    events += [event("deleted", "/b"), folder("created", "/b", inode="1"), made("created", "/b/x")]
    assert living(*events, folder("created", "/a", inode="2"), made("created", "/a/y")) == ["/a", "/a/y", "/b", "/b/x"]


def test_a_moved_file_replaces_the_one_that_was_there() -> None:
    live = fold(
        records(
            made("created", "/a", size=1), made("created", "/b", size=2), made("moved", "/b", old_path="/a", size=1)
        )
    )
    assert live.live.select("path", "size").rows() == [("/b", 1)]


def test_a_move_that_tells_nothing_keeps_what_was_known() -> None:
    live = fold(
        records(made("created", "/a", size=7), event("moved", "/b", old_path="/a"), event("updated", "/b"))
    ).live
    assert live.select("path", "type", "size").rows() == [("/b", "file", 7)]


def test_a_move_without_a_target_is_found_by_its_inode() -> None:
    events = [folder("created", "/a", 1, inode="9"), made("created", "/a/x", 2), event("moved", "/a", 3)]
    assert living(*events, folder("created", "/b", 3, inode="9"), numbered=False) == ["/b", "/b/x"]


def test_a_move_without_a_target_that_nobody_sees_again_removes() -> None:
    events = [folder("created", "/a", 1, inode="9"), made("created", "/a/x", 2), event("moved", "/a", 3)]
    assert living(*events, folder("created", "/b", 3, inode="8"), numbered=False) == ["/b"]


def test_names_of_an_inode_share_the_newest_metadata() -> None:
    events = [made("created", "/a", inode="5", links=1, size=1), made("created", "/b", inode="5", links=2, size=1)]
    live = fold(
        records(*events, made("updated", "/a", inode="5", links=2, size=9), made("created", "/c", inode="6"))
    ).live
    assert live.sort("path").select("path", "size", "links").rows() == [("/a", 9, 2), ("/b", 9, 2), ("/c", 10, 1)]


def test_hosts_and_devices_share_nothing() -> None:
    one = records(made("created", "/a", inode="5", links=2, size=1), event("deleted", "/d"), host="one")
    two = records(made("created", "/d/x", inode="5", links=2, size=2), host="two")
    live = fold(pl.concat([one, two])).live
    assert live.sort("host").select("host", "path", "size").rows() == [("one", "/a", 1), ("two", "/d/x", 2)]


def test_acts_matter_to_what_comes_late() -> None:
    first = fold(
        records(folder("moved", "/b", old_path="/a", event_sequence=10), event("deleted", "/d", event_sequence=11))
    )
    late = records(made("created", "/a/x", event_sequence=4), made("created", "/d/y", event_sequence=5))
    assert sorted(fold(pl.concat([first.live, first.acts, late])).live["path"]) == ["/b", "/b/x"]


def test_gaps_and_silence_make_no_path() -> None:
    assert living(event("gap", "/srv", event_kind="state"), event("none", "/a"), event("config_change", "/b")) == []


def test_a_slash_at_the_end_of_a_path_means_nothing() -> None:
    assert living(folder("created", "/d/"), event("deleted", "/d")) == []


def test_no_records() -> None:
    assert fold(records()).live.height == 0


def test_a_file_that_moves_carries_nothing_of_a_directory_that_was_there_before() -> None:
    events = [
        folder("created", "/a"),
        made("created", "/a/f"),
        folder("moved", "/b", old_path="/a", inode="/a"),
        made("created", "/b", inode="file"),  # how the directory went was not told
        made("moved", "/c", old_path="/b", inode="file"),
    ]
    assert living(*events) == ["/c"]
