"""The gathering half: what a reduction changes, the order of settling, and sources that come and go."""

from __future__ import annotations

import threading

from agent.fakes import Memory, Numbers, Odd, agent_of, until
from tailrace.agent import Change
from tailrace.clock import SystemClock
from tailrace.errors import TransientError
from tailrace.patience import Patience
from tailrace.sinks.store import StoreSink
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.store.settings import StoreSettings


def size(numbers):
    """Return the bytes of the lines with these numbers."""
    return sum(len(f"line {n}\n") for n in numbers)


def test_what_a_rule_drops_is_reduced_and_the_account_closes(tmp_path):
    odd, sink = Odd(), Memory()
    agent, accounts = agent_of(tmp_path, [Numbers(10)], sink, reduction=odd)
    agent.run()
    assert sink.lines() == ["line 2", "line 4", "line 6", "line 8", "line 10", "seen 10"]
    account = accounts.of("numbers")
    assert account.lines == {"read": 10, "stored": 5, "reduced": 5, "rejected": 0, "pending": 0}
    assert account.bytes["reduced"] == size([1, 3, 5, 7, 9]) == 35
    assert account.bytes["stored"] == size([2, 4, 6, 8, 10]) == 36
    assert account.closed()
    text = accounts.render()[0].decode()
    assert 'tailrace_reduced_lines_total{rule="odd",source="numbers"} 5' in text
    assert odd.editions[-1] == 10


def test_the_columns_of_the_account_do_not_reach_the_sink(tmp_path):
    sink = Memory()
    agent_of(tmp_path, [Numbers(3)], sink)[0].run()
    assert not {"_in_lines", "_in_bytes"} & set(sink.batches[0].frame.columns)
    assert sum(batch.lines for batch in sink.batches) == 3
    assert sum(batch.bytes for batch in sink.batches) == size([1, 2, 3])


def test_rows_of_several_sources_share_one_reduction(tmp_path):
    odd, sink = Odd(), Memory()
    agent, accounts = agent_of(tmp_path, [Numbers(4, name="a"), Numbers(5, name="b")], sink, reduction=odd)
    agent.run()
    assert odd.seen == 9
    assert accounts.of("a").lines["reduced"] == 2
    assert accounts.of("b").lines["reduced"] == 3


def test_a_batch_of_which_nothing_is_left_still_moves_the_position(tmp_path):
    sink = Memory()
    sink.numbers["x"] = 0
    agent, accounts = agent_of(tmp_path, [Numbers(1, endless=True)], sink, reduction=Odd(), interval_s=0.0)
    runner = threading.Thread(target=agent.run)
    runner.start()
    until(lambda: accounts.of("numbers").lines["reduced"] == 1)
    agent.stop()
    runner.join(10)
    assert sink.batches == []
    checkpoint = Checkpoint.open(tmp_path / "agent", agent_name="t")
    assert checkpoint.state == {"numbers": {"at": 1}, "reduce": {"seen": 1}}
    checkpoint.close()


def test_a_dropped_batch_is_not_settled_before_the_one_ahead_of_it_is_durable(tmp_path):
    """Else a crash would find the position behind lines that the table never got."""
    sink = Memory(hold=True)
    source = Numbers(3, endless=True)
    agent, accounts = agent_of(tmp_path, [source], sink, reduction=Odd(), interval_s=0.0)
    runner = threading.Thread(target=agent.run)
    runner.start()
    until(lambda: len(sink.batches) == 1 and source.at == 3)
    threading.Event().wait(0.2)  # time in which line 3 would be settled if nobody waited
    assert accounts.of("numbers").lines["reduced"] == 1  # line 1, which was ahead of line 2
    sink.held[0].set_result(None)
    until(lambda: accounts.of("numbers").lines["reduced"] == 2)
    assert accounts.of("numbers").lines["stored"] == 1
    agent.stop()
    runner.join(10)


def test_an_edition_is_published_when_its_batch_is_durable(tmp_path):
    sink, odd = Memory(hold=True), Odd()
    agent, _ = agent_of(tmp_path, [Numbers(2, endless=True)], sink, reduction=odd)
    runner = threading.Thread(target=agent.run)
    runner.start()
    until(lambda: sink.batches)
    assert 2 not in odd.editions
    sink.held[0].set_result(None)
    until(lambda: 2 in odd.editions)
    agent.stop()
    runner.join(10)


