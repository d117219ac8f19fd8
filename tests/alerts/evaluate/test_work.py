"""How long rules took: what is read for many counts for each of them."""

from __future__ import annotations

import time

from alerts.place import COUNT, MINUTE, alert, group
from tailrace.alerts.evaluate.contracts import Answers
from tailrace.alerts.evaluate.tasks import tasks
from tailrace.alerts.evaluate.work import Work, wanted


class Clocked:
    """Asks that take time by a clock of their own: 800 ns to read for all, 7 ns for each."""

    def __init__(self) -> None:
        self.now_ns = 0

    def prepare(self, asked):
        self.now_ns += 800

    def __call__(self, asked, times):
        self.now_ns += 7
        return Answers({})


def test_what_is_read_together_counts_for_each_that_asked(monkeypatch):
    ask = Clocked()
    monkeypatch.setattr(time, "perf_counter_ns", lambda: ask.now_ns)
    rules = [alert(f"A{number}", COUNT.replace("1m", f"{number}m") + " > 1") for number in range(1, 5)]
    (some,) = tasks([group(*rules)])
    work, times = Work(0), range(MINUTE, MINUTE + 1, MINUTE)
    work.prepare(ask, [wanted(task, times) for task in some])
    assert len({task.asked.asked for task in some}) == 4
    assert [work.answers(ask, task, times)[2] for task in some] == [207, 207, 207, 207]
    assert work.answers(ask, some[0], times)[2] == 207  # asked once, and kept
    alone = Work(0)
    assert alone.answers(ask, some[0], times)[2] == 7
