"""Alerts under random schedules with a virtual clock, against an oracle that sees everything.

A schedule has lines that come in time, late or out of order, servers that are killed at the borders of their
transactions, a second server on the same database, queries that fail or take so long that the lease is lost, sources
that are behind, clocks that step, rules that are reloaded, and receivers that are away or die with the server in the
middle of a message. When all of it is over and everything is known, the alerts are those of the oracle; what people
were told, with what was taken back, says the same; nothing was told twice, and the receivers' last word on each alert
is true. Where sources say truly how far behind they are, nothing is taken back unless queries failed or a source was
missing, and nothing was told to be over that was not.

TAILRACE_SCHEDULES says how many are played, 10 in the ordinary run; TAILRACE_SEED is the first one, 0 if not given.
"""

from __future__ import annotations

import os
import random
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from alerts.world import MINUTE, Line, S, Server, World, group, rule
from tailrace.alerts.evaluate import states
from tailrace.alerts.evaluate.contracts import Complete
from tailrace.alerts.evaluate.corrections import correct, incidents
from tailrace.alerts.evaluate.horizons import Horizons
from tailrace.alerts.evaluate.verdict import judge
from tailrace.alerts.model import Seen, Told
from tailrace.alerts.notify.notifier import Notifier
from tailrace.alerts.notify.settings import NotifySettings
from tailrace.alerts.rules.expressions import expression
from tailrace.batch import stream_text
from tailrace.control.lease import LEASE_NS
from tailrace.errors import TransientError
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Connection

    from tailrace.alerts.evaluate.corrections import Incident
    from tailrace.alerts.model import Alert
    from tailrace.alerts.notify.model import Notification
    from tailrace.control import Control

