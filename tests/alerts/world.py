"""A small world for alerts: lines with times and the time at which they become known, a clock, a database, two servers.

`World.ask` counts lines per host in a window, of what is known: the answer that the table would give.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tailrace.alerts.evaluate.contracts import Answers, Complete, Late
from tailrace.alerts.evaluate.evaluator import Evaluator
from tailrace.alerts.evaluate.verdict import Answer
from tailrace.alerts.kept.store import AlertStore
from tailrace.alerts.model import Group, Rule
from tailrace.control.lease import Lease

if TYPE_CHECKING:
    from pathlib import Path

from tailrace.control import Control

S = 10**9
MINUTE = 60 * S
EXPR = 'sum by (host) (count_over_time({app="x"}[1m])) > 1'


@dataclass
class Line:
    at_ns: int
    known_ns: int
    host: str = "a"


@dataclass
class World:
    folder: Path
    lines: list[Line] = field(default_factory=list)
    now_ns: int = 0
    failing: bool = False  # queries fail
    behind_ns: int = 0  # of the only source

    def __post_init__(self) -> None:
        self.control = Control.open(self.folder)

    def ask(self, asked: str, times: range) -> Answers:
        return Answers({at_ns: self.answer(at_ns) for at_ns in times}, len(self.lines))

    def answer(self, at_ns: int) -> Answer:
        if self.failing:
            return Answer(at_ns, error="the query failed")
        values: dict[str, float] = {}
        for line in self.lines:
            if line.known_ns <= self.now_ns and at_ns - MINUTE < line.at_ns <= at_ns:
                key = f'{{host="{line.host}"}}'
                values[key] = values.get(key, 0.0) + 1
        return Answer(at_ns, values)

    def complete(self, _selectors, now_ns: int) -> Complete:
        return Complete(now_ns - self.behind_ns, ("files",) if self.behind_ns else ())

    def server(self, name: str = "one", control: Control | None = None) -> Server:
        return Server(self, name, control or self.control)


def fill(templates, labels, value, at_ns):
    return {name: text.replace("$value", f"{value:g}") for name, text in templates.items()}


class Server:
    """A server of a world; a new one is a restart."""

    def __init__(self, world: World, name: str, control: Control) -> None:
        self.world, self.control = world, control
        self.lease = Lease(control, name)
        self.store = AlertStore(control, self.lease)
        self.evaluator = Evaluator(self.store, world.ask, fill, world.complete)
        self.looked_ns = self.store.looked()

    def round(self, *groups: Group) -> bool:
        """Do what the service does in a round; false while another server has the lease."""
        now_ns = self.world.now_ns
        if not self.lease.take(now_ns):
            return False
        if self.lease.fresh:
            self.evaluator.load()
            self.looked_ns = self.store.looked()
        since = now_ns if self.looked_ns is None else self.looked_ns
        late = [
            Late((f'{{app="x", host="{line.host}"}}',), line.at_ns, line.at_ns)
            for line in self.world.lines
            if since < line.known_ns <= now_ns
        ]
        if late:
            self.evaluator.correct(groups, late, now_ns, now_ns)
        self.looked_ns = now_ns
        self.evaluator.round(groups, now_ns, now_ns)
        return True


def group(*rules: Rule, interval_ns: int = MINUTE, **more) -> Group:
    return Group("test", "g", interval_ns, rules or (rule(),), **more)


def rule(name: str = "A", expr: str = EXPR, **more) -> Rule:
    return Rule(name, expr, name, **more)
