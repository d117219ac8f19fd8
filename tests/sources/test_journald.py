"""The source of the journal: each entry once, over restarts and ends of `journalctl`, and a reason when there is none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from agent.fakes import Memory, agent_of
from tailrace.clock import SystemClock
from tailrace.sources import journald
from tailrace.sources.journald import JournaldSettings, JournaldSource

FAKE = Path(__file__).with_name("fakejournal.py")


class Journal:
    """Entries of a machine, and a source that reads them."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "journal"
        self.file.touch()
        self.count = 0
        self._made: list[JournaldSource] = []

    def write(self, *messages: object) -> None:
        with self.file.open("a") as file:
            for message in messages:
                self.count += 1
                entry = {
                    "__CURSOR": f"s=1;i={self.count}",
                    "__REALTIME_TIMESTAMP": str(1_700_000_000_000_000 + self.count),
                }
                file.write(json.dumps({**entry, "MESSAGE": message, "_SYSTEMD_UNIT": "web.service"}) + "\n")

    def source(self, state=None, *, program: str = str(FAKE), **settings) -> JournaldSource:
        made = JournaldSource(
            JournaldSettings(directory=str(self.file), **settings),
            name="journald",
            clock=SystemClock(),
            host="h",
            program=program,
        )
        made.restore(state or {})
        self._made.append(made)
        return made

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.file.parent / "calls").read_text().splitlines()]

    def close(self) -> None:
        for source in self._made:
            source.close()


@pytest.fixture
def journal(tmp_path, monkeypatch):
    assert sys.executable
    made = Journal(tmp_path)
    yield made
    made.close()


def messages(source, count, seconds=10.0):
    """Return the next messages; fails when they do not come."""
    clock = SystemClock()
    end_s, found = clock.monotonic_s() + seconds, []
    while len(found) < count:
        assert clock.monotonic_s() < end_s, f"only {found}; {source.status()}"
        for block in source.read(1 << 20, 0.05):
            found += [json.loads(line)["MESSAGE"] for line in block.data.splitlines()]
    return found


def test_entries_come_once_and_the_cursor_is_the_position(journal):
    journal.write("one", "two")
    first = journal.source()
    assert messages(first, 2) == ["one", "two"]
    state = first.mark()
    assert state == {"cursor": "s=1;i=2", "time_us": 1_700_000_000_000_002}
    assert first.mark() == {}
    first.close()
    journal.write("three")
    again = journal.source(state)
    assert messages(again, 1) == ["three"]
    assert journal.calls()[-1][-1] == "--after-cursor=s=1;i=2"


def test_a_program_that_ends_is_started_again_behind_the_last_entry(journal, monkeypatch):
    monkeypatch.setattr(journald, "BACK_OFF_S", (0.01, 0.02))
    journal.write("one", "DIE")
    source = journal.source()
    assert messages(source, 1) == ["one"]
    text = journal.file.read_text().replace("DIE", "two")
    while not source.status()[0].why:
        assert not source.read(1 << 20, 0.05)
    assert source.status()[0].state == "unreadable"
    assert source.status()[0].why == f"{FAKE} ended with 3"
    journal.file.write_text(text)
    assert messages(source, 1) == ["two"]
    assert source.status()[0].why == ""
    assert source.counters["restarts"] >= 1


def test_pauses_grow_while_it_does_not_work():
    class Clock(SystemClock):
        now = 0.0

        def monotonic_s(self):
            return self.now

        def wait(self, event, timeout_s):
            self.now += timeout_s
            return False

    clock, starts = Clock(), []
    settings = JournaldSettings(directory="/nowhere")
    source = JournaldSource(settings, name="j", clock=clock, host="h", program="/there/is/no/journalctl")
    while clock.now < 200:
        before = source._due_s
        source.read(1 << 20, 0.5)
        if source._due_s != before:
            starts.append(clock.now - 0.5)
    assert starts == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0, 183.0]
    assert source.status()[0].why == "there is no /there/is/no/journalctl here"
    assert source.status()[0].state == "unreadable"


def test_what_the_program_says_is_the_reason(journal):
    why = "No journal files were opened due to insufficient permissions."
    (journal.file.parent / "refuse").write_text(f"Hint: You are currently not seeing messages.\n{why}\n")
    source = journal.source()
    while "ended" not in source.status()[0].why:
        source.read(1 << 20, 0.05)
    assert source.status()[0].why == f"{FAKE} ended with 1: {why}"


def test_a_cursor_that_is_gone_is_replaced_by_its_time(journal, monkeypatch):
    monkeypatch.setattr(journald, "BACK_OFF_S", (0.01, 0.02))
    journal.count = 7
    journal.write("eight", "nine")
    source = journal.source({"cursor": "s=0;i=7", "time_us": 1_700_000_000_000_009})
    assert messages(source, 1) == ["nine"]
    assert journal.calls()[-1][-1] == "--since=@1700000000.000009"
    assert source.mark() == {"cursor": "s=1;i=9", "time_us": 1_700_000_000_000_009}


def test_from_the_end_only_what_comes_next_is_read(journal):
    journal.write("old")
    source = journal.source(read_from="end", units=("web.service",), matches=("PRIORITY=3",))
    source.read(1 << 20, 0.0)
    while not (journal.file.parent / "calls").exists():
        source.read(1 << 20, 0.05)
    words = journal.calls()[0]
    assert words[:4] == ["--output=json", "--all", "--follow", "--no-pager"]
    assert words[5:] == ["--unit=web.service", "--lines=0", "PRIORITY=3"]


def test_what_is_no_entry_does_not_move_the_position(journal):
    source = journal.source({"cursor": "s=1;i=1", "time_us": 5})
    source._remember(source._flow.take(b"not json\n", 1))
    source._remember(source._flow.take(b'["no object"]\n{"__CURSOR": "x"}\n', 1))
    assert source.mark() == {}


def test_entries_reach_the_sink_with_unit_level_and_exact_bytes(journal, tmp_path):
    journal.write("plain", "two\nlines", [104, 105, 255])
    source, sink = journal.source(), Memory()
    agent, accounts = agent_of(tmp_path, [source], sink, interval_s=0.0)

    def enough(progress):
        if progress.lines == 3:
            agent.stop()

    agent.run(enough)
    assert sink.lines() == ["plain", "two\nlines", "hi\N{REPLACEMENT CHARACTER}"]
    frame = sink.batches[-1].frame
    assert frame["_raw"].to_list()[-1] == b"hi\xff"
    assert frame["_stream"].unique().to_list() == ['{host="h", service_name="web", source="journald"}']
    assert accounts.of("journald").closed()
