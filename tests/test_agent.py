"""The reading half: order of plan, submit and settle; stopping; a failing sink; the account at every step."""

from __future__ import annotations

import json
import threading

import pytest

from agent.fakes import Memory, Numbers
from agent.fakes import agent_of as agent_with
from tailrace import registry
from tailrace.agent import Progress
from tailrace.agent.once import collect
from tailrace.clock import SystemClock
from tailrace.config.model import Config
from tailrace.contracts import Origin, Reading
from tailrace.errors import TransientError
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.store.table import LogTable


def agent_of(folder, source, sink, **options):
    return agent_with(folder, [source], sink, **options)


def numbered(first, last):
    return [f"line {n}" for n in range(first, last + 1)]


def test_one_shot_ends_when_all_is_durable(tmp_path):
    source, sink = Numbers(50), Memory()
    agent, accounts = agent_of(tmp_path, source, sink)
    seen: list[Progress] = []
    agent.run(seen.append)
    assert sink.lines() == numbered(1, 50)
    assert source.closed
    assert seen[-1].lines == 50
    account = accounts.of("numbers")
    assert account.closed()
    assert account.lines == {"read": 50, "stored": 50, "reduced": 0, "rejected": 0, "pending": 0}


def test_a_second_run_goes_on_after_the_first(tmp_path):
    sink = Memory()
    agent_of(tmp_path, Numbers(10), sink)[0].run()
    agent_of(tmp_path, Numbers(25), sink)[0].run()
    assert sink.lines() == numbered(1, 25)


def test_a_plan_is_durable_before_its_batch_is_sent(tmp_path):
    plans_at_submit = []

    class Watching(Memory):
        def submit(self, batch):
            plans_at_submit.append((tmp_path / "agent" / "checkpoint.log").read_bytes())
            return super().submit(batch)

    sink = Watching()
    agent_of(tmp_path, Numbers(3), sink)[0].run()
    assert sink.batches
    for plans, batch in zip(plans_at_submit, sink.batches, strict=True):
        assert json.dumps({"at": batch.frame.height}).strip("{}").encode().split(b":")[0] in plans


def test_a_failed_batch_is_raised_and_read_again_next_time(tmp_path):
    sink = Memory(fail_at=0)
    agent, accounts = agent_of(tmp_path, Numbers(5), sink)
    with pytest.raises(TransientError, match="disk is full"):
        agent.run()
    assert accounts.of("numbers").closed()
    assert accounts.of("numbers").lines["pending"] > 0
    sink.fail_at = None
    agent_of(tmp_path, Numbers(5), sink)[0].run()
    assert sink.lines() == numbered(1, 5)


def test_stop_drains_what_was_read(tmp_path):
    source, sink = Numbers(100, endless=True), Memory()
    agent, accounts = agent_of(tmp_path, source, sink, interval_s=0.0)
    runner = threading.Thread(target=agent.run)
    runner.start()
    deadline = SystemClock().monotonic_s() + 10
    while len(sink.batches) == 0 and SystemClock().monotonic_s() < deadline:
        threading.Event().wait(0.005)
    agent.stop()
    runner.join(10)
    assert not runner.is_alive()
    read = accounts.of("numbers").lines["read"]
    lines = sink.lines()
    assert lines == numbered(1, len(lines))
    assert accounts.of("numbers").closed()
    assert read - accounts.of("numbers").lines["pending"] == len(lines)


def test_a_batch_that_the_table_holds_is_not_sent_again(tmp_path):
    """The process died after the commit and before it could note it: the table's number decides."""
    sink = Memory()
    checkpoint = Checkpoint.open(tmp_path / "agent", agent_name="t")
    position = checkpoint.plan({"numbers": {"at": 4}})
    sink.numbers[position.agent] = position.number
    checkpoint.close()
    agent_of(tmp_path, Numbers(6), sink)[0].run()
    assert sink.lines() == numbered(5, 6)


def test_a_parser_that_fails_costs_no_line(tmp_path, monkeypatch):
    class Broken:
        name = "json"

        def parse(self, lines, reading):
            raise RuntimeError("a bug in a parser")

    class Json(Numbers):
        def __init__(self):
            super().__init__(1)
            self._origin = Origin("k", {"filename": "/n"}, Reading(format="json"))

    find = registry.find
    monkeypatch.setattr(registry, "find", lambda kind, name: Broken if name == "json" else find(kind, name))
    sink = Memory()
    agent, accounts = agent_of(tmp_path, Json(), sink)
    agent.run()
    assert sink.lines() == ["line 1"]
    assert sink.batches[0].frame["_error"].to_list() == ["ParserFailure"]
    assert b"tailrace_parser_failures_total 1" in accounts.render()[0]


def test_news_of_positions_alone_are_kept_at_a_stop(tmp_path):
    class Forgetful(Numbers):
        def mark(self):
            return super().mark() or ({"gone": None, "new": 1} if self.closing() else {})

        def closing(self):
            first, self.told = not getattr(self, "told", False) and self.at == self.turns, self.at == self.turns
            return first

    sink = Memory()
    agent_of(tmp_path, Forgetful(2), sink)[0].run()
    checkpoint = Checkpoint.open(tmp_path / "agent", agent_name="t")
    checkpoint.recover(sink.last_number(checkpoint.agent))
    assert checkpoint.state["numbers"] == {"at": 2, "new": 1}
    checkpoint.close()


def test_a_reader_that_breaks_is_a_loud_error(tmp_path):
    class Broken(Numbers):
        def read(self, budget_bytes, timeout_s):
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        agent_of(tmp_path, Broken(1), Memory())[0].run()


def test_collect_imports_once_and_can_restamp(tmp_path):
    log = tmp_path / "app.log"
    log.write_text("2020-01-02T03:04:05Z info one\n2020-01-02T03:04:06Z info two\n")
    config = Config(data=tmp_path / "data")
    first = collect(config, [str(log)])
    assert (first.lines, first.files) == (2, 1)
    assert collect(config, [str(log)]).lines == 0
    before = SystemClock().now_ns()
    assert collect(config, [str(log)], group="again", now=True).lines == 2
    segments = LogTable.open(tmp_path / "data").snapshot().segments(before, 2**63 - 1).frame
    assert segments["rows"].sum() == 2