SCHEDULES = int(os.environ.get("TAILRACE_SCHEDULES", "10"))
SEED = int(os.environ.get("TAILRACE_SEED", "0"))
PARTS = max(5, SCHEDULES // 50)
START = 1000 * MINUTE
MAX_WAIT_NS = Horizons().max_wait_ns
HOSTS = ("a", "b", "c")
SETTINGS = NotifySettings.model_validate(
    {
        "receivers": [{"name": "r", "webhook": "http://127.0.0.1:1/"}],
        "route": {
            "receiver": "r",
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "400d",
        },
    }
)


def unsynced(connection, _record) -> None:
    """Let commits of the simulation not wait for the disk: a death here is none of the machine."""
    connection.execute("PRAGMA synchronous=OFF")


class KilledError(BaseException):
    """The server is gone, as by kill -9: nothing in it catches that."""


@dataclass
class Mortal:
    """The control database of a server that dies at the border of one of its next transactions."""

    control: Control
    left: int | None = None  # transactions that it has left
    after: bool = False  # it dies when the last one is durable

    def transaction(self) -> AbstractContextManager[Connection]:
        return self._mortal(self.control.transaction())

    def reading(self) -> AbstractContextManager[Connection]:
        return self._mortal(self.control.reading())

    def now_ns(self, connection: Connection, own_ns: int) -> int:
        return self.control.now_ns(connection, own_ns)

    @contextmanager
    def _mortal(self, begun: AbstractContextManager[Connection]) -> Iterator[Connection]:
        dies = self.left == 0
        if self.left is not None:
            self.left -= 1
        with begun as connection:
            yield connection
            if dies and not self.after:
                raise KilledError
        if dies:
            raise KilledError


@dataclass
class Receiver:
    """What is told, by key, as one that remembers keys hears it."""

    got: dict[str, Notification] = field(default_factory=dict)
    away: bool = False
    kills: bool = False  # the server dies when it has taken the next message, before it is marked as sent

    kind = "webhook"
    send_resolved = True
    renew_ns = 0

    def send(self, notification: Notification) -> None:
        if self.away:
            raise TransientError("away")
        self.got.setdefault(notification.key, notification)
        if self.kills:
            self.kills = False
            raise KilledError


@dataclass
class WorldClock:
    """The world's time as a server reads it; monotonic time never steps back."""

    world: World
    latest_ns: int = START

    def now_ns(self) -> int:
        return self.world.now_ns

    def monotonic_s(self) -> float:
        self.latest_ns = max(self.latest_ns, self.world.now_ns)
        return self.latest_ns / S

    def wait(self, event, timeout_s) -> bool:
        return event.is_set()


class Play:
    """One schedule."""

    def __init__(self, folder: Path, seed: int) -> None:
        chance = self.chance = random.Random(seed)
        self.honest = seed % 2 == 0  # sources say how far behind they are, and nothing comes later than that
        self.world = World(folder, now_ns=START)
        event.listen(self.world.control._engine, "connect", unsynced)
        self.world.control.close()
        if self.honest:
            self.world.complete = self.complete
        self.clock, self.receiver = WorldClock(self.world), Receiver()
        self.group = self.rules()
        self.servers: dict[str, tuple[Server, Notifier]] = {}
        self.names = ("one", "two")[: chance.choice([1, 1, 2])]
        self.delay_ns = 0  # of the lines that are written now, if the source is honest about it
        self.slow = False  # the next query takes longer than a lease lasts
        self.storms: set[str] = set()
        self.kills, self.unsure = 0, False

    def rules(self):
        chance = self.chance
        above = rule(
            "A", for_ns=chance.choice([0, 1, 2, 3]) * MINUTE, keep_firing_for_ns=chance.choice([0, 0, 1, 3]) * MINUTE
        )
        below = 'sum by (host) (count_over_time({app="x"}[1m])) < 2'
        return group(above, rule("B", expr=below, for_ns=chance.choice([0, 2]) * MINUTE))

    def serve(self, name: str) -> None:
        """Start a server, or start it again."""
        control = Mortal(self.world.control)
        server = self.world.server(name, control)
        ask = server.evaluator._ask

        def slowly(asked, times):
            if self.slow:
                self.slow = False
                self.world.now_ns += LEASE_NS + S
                self.round(kill=0, only=[one for one in self.names if one != name])
            return ask(asked, times)

        server.evaluator._ask = slowly
        notifier = Notifier(
            control,
            SETTINGS,
            clock=self.clock,
            accounts=Accounts(),
            holder=name,
            make=lambda *_: self.receiver,
        )
        self.servers[name] = server, notifier

    def go(self) -> None:
        world, chance = self.world, self.chance
        for name in self.names:
            self.serve(name)
        self.round()
        happens = [self.step] * 3 + [self.fail, self.lag, self.reload, self.away, self.crawl, self.mute]
        happens += [] if self.honest else [self.back]  # lines of now would be older than what was evaluated
        for _ in range(chance.randint(8, 25)):
            self.write()
            chance.choice(happens)()
            self.round()
        world.failing, world.behind_ns, self.delay_ns, self.slow = False, 0, 0, False
        self.receiver.away = self.receiver.kills = False
        world.now_ns += LEASE_NS + 12 * MINUTE
        for _ in range(6):
            world.now_ns += MINUTE
            self.round(kill=0)
        for _ in range(3):  # a receiver that was away is called again within so long
            world.now_ns += 20 * MINUTE
            for _, notifier in self.servers.values():
                notifier.step()

    # --- what happens ---------------------------------------------------------------------------

    def write(self) -> None:
        """Write lines of this moment: bursts that fire, and single ones that do not."""
        world, chance = self.world, self.chance
        for host in HOSTS:
            if chance.random() < 0.2:
                self.storms ^= {host}  # it writes without a pause, so that alerts last
            for _ in range(3 if host in self.storms else chance.choice([0, 0, 1, 2, 3])):
                at_ns = world.now_ns - chance.randint(0, 50) * S
                if self.honest:
                    at_ns = world.now_ns + S  # after all that was evaluated
                known_ns = max(world.now_ns + 1, at_ns + self.delay_ns)  # after what was looked at now
                if not self.honest and chance.random() < 0.3:
                    known_ns += chance.randint(0, 8) * MINUTE
                world.lines.append(Line(at_ns, known_ns, host))

    def complete(self, _selectors, now_ns: int) -> Complete:
        """Say truly up to when lines are complete."""
        upto_ns = min((line.at_ns - 1 for line in self.world.lines if line.known_ns > now_ns), default=now_ns)
        return Complete(min(upto_ns, now_ns), ("files",) if upto_ns < now_ns else ())

    def step(self) -> None:
        self.world.now_ns += self.chance.choice([10, 30, 60, 60, 90, 200]) * S

    def fail(self) -> None:
        self.unsure = True  # a failing window counts to `for` until it is known
        self.world.failing = not self.world.failing
        self.step()

    def lag(self) -> None:
        """The source falls behind, by more than rules wait or less: lines are known later, and it says so."""
        self.delay_ns = 0 if self.delay_ns else self.chance.choice([2, 2, 9]) * MINUTE
        self.unsure |= self.delay_ns > MAX_WAIT_NS  # windows that lack lines may fire, and be taken back
        self.world.behind_ns = self.delay_ns
        self.step()

    def reload(self) -> None:
        """Texts change, rules change places, and others come and go."""
        above, below = (next(one for one in self.group.rules if one.id == name) for name in "AB")
        rules = [replace(above, annotations={"n": str(self.chance.random())}), below]
        rules += [rule("C")] * self.chance.randint(0, 1)
        self.chance.shuffle(rules)
        self.group = replace(self.group, rules=tuple(rules))
        self.step()

    def away(self) -> None:
        """Nobody evaluates for a while."""
        self.world.now_ns += self.chance.randint(2, 12) * MINUTE

    def back(self) -> None:
        """The clock steps back a little."""
        self.world.now_ns -= self.chance.randint(1, 40) * S
        self.round()
        self.world.now_ns += 45 * S

    def crawl(self) -> None:
        """The next query takes so long that another server takes the lease."""
        self.step()
        self.slow = True

    def mute(self) -> None:
        """The receiver goes away, comes back, or is what the server hears last."""
        self.receiver.away = not self.receiver.away
        self.receiver.kills = self.chance.random() < 0.3
        self.step()

    # --- servers --------------------------------------------------------------------------------

    def round(self, kill: float = 0.25, only=None) -> None:
        for name in self.names if only is None else only:
            server, notifier = self.servers[name]
            if self.chance.random() < kill:
                server.control.left, server.control.after = self.chance.randint(0, 9), self.chance.random() < 0.5
            try:
                server.round(self.group)
                notifier.step()
            except KilledError:
                self.kills += 1
                self.serve(name)
            except TransientError:
                pass

    # --- the oracle -----------------------------------------------------------------------------

    def oracle(self, name: str) -> tuple[dict[str, Alert], list[Incident]]:
        """Return the alerts and incidents of a rule by evaluating every window with all lines, in one go."""
        rule_ = next(one for one in self.group.rules if one.id == name)
        rows = self.judge().store.history(rule_.id, 100_000)
        first, last = min(row["at_ns"] for row in rows), max(row["at_ns"] for row in rows)
        alerts: dict[str, Alert] = {}
        changes: list[Told] = []
        known: dict[str, Seen] = {}
        self.world.now_ns += 10**18  # everything is known
        for at_ns in range(first, last + 1, MINUTE):
            answer = self.world.answer(at_ns)
            evaluation = judge(rule_, self.group, expression(rule_.expr), answer, known, (), lambda labels, _: {})
            known.update((key, known.get(key, Seen(at_ns, at_ns)).also(at_ns)) for key in answer.values)
            alerts, made = states.step(rule_, alerts, evaluation, lambda labels, _: {})
            changes += [Told(change.key, change.kind, change.at_ns) for change in made]
        self.world.now_ns -= 10**18
        return alerts, incidents(changes, {})

    def judge(self) -> Server:
        return self.world.server("judge")


def known_of(alerts: dict[str, Alert]) -> dict[str, tuple[str, int, int]]:
    return {key: (one.state, one.active_ns, one.fired_ns) for key, one in alerts.items()}


def last_word(receiver: Receiver) -> dict[str, str]:
    """Return what the receiver believes of each alert, by its labels."""
    return {stream_text(alert.labels): alert.status for one in receiver.got.values() for alert in one.alerts}


@pytest.mark.parametrize("part", range(PARTS))
def test_no_alert_is_missed_doubled_or_false(tmp_path, part):
    for seed in range(SEED + part, SEED + SCHEDULES, PARTS):
        play = Play(tmp_path / str(seed), seed)
        play.go()
        store = play.judge().store
        firing: set[str] = set()
        for name in "AB":
            alerts, expected = play.oracle(name)
            told = store.told(name, 0)
            said = incidents(told, {})
            assert correct(said, expected) == [], (seed, name, told, expected)
            if play.honest:
                assert play.unsure or all(one.kind != "correction" for one in told), (seed, "taken back")
                assert not false_ends(told, expected), (seed, "told to be over, and was not")
            rows = [row for row in store.history(name, 100_000) if row["outcome"] not in {"error", "late", "skipped"}]
            sure = {row["at_ns"] for row in rows}
            assert all(one.at_ns in sure for one in told if one.kind == "resolved"), (seed, "over, but not for sure")
            assert not doubled(told), (seed, "told twice", doubled(told), told)
            assert known_of(store.alerts().get(name, {})) == known_of(alerts), (seed, name)
            firing |= {key for key, one in alerts.items() if one.state == "firing"}
            heard(play, seed, expected)
        believed = {key for key, status in last_word(play.receiver).items() if status == "firing"}
        said = {key for key in believed if 'alertname="C"' not in key}
        assert said == firing, (seed, "the receiver's last word", said, firing)
        play.world.control.close()


def doubled(told: list[Told]) -> list[Told]:
    """Return what was told twice. What was taken back may turn out to be true, and what is over to go on."""
    found, said = [], set()
    for one in told:
        word = (one.key, one.kind, one.at_ns)
        found += [one] if word in said else []
        if one.kind == "correction":
            said -= {each for each in said if each[:2] == (one.key, "resolved")} | {(one.key, "firing", one.at_ns)}
        elif one.kind == "firing":
            said -= {(one.key, kind, one.at_ns) for kind in ("correction", "resolved")}
        else:  # a firing that began at the very end of another one is taken back by telling that end again
            said -= {(one.key, "firing", one.at_ns)}
        said.add(word)
    return found


def false_ends(told: list[Told], expected: list[Incident]) -> list[Told]:
    """Return what was told to be over in the middle of an incident."""
    return [
        one
        for one in told
        if one.kind == "resolved"
        and any(
            each.key == one.key and each.from_ns < one.at_ns and (each.to_ns is None or one.at_ns < each.to_ns)
            for each in expected
        )
    ]


def heard(play: Play, seed: int, expected: list[Incident]) -> None:
    """Check that the receiver heard of every incident."""
    told = [alert for one in play.receiver.got.values() for alert in one.alerts]
    keys = {stream_text(alert.labels) for alert in told}
    assert {one.key for one in expected} <= keys, (seed, "never heard of")
