"""Alerts under random schedules with a virtual clock, against an oracle that sees everything.

A schedule has lines that come in time, late or out of order, servers that are killed before and after each of their
transactions, a second server on the same database, queries that fail, sources that are behind, clocks that step, and
rules that are reloaded. When all of it is over and everything is known, the alerts are those of the oracle; what people
were told, with what was taken back, says the same; and nothing was told twice. Where sources say truly how far
behind they are, nothing false was told at any time.

TAILRACE_SCHEDULES says how many are played; 60 in the ordinary run.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from alerts.world import MINUTE, Line, S, Server, World, group, rule
from tailrace.alerts import states
from tailrace.alerts.corrections import Told, correct, incidents
from tailrace.alerts.expressions import expression
from tailrace.alerts.lease import LEASE_NS
from tailrace.alerts.verdict import Seen, judge
from tailrace.errors import TransientError

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.alerts.corrections import Incident
    from tailrace.alerts.model import Alert, Group

SCHEDULES = int(os.environ.get("TAILRACE_SCHEDULES", "60"))
PARTS = 10
START = 1000 * MINUTE
HOSTS = ("a", "b", "c")


class KilledError(Exception):
    """The server is gone, as by kill -9."""


@dataclass
class Plan:
    """What a schedule is made of."""

    chance: random.Random
    honest: bool  # sources say how far behind they are, and nothing comes later than that

    def group(self) -> Group:
        chance = self.chance
        waits = chance.choice([0, 1, 2, 3]) * MINUTE
        keep = chance.choice([0, 0, 1, 3]) * MINUTE
        above = rule("A", for_ns=waits, keep_firing_for_ns=keep)
        below = rule(
            "B", expr='sum by (host) (count_over_time({app="x"}[1m])) < 2', for_ns=chance.choice([0, 2]) * MINUTE
        )
        return group(above, below)


class Play:
    """One schedule."""

    def __init__(self, folder: Path, seed: int) -> None:
        chance = self.chance = random.Random(seed)
        self.plan = Plan(chance, honest=seed % 2 == 0)
        self.world = World(folder, now_ns=START)
        self.group = self.plan.group()
        self.servers: dict[str, Server] = {}
        self.names = ("one", "two")[: chance.choice([1, 1, 2])]
        self.delay_ns = 0  # of the lines that are written now, if the source is honest about it
        self.kills = 0

    def go(self) -> None:
        world, chance = self.world, self.chance
        for name in self.names:
            self.servers[name] = world.server(name)
        self.round()
        for _ in range(chance.randint(8, 25)):
            self.write()
            chance.choice([self.step, self.step, self.step, self.fail, self.lag, self.reload, self.away, self.back])()
            self.round()
        world.failing, world.behind_ns, self.delay_ns = False, 0, 0
        world.now_ns += LEASE_NS + 12 * MINUTE
        for _ in range(6):
            world.now_ns += MINUTE
            self.round(kill=0)

    # --- what happens ---------------------------------------------------------------------------

    def write(self) -> None:
        """Write lines of this moment: bursts that fire, and single ones that do not."""
        world, chance = self.world, self.chance
        for host in HOSTS:
            for _ in range(chance.choice([0, 0, 1, 2, 3])):
                at_ns = world.now_ns - chance.randint(0, 50) * S
                known_ns = max(world.now_ns + 1, at_ns + self.delay_ns)  # after what was looked at now
                if not self.plan.honest and chance.random() < 0.3:
                    known_ns += chance.randint(0, 8) * MINUTE
                if self.plan.honest and not self.delay_ns:
                    at_ns = world.now_ns + S  # after all that was evaluated
                world.lines.append(Line(at_ns, known_ns, host))

    def step(self) -> None:
        self.world.now_ns += self.chance.choice([10, 30, 60, 60, 90, 200]) * S

    def fail(self) -> None:
        self.world.failing = not self.world.failing
        self.step()

    def lag(self) -> None:
        """The source falls behind: lines are known later, and it says so; then it is over."""
        self.delay_ns = 0 if self.delay_ns else 2 * MINUTE
        self.world.behind_ns = self.delay_ns
        self.step()

    def reload(self) -> None:
        above, below = self.group.rules
        self.group = replace(self.group, rules=(replace(above, annotations={"n": str(self.chance.random())}), below))
        self.step()

    def away(self) -> None:
        """Nobody evaluates for a while."""
        self.world.now_ns += self.chance.randint(2, 12) * MINUTE

    def back(self) -> None:
        """The clock steps back a little."""
        self.world.now_ns -= self.chance.randint(1, 40) * S
        self.round()
        self.world.now_ns += 45 * S

    # --- servers --------------------------------------------------------------------------------

    def round(self, kill: float = 0.25) -> None:
        for name in self.names:
            server = self.servers[name]
            if self.chance.random() < kill:
                self.arm(server)
            try:
                server.round(self.group)
            except KilledError:
                self.kills += 1
                self.servers[name] = self.world.server(name)
            except TransientError:
                pass

    def arm(self, server: Server) -> None:
        """Let the server die at one of its next transactions, before or after it is durable."""
        left, after, write = self.chance.randint(0, 2), self.chance.random() < 0.5, server.store.write

        def dying(made, now_ns):
            nonlocal left
            left -= 1
            if left >= 0:
                write(made, now_ns)
                return
            if after:
                write(made, now_ns)
            raise KilledError

        server.store.write = dying

    # --- the oracle -----------------------------------------------------------------------------

    def oracle(self, index: int) -> tuple[dict[str, Alert], list[Incident]]:
        """Return the alerts and incidents of a rule by evaluating every window with all lines, in one go."""
        rule_ = self.group.rules[index]
        server = next(iter(self.servers.values()))
        rows = server.store.history(rule_.id, 100_000)
        first, last = min(row["at_ns"] for row in rows), max(row["at_ns"] for row in rows)
        alerts: dict[str, Alert] = {}
        changes: list[Told] = []
        known: dict[str, Seen] = {}
        self.world.now_ns += 10**18  # everything is known
        for at_ns in range(first, last + 1, MINUTE):
            answer = self.world.answer(at_ns)
            asked = expression(rule_.expr)
            evaluation = judge(rule_, self.group, asked, answer, known, (), lambda labels, _: {})
            known.update((key, known.get(key, Seen(at_ns, at_ns)).also(at_ns)) for key in answer.values)
            alerts, made = states.step(rule_, alerts, evaluation, lambda labels, _: {})
            changes += [Told(change.key, change.kind, change.at_ns) for change in made]
        self.world.now_ns -= 10**18
        return alerts, incidents(changes, {})


@pytest.mark.parametrize("part", range(PARTS))
def test_no_alert_is_missed_doubled_or_false(tmp_path, part):
    for seed in range(part, SCHEDULES, PARTS):
        folder = tmp_path / str(seed)
        play = Play(folder, seed)
        play.go()
        store = play.world.server("judge").store
        for index, rule_ in enumerate(play.group.rules):
            alerts, expected = play.oracle(index)
            told = store.told(rule_.id, 0)
            said = incidents(told, {})
            assert correct(said, expected) == [], (seed, rule_.id, told, expected)
            keys = [(one.key, one.kind, one.at_ns) for one in told]
            assert len(keys) == len(set(keys)), (seed, "told twice")
            stored = store.alerts().get(rule_.id, {})
            assert {key: (one.state, one.active_ns, one.fired_ns) for key, one in stored.items()} == {
                key: (one.state, one.active_ns, one.fired_ns) for key, one in alerts.items()
            }, (seed, rule_.id)
        play.world.control.close()
