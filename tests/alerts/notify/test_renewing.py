"""Other Alertmanagers forget: they are told again of what fires, and for a while of what is over."""

from __future__ import annotations

import itertools

import pytest

from alerts.notify.telling import START, S, World

SETTINGS = {"receivers": [{"name": "am", "alertmanager": {"urls": "http://h", "renew_s": 60}}]}


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, **SETTINGS)
    yield made
    made.control.close()


def told(world: World) -> list[tuple[int, str]]:
    """Return when the Alertmanager was told, and of which alerts: small letters are over."""
    return [
        (
            (one.at_ns - START) // S,
            "".join(
                alert.labels["alertname"] if alert.status == "firing" else alert.labels["alertname"].lower()
                for alert in one.alerts
            ),
        )
        for one in world.channel("am").got
    ]


def test_what_fires_is_told_at_once_and_each_minute_and_its_end_at_once(world):
    world.run(20)
    world.fire(alertname="A")
    world.run(190)
    world.end(alertname="A")
    world.run(200)
    assert told(world) == [(20, "A"), (80, "A"), (140, "A"), (190, "a")]


def test_an_end_is_told_again_for_a_quarter_of_an_hour(world):
    world.fire(alertname="A")
    world.run(60)
    world.end(alertname="A")
    world.run(2 * 3600)
    ends = [(at_s, "a") for at_s in range(60, 960 + 1, 60)]
    assert told(world) == [(0, "A"), (60, "A"), *ends]


def test_what_fires_again_meanwhile_fires(world):
    world.fire(alertname="A")
    world.run(60)
    world.end(alertname="A")
    world.run(100)
    world.fire(alertname="A", starts_s=100)
    world.run(250)
    assert told(world) == [(0, "A"), (60, "A"), (60, "a"), (100, "A"), (160, "A"), (220, "A")]


def test_a_restart_goes_on_with_it_long_before_the_alert_would_end(world):
    world.fire(alertname="A")
    world.run(30)
    world.restart()
    world.run(200)
    world.end(alertname="A")
    world.restart()
    world.run(400)
    times = [at_s for at_s, _ in told(world)]
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= 120
    assert [text for at_s, text in told(world) if at_s >= 200] == ["a"] * len([at_s for at_s in times if at_s >= 200])
    assert times[-1] >= 280
