"""What a reader makes of a trace: names of processes, rows of gaps, accounts that do not close. Both are made up here."""

import json

import polars as pl

from sources.trace.recorded import record
from tailrace.clock import NS_PER_S, ManualClock
from tailrace.ebpf.processes import Process
from tailrace.sources.trace import layout as at
from tailrace.sources.trace.documents import lines
from tailrace.sources.trace.reader import GAP, TraceReader, gap
from tailrace.sources.trace.request import parse
from tailrace.sources.trace.tables import tables

CAT = Process(7, 3, "cat", "/bin/cat", ("cat",), 1000, 100, None, "ab" * 32, 0)


class FakeTrace:
    """A trace with records and counters that a test sets."""

    def __init__(self):
        self.tables = tables(parse(["open"]), "x86_64")
        self.records, self.waiting_bytes, self.looked = [], 0, 0
        self.counters = dict.fromkeys([*at.COUNTERS, "read"], 0)

    def read(self, timeout_s, most):
        found, self.records = self.records[:most], self.records[most:]
        return found

    def look_at_places(self):
        self.looked += 1

    def stop(self):
        pass

    close = stop


class FakeProcesses:
    """Processes of which one is known."""

    name, why, counters = "ebpf", "", {"lost": 0}

    def __init__(self):
        self.drained = 0

    def drain(self):
        self.drained += 1

    def who(self, pid, at_ns):
        return CAT if pid == 7 else None

    def close(self):
        pass


def reader():
    trace, processes, clock = FakeTrace(), FakeProcesses(), ManualClock()
    return TraceReader(trace, processes, clock), trace, processes, clock


def test_rows_have_the_program_and_the_container_of_their_process():
    one, trace, processes, _ = reader()
    trace.records = [record(2, ret=-2, texts=(b"/x\0",), pid=pid) for pid in (7, 8, 7)]
    (frame,) = one.read(0, 100)
    assert frame["exe"].to_list() == ["/bin/cat", None, "/bin/cat"]
    assert frame["container_id"].to_list() == ["ab" * 32, None, "ab" * 32]
    assert processes.drained == 1


def test_places_and_processes_are_looked_at_each_second_also_without_events():
    one, trace, processes, clock = reader()
    for _ in range(5):
        assert one.read(0, 100) == []
        clock.advance(0.5)
    assert (trace.looked, processes.drained) == (2, 2)


def test_a_loss_is_a_row_with_its_span():
    one, trace, _, clock = reader()
    start_ns = clock.now_ns()
    trace.counters |= {"seen": 12, "ring_full": 12}
    clock.advance(2)
    (frame,) = one.read(0, 100)
    (row,) = frame.iter_rows(named=True)
    assert (row["name"], row["lost"], row["event_action"], row["level"]) == (GAP, 12, "gap", "warn")
    assert (row["event_start"], row["event_end"]) == (
        "2023-11-14T22:13:20.000000000Z",
        "2023-11-14T22:13:22.000000000Z",
    )
    assert row["time_ns"] == start_ns + 2 * NS_PER_S
    clock.advance(2)
    assert one.read(0, 100) == []
    assert (one.lost, one.wrong) == (12, "")


def test_an_account_that_does_not_close_is_told():
    one, trace, _, clock = reader()
    trace.counters |= {"seen": 5, "submitted": 3, "read": 3}
    clock.advance(1)
    one.read(0, 100)
    assert "seen is not filtered + submitted + ring_full" in one.wrong
    trace.counters |= {"seen": 4, "submitted": 4}
    clock.advance(1)
    one.read(0, 100)
    assert "submitted is not read" in one.wrong
    trace.waiting_bytes = 100
    clock.advance(1)
    one.read(0, 100)
    assert one.wrong == ""


def test_documents_name_everything_once():
    one, trace, _, _ = reader()
    trace.records = [record(2, ret=-2, texts=(b'/"x"\0',), arguments=(0, 577, 420))]
    (event,) = map(json.loads, lines(one.read(0, 100)).splitlines())
    assert event["args"] == {"filename": '/"x"', "flags": 577, "mode": 420}
    assert [event[f"arg{n}"] for n in (1, 2, 3)] == ['/"x"', 577, 420]
    assert event["message"] == 'open Filename "/\\"x\\"" Flags 577 Mode 420 = -2 by cat[7]'
    assert {"time", "name", "call", "pid", "exe", "hash"} <= set(event)
    assert not {"time_ns", "_order", "ino", "path2"} & set(event)


def test_a_gap_as_a_document():
    (event,) = map(json.loads, lines([gap(0, NS_PER_S, 3), pl.DataFrame()]).splitlines())
    assert event["message"] == (
        "3 events were lost between 1970-01-01T00:00:00.000000000Z and 1970-01-01T00:00:01.000000000Z"
    )