def test_a_reduction_goes_on_where_it_was(tmp_path):
    sink, odd = Memory(), Odd()
    agent_of(tmp_path, [Numbers(4)], sink, reduction=Odd())[0].run()
    agent_of(tmp_path, [Numbers(7)], sink, reduction=odd)[0].run()
    assert odd.seen == 7


def running(tmp_path, sources, sink, **options):
    agent, accounts = agent_of(tmp_path, sources, sink, interval_s=0.0, linger=True, **options)
    runner = threading.Thread(target=agent.run)
    runner.start()
    return agent, accounts, runner


def test_a_source_is_replaced_without_losing_or_doubling_a_line(tmp_path):
    sink, old, new = Memory(), Numbers(10**9, endless=True), Numbers(10**9, endless=True)
    agent, accounts, runner = running(tmp_path, [old], sink)
    until(lambda: old.at > 3)
    agent.change(Change(leave=["numbers"], come=[new])).result(10)
    assert old.closed
    assert agent.sources() == [new]
    until(lambda: new.at > old.at + 3)
    agent.stop()
    runner.join(10)
    lines = sink.lines()
    assert lines == [f"line {n}" for n in range(1, len(lines) + 1)]
    assert len(lines) > old.at
    assert accounts.of("numbers").closed()


def test_a_source_that_took_its_place_is_given_what_the_old_one_holds_open(tmp_path):
    class Adopter(Numbers):
        def adopt(self, old):
            self.adopted = (old, self.at, old.closed)

    sink, old, new = Memory(), Numbers(5, endless=True), Adopter(5, endless=True)
    agent, _, runner = running(tmp_path, [old], sink)
    until(lambda: old.at == 5)
    agent.change(Change(leave=["numbers"], come=[new])).result(10)
    agent.stop()
    runner.join(10)
    assert new.adopted == (old, 5, False)
    assert old.closed


def test_sources_come_and_go(tmp_path):
    sink, first, second = Memory(), Numbers(3, endless=True, name="a"), Numbers(2, endless=True, name="b")
    agent, accounts, runner = running(tmp_path, [first], sink)
    agent.change(Change(come=[second])).result(10)
    until(lambda: accounts.of("b").lines["stored"] == 2)
    agent.change(Change(leave=["a"])).result(10)
    assert first.closed
    assert agent.sources() == [second]
    agent.stop()
    runner.join(10)
    assert sorted(sink.lines()) == ["line 1", "line 1", "line 2", "line 2", "line 3"]
    checkpoint = Checkpoint.open(tmp_path / "agent", agent_name="t")
    checkpoint.recover(sink.last_number(checkpoint.agent))
    assert checkpoint.state == {"a": {"at": 3}, "b": {"at": 2}}
    checkpoint.close()


def test_a_reduction_is_swapped_with_its_state(tmp_path):
    sink, source, new = Memory(), Numbers(4, endless=True), Odd()
    agent, accounts, runner = running(tmp_path, [source], sink, reduction=Odd())
    until(lambda: accounts.of("numbers").lines["pending"] == 0 and source.at == 4)
    agent.change(Change(reduction=new, swap_reduction=True)).result(10)
    assert new.seen == 4
    agent.stop()
    runner.join(10)


def test_it_goes_on_without_any_source_until_it_is_stopped(tmp_path):
    agent, _, runner = running(tmp_path, [], Memory())
    threading.Event().wait(0.1)
    assert runner.is_alive()
    agent.stop()
    runner.join(10)
    assert not runner.is_alive()


def test_nobody_waits_for_a_change_that_a_stop_overtook(tmp_path):
    agent, _ = agent_of(tmp_path, [Numbers(1)], Memory())
    new = Numbers(1, name="b")
    agent.stop()
    done = agent.change(Change(come=[new]))
    agent.run()
    assert done.cancelled()
    assert new.closed


def test_the_account_closes_at_any_moment(tmp_path):
    sink = Memory(hold=True)
    agent, accounts, runner = running(tmp_path, [Numbers(30, endless=True)], sink, reduction=Odd())

    def settled():
        assert accounts.of("numbers").closed()
        for done in sink.held:
            if not done.done():
                done.set_result(None)
                break
        return len(sink.held) == 15 and accounts.of("numbers").lines["pending"] == 0

    until(settled)
    assert accounts.of("numbers").lines == {"read": 30, "stored": 15, "reduced": 15, "rejected": 0, "pending": 0}
    agent.stop()
    runner.join(10)


