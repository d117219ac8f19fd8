"""Trees that one process removed, told once more as one."""

import polars as pl

from tailrace.clock import NS_PER_S
from tailrace.sources.file_events.acts import QUIET_NS, Acts

START = 1_700_000_000 * NS_PER_S


def rows(*events, action="deleted", first=1):
    return pl.DataFrame(
        [
            {
                "event_action": action,
                "event_reason": None,
                "event_sequence": first + place,
                "file_path": path,
                "file_type": kind,
                "file_size": size,
                "process_pid": pid,
                "process_name": "rm",
                "event_provider": "fanotify",
            }
            for place, (path, kind, size, pid) in enumerate(events)
        ],
        schema_overrides={"event_reason": pl.String, "file_size": pl.Int64, "file_type": pl.String},
    )


MADE = rows(("/t/a/1", "file", 10, 5), ("/t/a/2", "file", 5, 5), ("/t/3", "file", 1, 5), action="created")
REMOVED = (
    ("/t/a/1", None, None, 7),
    ("/t/a/2", None, None, 7),
    ("/t/a", "dir", None, 7),
    ("/t/3", None, None, 7),
    ("/t", "dir", None, 7),
)


def test_a_tree_is_one_act_at_its_top():
    acts = Acts()
    acts.see(MADE, START)
    acts.see(rows(*REMOVED, first=100), START + 5)
    assert acts.over(START + 5) is None
    found = acts.over(START + 5 + QUIET_NS)
    assert found is not None
    row = found.row(0, named=True)
    assert found.height == 1
    assert (row["file_path"], row["event_count"], row["event_bytes"]) == ("/t", 5, 16)
    assert (row["event_action"], row["event_reason"], row["event_sequence"]) == ("deleted", "delete_tree", 104)
    assert (row["process_pid"], row["process_name"]) == (7, "rm")
    assert row["event_start"] == row["event_end"] == "2023-11-14T22:13:20.000000005Z"
    assert acts.over(START + 10 * QUIET_NS) is None


def test_it_may_come_in_pieces_and_without_sizes():
    acts = Acts()
    for place, event in enumerate(REMOVED):
        acts.see(rows(event, first=place), START + place)
    found = acts.over(START + 2 * QUIET_NS)
    assert found is not None
    assert found.select("file_path", "event_count", "event_bytes").rows() == [("/t", 5, None)]


def test_two_processes_have_two_acts_and_files_alone_have_none():
    acts = Acts()
    acts.see(rows(*REMOVED, *((path + "2", kind, size, 8) for path, kind, size, _ in REMOVED[:2])), START)
    acts.see(rows(*((path.replace("/t", "/u"), kind, size, 9) for path, kind, size, _ in REMOVED), first=50), START)
    found = acts.over(START + QUIET_NS)
    assert found is not None
    assert sorted(found.select("file_path", "process_pid").rows()) == [("/t", 7), ("/u", 9)]
