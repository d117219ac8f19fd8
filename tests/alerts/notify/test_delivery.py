"""Delivery: order, pauses, what is parked, what a crash leaves, what is counted."""

from __future__ import annotations

from itertools import pairwise

import pytest

from alerts.notify.telling import S, World
from tailrace.alerts.notify.delivery import HELD_NS, PATIENCE_NS
from tailrace.alerts.notify.model import BusyError, Refused
from tailrace.errors import TransientError


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, route={"group_by": ["alertname"], "group_wait": "0s", "group_interval": "1m"})
    yield made
    made.control.close()


def keys(world) -> list[str]:
    return [one.key for one in world.channel().got]


def attempts(world, until_s: int) -> list[int]:
    """Return the seconds at which a receiver is called that is away."""
    times = []
    channel = world.channel()
    send = channel.send

    def noted(notification):
        times.append(world.now_s)
        send(notification)

    channel.send = noted
    world.run(until_s, every_s=1)
    return times


def test_pauses_grow_up_to_five_minutes(world):
    world.fire(alertname="A")
    world.channel().down = True
    times = attempts(world, 2000)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert times[0] == 0
    for number, gap in enumerate(gaps):
        longest = min(2**number, 300)
        assert longest / 2 <= gap <= longest + 1, (number, gap)
    assert gaps[-1] >= 150


def test_a_busy_receiver_is_left_alone_as_long_as_it_asks(world):
    world.fire(alertname="A")
    world.channel().error = BusyError("HTTP 429: later", 100)
    assert attempts(world, 150)[:2] == [0, 100]


def test_what_is_refused_is_parked_and_holds_nothing_back(world):
    world.channel().error = Refused("HTTP 400: no")
    world.fire(alertname="A")
    world.run(0)
    world.channel().error = None
    world.end(alertname="A")
    world.run(60)
    assert [one.reason for one in world.channel().got] == ["all_resolved"]
    [parked] = world.notifier.deliveries.shown()
    assert (parked.error, parked.attempts, parked.notification.reason) == ("HTTP 400: no", 1, "first")
    assert world.notifier.deliveries.retry(parked.id)
    assert not world.notifier.deliveries.retry(parked.id)
    world.run(61)
    assert [one.reason for one in world.channel().got] == ["all_resolved", "first"]


def test_what_nobody_takes_for_days_is_parked(world):
    world.channel().down = True
    world.fire(alertname="A")
    world.run(10)
    world.clock.advance(PATIENCE_NS / S)
    world.notifier.deliveries.send("a/webhook", world.channel)
    [parked] = world.notifier.deliveries.shown()
    assert parked.error.startswith("given up after")
    assert parked.error.endswith("a is away")


def test_a_group_that_waits_does_not_delay_others(world):
    world.fire(alertname="A")
    world.channel().down = True
    world.run(3, every_s=1)
    world.channel().down = False
    world.fire(alertname="B")
    world.notifier.step()
    assert [one.group_labels["alertname"] for one in world.channel().got] == ["B"]
    world.run(10, every_s=1)
    assert [one.group_labels["alertname"] for one in world.channel().got] == ["B", "A"]


def test_another_receiver_is_not_delayed(tmp_path):
    world = World(
        tmp_path,
        receivers=["a", "b"],
        route={"group_wait": "0s", "routes": [{"receiver": "a", "continue": True}, {"receiver": "b"}]},
    )
    world.channel("a").down = True
    world.fire(alertname="A")
    world.notifier.step()
    assert (len(world.channel("a").got), len(world.channel("b").got)) == (0, 1)
    world.control.close()


class KilledError(BaseException):
    """The server is gone."""


def killed_between_send_and_mark(world):
    channel = world.channel()
    send = channel.send

    def dying(notification):
        send(notification)
        channel.send = send
        raise KilledError

    channel.send = dying
    world.fire(alertname="A")
    with pytest.raises(KilledError):
        world.notifier.step()


