"""A source on its way into batches: what the chain holds stays pending, over turns, restarts and replacements."""

from __future__ import annotations

import threading

from agent.fakes import Memory, Numbers, agent_of, until
from tailrace import registry
from tailrace.agent import Change
from tailrace.contracts import Block, Origin, Reading

PART = "2026-01-02T03:04:05.000000001Z stdout P first \n"
REST = "2026-01-02T03:04:05.000000002Z stdout F second\n"
BOTH = [{"read": 2, "stored": 2}, {"read": len(PART + REST), "stored": len(PART + REST)}]


class Texts(Numbers):
    """A source of the given blocks, one per turn."""

    def __init__(self, *texts: str, form: str = "cri", endless: bool = False) -> None:
        super().__init__(len(texts), endless=endless, name="pod")
        self._texts = texts
        self._origin = Origin("k", {"filename": "/pod"}, Reading(format=form))

    def read(self, budget_bytes, timeout_s):
        blocks = super().read(budget_bytes, timeout_s)
        before = sum(len(text) for text in self._texts[: self.at - 1])
        return [Block(self._origin, before, self._texts[self.at - 1].encode(), 10**18 + self.at) for _ in blocks]


def some(account):
    return [{name: unit[name] for name in ("read", "stored")} for unit in (account.lines, account.bytes)]


def runs(agent):
    runner = threading.Thread(target=agent.run)
    runner.start()
    return runner


def test_what_is_held_is_pending_and_in_the_checkpoint(tmp_path):
    sink = Memory()
    first = Texts(PART, endless=True)
    agent, accounts = agent_of(tmp_path, [first], sink, interval_s=0.0)
    runner = runs(agent)
    until(lambda: first.at == 1)
    agent.stop()
    runner.join(10)
    assert sink.batches == []
    assert accounts.of("pod").lines == {"read": 1, "stored": 0, "reduced": 0, "rejected": 0, "pending": 1}

    agent, accounts = agent_of(tmp_path, [Texts(PART, REST)], sink)
    agent.run()
    assert sink.lines() == ["first second"]
    account = accounts.of("pod")
    assert some(account) == BOTH
    assert account.lines["pending"] == account.bytes["pending"] == 0


def test_a_source_that_is_at_its_end_gives_out_what_is_held(tmp_path):
    sink = Memory()
    agent, accounts = agent_of(tmp_path, [Texts(PART)], sink)
    agent.run()
    assert sink.lines() == ["first "]
    assert accounts.of("pod").lines["pending"] == 0
    assert accounts.of("pod").lines["stored"] == 1


def test_what_is_held_goes_over_to_a_successor_and_is_counted_once(tmp_path):
    sink, old, new = Memory(), Texts(PART, REST, endless=True), Texts(PART, REST, endless=True)
    old.turns = 1
    agent, accounts = agent_of(tmp_path, [old], sink, interval_s=0.0, linger=True)
    runner = runs(agent)
    until(lambda: old.at == 1)
    agent.change(Change(leave=["pod"], come=[new])).result(10)
    until(lambda: accounts.of("pod").lines["stored"] == 2)
    assert some(accounts.of("pod")) == BOTH
    agent.stop()
    runner.join(10)
    assert sink.lines() == ["first second"]


def test_a_source_that_is_removed_gives_out_what_is_held(tmp_path):
    sink, old = Memory(), Texts(PART, endless=True)
    agent, accounts = agent_of(tmp_path, [old], sink, interval_s=0.0, linger=True)
    runner = runs(agent)
    until(lambda: old.at == 1)
    agent.change(Change(leave=["pod"])).result(10)
    until(lambda: accounts.of("pod").lines["pending"] == 0)
    agent.stop()
    runner.join(10)
    assert sink.lines() == ["first "]


def test_a_parser_that_fails_costs_one_file_its_fields_and_nobody_a_line(tmp_path, monkeypatch):
    class Broken:
        name = "json"

        def __init__(self):
            self.good = registry_find("parser", "json")()

        def parse(self, lines, reading, data=None):
            if lines["_line"].str.contains("bad").any():
                raise RuntimeError("a bug in a parser")
            return self.good.parse(lines, reading, data)

    registry_find = registry.find
    monkeypatch.setattr(registry, "find", lambda kind, name: Broken if name == "json" else registry_find(kind, name))

    class Two(Texts):
        def read(self, budget_bytes, timeout_s):
            other = Origin("o", {"filename": "/other"}, Reading(format="json"))
            return [
                part
                for block in super().read(budget_bytes, timeout_s)
                for part in (block, Block(other, 0, b'{"a": 1}\n', 10**18))
            ]

    sink = Memory()
    agent, accounts = agent_of(tmp_path, [Two('{"bad": 1}\n', form="json")], sink)
    agent.run()
    rows = sink.batches[0].frame.select("_line", "_error", "a").rows()
    assert rows == [('{"bad": 1}', "ParserFailure", None), ('{"a": 1}', None, 1)]
    assert accounts.of("pod").lines == {"read": 2, "stored": 2, "reduced": 0, "rejected": 0, "pending": 0}
    assert b"tailrace_parser_failures_total 1" in accounts.render()[0]


def test_a_turn_that_cannot_be_prepared_is_read_block_by_block(tmp_path, monkeypatch):
    from tailrace.parse import chain

    prepare = chain.Chain.prepare

    def broken(self, blocks):
        if len(blocks) > 1 or (b"bad" in blocks[0].data and blocks[0].origin.reading.format != "plain"):
            raise RuntimeError("a bug")
        return prepare(self, blocks)

    monkeypatch.setattr(chain.Chain, "prepare", broken)

    class Two(Texts):
        def read(self, budget_bytes, timeout_s):
            other = Origin("o", {"filename": "/other"}, Reading(format="cri"))
            return [
                part
                for block in super().read(budget_bytes, timeout_s)
                for part in (block, Block(other, 0, PART.encode(), 10**18))
            ]

    sink = Memory()
    agent, accounts = agent_of(tmp_path, [Two("bad\n", form="logfmt")], sink)
    agent.run()
    assert sink.batches[0].frame.select("_line", "_error").rows()[0] == ("bad", "ParserFailure")
    assert sink.lines() == ["bad", "first "]
    assert accounts.of("pod").closed()
    assert accounts.of("pod").lines["pending"] == 0
