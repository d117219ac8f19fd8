"""The health of each host."""

from __future__ import annotations

from tailrace.web.explorer.files.healthy import healthy
from twin.world import START_NS, World, event, made

SINCE, UNTIL = "2023-11-14T22:13:20Z", "2023-11-14T22:13:30Z"


def test_hosts_with_their_gaps(world: World) -> None:
    gap = {"event_start": SINCE, "event_kind": "state"}
    world.happen(
        made("created", "/a", 1, process_pid=7, event_provider="fanotify"),
        made("updated", "/a", 2, event_provider="fanotify"),
        made("created", "/b", 3, event_provider="scan"),  # a scan cannot know who it was
        event("gap", "/", 4, event_reason="overflow", **gap),
        event("gap", "/", 5, event_end=UNTIL, event_reason="overflow", **gap),
        event("gap", "/srv", 6, event_reason="restart", **gap),
    )
    world.happen(made("created", "/c", size=5), host="db-1")
    world.clock.advance(60)
    found = healthy(world.twin)
    columns = ("host", "files", "bytes", "events", "open", "gaps", "overflows", "told", "nameless")
    assert [tuple(row[name] for name in columns) for row in found.hosts] == [
        ("db-1", 1, 5, 1, 0, 0, 0, 1, 1),
        ("web-1", 2, 20, 3, 1, 2, 1, 2, 1),
    ]
    assert found.hosts[1]["last_ns"] == START_NS + 6_000_000_000
    gaps = [(row["file_path"], row["event_end"], row["event_reason"]) for row in found.gaps]
    assert gaps == [("/srv", None, "restart"), ("/", UNTIL, "overflow")]
    assert found.numbers.open_gaps == 1