def test_a_stop_stores_what_a_long_interval_holds_back(tmp_path):
    sink, source = Memory(), Numbers(40, endless=True)
    agent, accounts = agent_of(tmp_path, [source], sink, interval_s=86_400.0)
    runner = threading.Thread(target=agent.run)
    runner.start()
    until(lambda: source.at == 40)
    agent.stop()
    runner.join(10)
    assert not runner.is_alive()
    lines = sink.lines()
    assert lines == [f"line {n}" for n in range(1, len(lines) + 1)]
    assert accounts.of("numbers").lines["pending"] in {0, 1, 2}  # turns that a reader still had in its hands
    checkpoint = Checkpoint.open(tmp_path / "agent", agent_name="t")
    checkpoint.recover(sink.last_number(checkpoint.agent))
    assert checkpoint.state["numbers"] == {"at": len(lines)}
    checkpoint.close()


class Full:
    """A table on a disk without space."""

    def __init__(self) -> None:
        self.tries = 0

    def commit(self, batches):
        self.tries += 1
        raise TransientError("no space left")

    def sync(self):
        pass

    def last_number(self, agent):
        return None


def test_a_stop_while_a_batch_cannot_be_stored_ends_soon_and_loses_nothing(tmp_path):
    clock, table, source = SystemClock(), Full(), Numbers(10**9, endless=True)
    patience = Patience(clock)
    sink = StoreSink(table, clock=clock, settings=StoreSettings(commit_interval_s=0.0), patience=patience)
    agent, accounts = agent_of(tmp_path, [source], sink, interval_s=0.0)
    failed = []

    def run():
        try:
            agent.run()
        except TransientError as error:
            failed.append(str(error))

    runner = threading.Thread(target=run)
    runner.start()
    until(lambda: table.tries > 2 and accounts.of("numbers").lines["read"] > 4)  # submit blocks: the queue is full
    agent.stop()
    patience.hurry()
    runner.join(10)
    assert not runner.is_alive()
    sink.close()
    assert failed == ["no space left"]
    assert source.closed
    good = Memory()
    agent_of(tmp_path, [Numbers(30)], good)[0].run()
    assert good.lines() == [f"line {n}" for n in range(1, 31)]


class Queued(Numbers):
    """A source for which lines wait in a queue that nobody has after its end."""

    def __init__(self, waiting):
        super().__init__(1, endless=True)
        self.waiting = waiting
        self.finished = False
        self.told = []

    @property
    def done(self):
        return self.finished and self.at >= self.turns

    def finish(self):
        self.finished = True
        self.turns += self.waiting

    def stored(self, state):
        self.told.append(state)


def test_what_waits_for_a_source_is_read_before_a_stop(tmp_path):
    source, sink = Queued(3), Memory()
    agent, _ = agent_of(tmp_path, [source], sink)
    runner = threading.Thread(target=agent.run)
    runner.start()
    until(lambda: source.at == 1)
    agent.stop()
    runner.join(10)
    assert sink.lines() == ["line 1", "line 2", "line 3", "line 4"]


def test_a_source_for_which_too_much_waits_is_stopped_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("tailrace.agent.feed.FINISH_S", 0.0)
    source, sink = Queued(10**9), Memory()
    agent, _ = agent_of(tmp_path, [source], sink)
    runner = threading.Thread(target=agent.run)
    runner.start()
    until(lambda: source.at == 1)
    agent.stop()
    runner.join(10)
    assert not runner.is_alive()
    assert sink.lines() == ["line 1"]


def test_a_source_is_told_what_is_durable(tmp_path):
    source, sink = Queued(0), Memory(hold=True)
    agent, _ = agent_of(tmp_path, [source], sink, interval_s=0.0)
    runner = threading.Thread(target=agent.run)
    runner.start()
    until(lambda: sink.batches)
    assert source.told == []
    sink.held.pop().set_result(None)
    until(lambda: source.told)
    assert source.told == [{"at": 1}]
    agent.stop()
    runner.join(10)
