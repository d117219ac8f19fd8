"""The threads of a notifier, and the policies that it makes."""

from __future__ import annotations

import threading

import pytest

from alerts.notify.telling import World
from tailrace.clock import SystemClock
from web.conftest import wait_until


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, route={"group_wait": "0s", "group_by": ["alertname"]}, receivers=["a", "b"])
    made.clock = SystemClock()
    yield made
    made.control.close()


def test_threads_tell_and_stop(world):
    notifier = world.restart()
    before = set(threading.enumerate())  # of servers of other tests
    notifier.start()
    world.fire(alertname="A")
    wait_until(lambda: world.channel().got)
    notifier.stop()
    assert len(world.channel().got) == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "notify" and thread not in before]


def test_a_receiver_that_hangs_delays_nobody_and_is_waited_for_at_the_end(tmp_path):
    world = World(
        tmp_path,
        route={"group_wait": "0s", "routes": [{"receiver": "a", "continue": True}, {"receiver": "b"}]},
        receivers=["a", "b"],
    )
    world.clock, hangs = SystemClock(), threading.Event()
    send = world.channel("a").send

    def hanging(notification):
        hangs.wait(20)
        send(notification)

    world.channel("a").send = hanging
    notifier = world.restart()
    notifier.start()
    world.fire(alertname="A")
    wait_until(lambda: world.channel("b").got)
    assert world.channel("a").got == []
    threading.Timer(0.2, hangs.set).start()
    notifier.stop()
    assert len(world.channel("a").got) == 1
    assert notifier.deliveries.waiting() == []  # it is marked, too
    world.control.close()


def test_a_test_message_reaches_every_way(world):
    tried = world.restart().test("a")
    assert [one.way for one in tried] == ["webhook"]
    assert tried[0].error  # nobody listens there
    assert world.notifier.test("nobody") is None


def test_without_receivers_alerts_are_kept_and_told_to_nobody(tmp_path):
    world = World(tmp_path)
    world.settings = type(world.settings)()
    world.restart()
    world.fire(alertname="A")
    world.run(1000, every_s=100)
    assert world.notifier.deliveries.shown(("waiting", "sent", "parked")) == []
    world.control.close()
