"""The source: refusals are said and tried again, events are blocks of documents."""

import json
import shutil

import pytest
from pydantic import ValidationError

from ebpf.needs import bpf
from sources.trace.traced import Actor
from tailrace.clock import ManualClock, SystemClock
from tailrace.ebpf import bpf as loader
from tailrace.sources.trace import choose, source
from tailrace.sources.trace.choose import NoTraceError, open_reader
from tailrace.sources.trace.settings import TraceSettings
from tailrace.sources.trace.source import BACK_OFF_S, TraceSource


def made(clock, *events, **settings):
    return TraceSource(TraceSettings(events=events, **settings), name="trace", clock=clock, host="h")


def test_a_refusal_is_said_and_tried_again_ever_later(monkeypatch):
    tries = []

    def refuse(*_):
        tries.append(clock.monotonic_s())
        raise NoTraceError("it needs the rights of root")

    monkeypatch.setattr(source, "open_reader", refuse)
    clock, told = ManualClock(), []
    one = made(clock, "open", "unlink")
    one.listen(lambda: told.append(one.status()))
    assert one.status() == []
    while clock.monotonic_s() < 10:
        assert one.read(1, 0.5) == []
    (status,) = one.status()
    assert (status.path, status.state, status.why) == ("open unlink", "unreadable", "it needs the rights of root")
    assert len(told) == 1
    assert tries == [0, BACK_OFF_S[0], 3.0, 7.0]
    assert (one.mark(), one.counters, one.done, one.backlog_bytes()) == ({}, {}, False, 0)
    one.close()


@bpf
def test_events_are_documents_of_one_line(tmp_path):
    actor = Actor("os.mkdir(sys.argv[1]); os.rmdir(sys.argv[1])", tmp_path / "d")
    one = made(SystemClock(), f"{actor.pid}:mkdir", f"{actor.pid}:unlink", labels={"team": "x"})
    try:
        one.read(1, 0)
        actor.act()
        blocks = [*one.read(1, 5.0)]
        data = b"".join(block.data for block in blocks)
        events = [json.loads(line) for line in data.splitlines()]
        assert [(event["name"], event["call"]) for event in events] == [("mkdir", "mkdir"), ("unlink", "rmdir")]
        assert blocks[0].origin.labels == {"host": "h", "source": "trace", "service_name": "trace", "team": "x"}
        assert (blocks[0].offset, one.status()[0].state) == (0, "following")
        assert one.counters["seen"] == one.counters["read"] == one.counters["rows"] == 2
    finally:
        one.close()


def test_other_systems_are_refused_with_every_reason(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    with pytest.raises(NoTraceError, match=r"bpf: eBPF is a part of Linux; this is Darwin; bpftrace: it is a program"):
        open_reader(TraceSettings(events=("open",)), ManualClock())


def test_the_other_way_is_tried_and_its_absence_told(monkeypatch):
    def refused(*_, **__):
        raise loader.BpfError("a map (array)", 1)

    monkeypatch.setattr(choose, "Tracing", refused)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(NoTraceError, match=r"bpf: it needs the rights of root.*; bpftrace: it is not installed"):
        open_reader(TraceSettings(events=("open",)), ManualClock())
    with pytest.raises(NoTraceError, match=r"cannot be traced: it is not installed"):
        open_reader(TraceSettings(events=("open",), backend="bpftrace"), ManualClock())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"events": ["opne"]}, "there is no such event"),
        ({"events": []}, "at least 1 item"),
        ({"events": ["open"], "paths": ["etc"]}, "does not begin at the root"),
        ({"events": ["open"], "ring_bytes": 5000}, "is no power of two"),
    ],
)
def test_wrong_settings(settings, said):
    with pytest.raises(ValidationError, match=said):
        TraceSettings(**settings)
