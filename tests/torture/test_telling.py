"""Telling under random schedules with a virtual clock: nothing is lost, nothing is told that is not so.

A schedule has alerts that begin and end, some of them found out only later; one or two servers on a database, which
are killed before and after each of their transactions and each call of a receiver; a clock that steps back; receivers
that are away, and such that refuse. When all are back and what was refused was sent again, every receiver knows what fires; every incident
that lasted was told; each message was decided once, and arrived at least once, in its order, always the same.

TAILRACE_SCHEDULES says how many are played, 30 in the ordinary run; TAILRACE_SEED is the first one, 0 if not given.
"""

from __future__ import annotations

import json
import os
import random
from collections import defaultdict
from contextlib import contextmanager

import pytest
from sqlalchemy import delete, insert, select

from alerts.notify.telling import START, WEBHOOK, Remembers, S, World
from tailrace.alerts.kept.tables import OUTBOX, STATES
from tailrace.alerts.notify.alerts import fingerprint
from tailrace.alerts.notify.dispatch import read_notification
from tailrace.alerts.notify.model import Refused
from tailrace.alerts.notify.tables import DELIVERIES
from tailrace.batch import stream_text

SCHEDULES = int(os.environ.get("TAILRACE_SCHEDULES", "30"))
SEED = int(os.environ.get("TAILRACE_SEED", "0"))
PARTS = max(10, SCHEDULES // 10)
WAIT_S, INTERVAL_S = 30, 120
ALERTS = [{"alertname": name, "host": host} for name in "AB" for host in "xyz"]


class KilledError(BaseException):
    """The server is gone, as by kill -9: nobody catches it."""


class Mortal:
    """A control database through which its server dies at one of the next transactions, before or after its end."""

    def __init__(self, control, chance) -> None:
        self._control, self._chance = control, chance
        self.left = -1

    def transaction(self):
        return self._mortal(self._control.transaction())

    def reading(self):
        return self._mortal(self._control.reading())

    @contextmanager
    def _mortal(self, begun):
        self.left -= 1
        dies, after = self.left == 0, self._chance.random() < 0.5
        with begun as connection:
            yield connection
            if dies and not after:
                raise KilledError
        if dies:
            raise KilledError


class Fragile(Remembers):
    """A receiver whose caller may die before or after it has the message, and that may refuse."""

    def __init__(self, name, chance) -> None:
        super().__init__(name)
        self._chance = chance
        self.deadly = self.picky = 0.0

    def send(self, notification) -> None:
        dies = self._chance.random() < self.deadly
        if dies and self._chance.random() < 0.5:
            raise KilledError
        if not self.down and self._chance.random() < self.picky:
            raise Refused("I do not like it")
        super().send(notification)
        if dies:
            raise KilledError


class Play:
    """One schedule."""

    def __init__(self, folder, seed: int) -> None:
        chance = self.chance = random.Random(seed)
        self.world = World(
            folder,
            route={
                "receiver": "all",
                "group_by": ["alertname"],
                "group_wait": f"{WAIT_S}s",
                "group_interval": f"{INTERVAL_S}s",
                "routes": [{"receiver": "all", "continue": True}, {"receiver": "fires", "matchers": ["alertname=A"]}],
            },
            receivers=[
                {"name": "all", "webhook": WEBHOOK},
                {"name": "fires", "webhook": WEBHOOK, "send_resolved": False},
            ],
        )
        self.real = self.world.control
        self.receivers = {name: Fragile(name, chance) for name in ("all", "fires")}
        self.world.channels.update(self.receivers)
        self.names = ["one", "two"][: chance.choice([1, 1, 2])]
        self.servers = {name: self.server(name) for name in self.names}
        self.firing: dict[int, int] = {}  # alert to since when
        self.incidents: list[tuple[int, int, int | None]] = []  # alert, from, to
        self.kills = 0
        self.refused: set[str] = set()

    def server(self, name: str):
        self.world.control = Mortal(self.real, self.chance)
        return self.world.restart(name)

    def go(self) -> None:
        for _ in range(self.chance.randint(10, 40)):
            self.change()
            self.trouble()
            self.advance()
            self.steps(kill=0.3)
        for receiver in self.receivers.values():
            receiver.down, receiver.deadly, receiver.picky = False, 0.0, 0.0
        self.settle()
        deliveries = self.servers[self.names[0]].deliveries
        for parked in deliveries.shown():
            self.refused.add(parked.notification.key)
            assert deliveries.retry(parked.id)
        self.settle()

    def settle(self) -> None:
        for _ in range(30):
            self.world.clock.advance(60)
            self.steps(kill=0)

    # --- what happens ---------------------------------------------------------------------------

    def change(self) -> None:
        """Begin and end alerts, now or found out now for some time ago, as one round of an evaluation."""
        now_ns = self.world.clock.now_ns()
        with self.real.transaction() as connection:
            for index in range(len(ALERTS)):
                if self.chance.random() < 0.7:
                    continue
                ago = self.chance.choice([0, 0, 0, 200]) * S
                since_ns = self.firing.get(index)
                last_ns = max([end or 0 for one, _, end in self.incidents if one == index] + [START])
                at_ns = max(now_ns - ago, last_ns if since_ns is None else since_ns) + 1
                if since_ns is None:
                    self.begin(connection, index, at_ns)
                    if ago and now_ns - at_ns > 100 * S:
                        self.end(connection, index, at_ns + 90 * S)  # over before anybody knew
                else:
                    self.end(connection, index, at_ns)

    def begin(self, connection, index: int, at_ns: int) -> None:
        self.firing[index] = at_ns
        self.tell(connection, index, "firing", at_ns, 0)
        row = {"state": "firing", "active_ns": at_ns, "fired_ns": at_ns, "resolved_ns": 0, "keep_since_ns": 0}
        more = {"value": 1.0, "annotations": "{}", "generation": 1}
        connection.execute(insert(STATES).values(rule="r", key=stream_text(ALERTS[index]), **row, **more))

    def end(self, connection, index: int, at_ns: int) -> None:
        self.incidents.append((index, self.firing.pop(index), at_ns))
        self.tell(connection, index, "resolved", at_ns, at_ns)
        connection.execute(delete(STATES).where(STATES.c.key == stream_text(ALERTS[index])))

    def tell(self, connection, index: int, kind: str, at_ns: int, ends_ns: int) -> None:
        row = {"rule": "r", "key": stream_text(ALERTS[index]), "generation": 1, "kind": kind, "at_ns": at_ns}
        texts = {"labels": json.dumps(ALERTS[index]), "annotations": "{}", "value": 1.0, "taken": False}
        times = {"starts_ns": self.firing.get(index, at_ns), "ends_ns": ends_ns, "written_ns": at_ns}
        connection.execute(insert(OUTBOX).values(**row, **texts, **times))

    def trouble(self) -> None:
        for receiver in self.receivers.values():
            receiver.down = self.chance.random() < 0.3
            receiver.deadly = self.chance.choice([0, 0, 0.3])
            receiver.picky = self.chance.choice([0, 0, 0, 0.2])

    def advance(self) -> None:
        self.world.clock.advance(self.chance.choice([1, 10, 30, 60, 119, 120, 121, 600, -40]))

    def steps(self, kill: float) -> None:
        for name in self.names:
            server = self.servers[name]
            if self.chance.random() < kill:
                server._control.left = self.chance.randint(1, 12)
            try:
                server.step()
            except KilledError:
                self.kills += 1
                self.servers[name] = self.server(name)

    # --- what must be true ----------------------------------------------------------------------

    def check(self, name: str) -> None:
        with self.real.transaction() as connection:
            wanted = select(DELIVERIES).where(DELIVERIES.c.line == f"{name}/webhook").order_by(DELIVERIES.c.id)
            rows = connection.execute(wanted).all()
        assert {row.state for row in rows} <= {"sent"}
        decided = [read_notification(row.notification) for row in rows]
        arrived = self.receivers[name].got
        first = list(dict.fromkeys(one.key for one in arrived))
        assert sorted(first) == sorted(one.key for one in decided)  # all of them, and nothing else
        by_key = {one.key: one for one in decided}
        assert all(one == by_key[one.key] for one in arrived)  # a repetition is the same
        assert len(arrived) - len(first) <= self.kills
        self.check_order(rows, first)
        self.check_said(decided, name)

    def check_order(self, rows, first: list[str]) -> None:
        """Within a group messages arrive in their order; but for those that were refused, and sent again at the end."""
        for group in {row.group for row in rows}:
            mine = [row.key for row in rows if row.group == group and row.key not in self.refused]
            assert [key for key in first if key in set(mine)] == mine

    def check_said(self, decided, name: str) -> None:
        incidents = [*self.incidents, *((index, since_ns, None) for index, since_ns in self.firing.items())]
        said = defaultdict(list)
        for one in decided:
            for alert in one.alerts:
                said[alert.fingerprint].append(alert)
        for index, labels in enumerate(ALERTS):
            if name == "fires" and labels["alertname"] != "A":
                continue
            words = said[fingerprint(labels)]
            mine = [(from_ns, to_ns) for one, from_ns, to_ns in incidents if one == index]
            self.check_alert(words, mine, ends=name == "all")

    def check_alert(self, words, mine, *, ends: bool) -> None:
        for word in words:  # nothing is said that is not so
            true = [(from_ns, to_ns) for from_ns, to_ns in mine if from_ns == word.starts_ns]
            assert true, word
            assert word.status == "firing" or true[0][1] == word.ends_ns, (word, true)
        for from_ns, to_ns in mine:  # all that lasted is said, unless it was said before and not taken back
            if to_ns is not None and to_ns - from_ns <= WAIT_S * S:
                continue
            told = any(word.status == "firing" and word.starts_ns == from_ns for word in words)
            before = [word for word in words if word.starts_ns < from_ns]
            assert told or (before and (before[-1].status == "firing" or not ends)), (from_ns, to_ns, words)
        if ends and words:
            assert (words[-1].status == "firing") == (mine[-1][1] is None)


@pytest.mark.parametrize("part", range(PARTS))
def test_everything_arrives_and_is_true(tmp_path, part):
    for seed in range(SEED + part, SEED + SCHEDULES, PARTS):
        play = Play(tmp_path / str(seed), seed)
        play.go()
        for name in play.receivers:
            play.check(name)
        play.real.close()