def test_a_crash_between_send_and_mark_repeats_with_the_same_key(world):
    killed_between_send_and_mark(world)
    world.restart("one")  # the same name: it knows that nobody else sends it
    world.notifier.step()
    first, second = world.channel().got
    assert first == second
    assert len(first.key) == 32


def test_another_server_waits_until_the_holder_had_its_time(world):
    killed_between_send_and_mark(world)
    world.restart("two")
    world.notifier.step()
    assert len(keys(world)) == 1
    world.clock.advance(HELD_NS / S)
    world.notifier.step()
    assert len(keys(world)) == 2
    assert len(set(keys(world))) == 1


def test_what_a_dead_process_held_is_free_at_once(world, monkeypatch):
    killed_between_send_and_mark(world)
    monkeypatch.setattr("tailrace.alerts.notify.delivery.is_gone", lambda name: name == "one")
    world.restart("two")
    world.notifier.step()
    assert len(keys(world)) == 2


def test_two_servers_send_everything_once(world):
    one, two = world.notifier, world.restart("two")
    for name in "ABCDEF":
        world.fire(alertname=name)
    one.decide()
    two.decide()
    for _ in range(3):
        for server in (one, two):
            for line in server.deliveries.due():
                server.deliveries.send(line, world.channel)
    assert len(keys(world)) == len(set(keys(world))) == 6


def test_a_bug_in_a_channel_is_tried_again_and_stops_nobody(world, caplog):
    world.channel().error = ZeroDivisionError("oops")
    world.fire(alertname="A")
    world.notifier.step()
    assert "sending by a/webhook failed" in caplog.text
    world.channel().error = None
    world.run(5, every_s=1)
    assert len(keys(world)) == 1


def test_a_receiver_that_is_gone_parks_what_waits(world):
    world.notifier.receivers.save({"receiver": {"name": "b", "webhook": "http://127.0.0.1:1/"}, "route": {}})
    world.channel("b").down = True
    world.fire(alertname="A")
    world.notifier.step()
    world.notifier.receivers.delete("b")
    world.run(5, every_s=1)
    [parked] = world.notifier.deliveries.shown()
    assert parked.error == "there is no receiver 'b/webhook' any more"


def test_settings_that_do_not_work_are_waited_for(tmp_path):
    world = World(tmp_path, route={"group_wait": "0s"})
    make = world.make

    def broken(receiver, way, clock):
        raise TransientError("the environment variable X, which holds a secret, is not set")

    world.notifier._make = broken
    world.fire(alertname="A")
    world.notifier.step()
    [waiting] = world.notifier.deliveries.shown(("waiting",))
    assert "X, which holds a secret, is not set" in waiting.error
    world.notifier._make = make
    world.run(5, every_s=1)
    assert len(world.channel().got) == 1
    world.control.close()


def test_what_is_counted(world):
    world.channel().down = True
    world.fire(alertname="A")
    world.notifier.step()
    world.clock.advance(2)

    def shown() -> list[str]:
        text = world.accounts.render()[0].decode()
        return [line for line in text.splitlines() if line.startswith(("tailrace_notif", "tailrace_alert_outbox"))]

    assert shown() == [
        'tailrace_notifications_total{outcome="failed",receiver="a/webhook"} 1.0',
        'tailrace_notifications_waiting{receiver="a/webhook"} 1.0',
        'tailrace_notifications_oldest_seconds{receiver="a/webhook"} 2.0',
        "tailrace_alert_outbox_age_seconds 0.0",
    ]
    world.channel().down = False
    world.run(10, every_s=1)
    assert 'tailrace_notifications_total{outcome="sent",receiver="a/webhook"} 1.0' in shown()


def test_a_clock_that_steps_back_delays_nothing_by_more_than_it_would_wait_anyway(world):
    world.fire(alertname="A")
    world.run(10)
    world.channel().down = True
    world.fire(alertname="B")
    world.run(30)
    world.clock.advance(-7200)
    world.channel().down = False
    world.end(alertname="A")
    world.notifier.step()
    names = [(one.group_labels["alertname"], one.status) for one in world.channel().got]
    assert sorted(names) == [("A", "firing"), ("A", "resolved"), ("B", "firing")]
