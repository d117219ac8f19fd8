"""What a receiver is told, and when, by cases worked out by hand: see tests/cases/alerts/grouping.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.notify.telling import START, WEBHOOK, S, World
from tailrace.alerts.notify.grouping import Entry, look_ns, reason
from tailrace.alerts.notify.matchers import matchers
from tailrace.alerts.notify.silences import Silence
from tailrace.query.literals import duration

CASES = tomllib.loads((Path(__file__).parents[2] / "cases" / "alerts" / "grouping.toml").read_text())["case"]
INTERVALS = [
    {"name": "late", "time_intervals": [{"times": [{"start_time": "22:00", "end_time": "22:33"}]}]},
    {"name": "half", "time_intervals": [{"times": [{"start_time": "22:33", "end_time": "23:00"}]}]},
]


def seconds(text: str) -> int:
    return duration(text) // S


def labels_of(text: str) -> dict[str, str]:
    name, *rest = text.split(",")
    own = [name if "=" in name else f"alertname={name}", *rest]
    return dict(part.split("=") for part in own)


def world_of(case, folder) -> World:
    route = {"group_by": ["alertname"], **case.get("route", {})}
    if "child" in case:
        route["routes"] = [case["child"]]
    return World(
        folder,
        route=route,
        receivers=[{"name": "a", "webhook": WEBHOOK, "send_resolved": case.get("send_resolved", True)}],
        inhibit_rules=[case["inhibit"]] if "inhibit" in case else [],
        time_intervals=INTERVALS,
    )


def play(world: World, event: str) -> None:
    _, verb, *rest = event.split()
    now_ns = world.clock.now_ns()
    match verb:
        case "fire":
            world.fire(starts_s=seconds(rest[2]) if rest[1:] else None, **labels_of(rest[0]))
        case "report":
            world.report(**labels_of(rest[0]))
        case "end":
            world.end(**labels_of(rest[0]))
        case "silence":
            tests = matchers(",".join(f'{name}="{value}"' for name, value in labels_of(rest[0]).items()))
            world.silence = world.notifier.silences.save(
                Silence(tests, now_ns, now_ns + duration(rest[2]), "me", "quiet")
            )
        case "unsilence":
            world.notifier.silences.expire(world.silence)
        case "down" | "up":
            world.channel().down = verb == "down"


def line(notification, at_s: int) -> str:
    signs = {"firing": "+", "resolved": "-"}
    alerts = []
    for alert in notification.alerts:
        name, *rest = [value if label == "alertname" else f"{label}={value}" for label, value in alert.labels.items()]
        alerts.append(signs[alert.status] + ",".join([name, *rest]))
    return f"{at_s}s {notification.reason} {' '.join(alerts)}"


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_grouping(case, tmp_path):
    world, told, events = world_of(case, tmp_path), [], list(case["events"])
    channel, until = world.channel(), seconds(case["until"])
    while world.now_s <= until:
        while events and seconds(events[0].split()[0]) <= world.now_s:
            play(world, events.pop(0))
        world.notifier.step()
        fresh = [line(one, (one.at_ns - START) // S if case.get("order_only") else world.now_s) for one in channel.got]
        told += sorted(fresh) if not case.get("order_only") else fresh
        channel.got.clear()
        world.clock.advance(10)
    assert not events
    assert told == case["told"]


def test_looks_that_were_missed_are_one():
    assert [look_ns(30, 300, now) for now in (30, 329, 330, 1000)] == [30, 30, 330, 930]


SETS = st.frozensets(st.sampled_from("abc"))


@given(SETS, SETS, SETS, st.booleans())
def test_a_receiver_never_stays_wrong(known, firing, over, wants_end):
    """Whatever it knows: after what it is told, it knows what fires, and is not told the same twice."""
    entry = Entry(0, known)
    why = reason(entry, firing, over - firing, at_ns=1, repeat_ns=100, send_resolved=wants_end)
    if not firing <= known or (known and not firing):
        assert why is not None
    after = Entry(1, firing, over - firing) if why else entry
    again = reason(after, firing, over - firing, at_ns=2, repeat_ns=100, send_resolved=wants_end)
    assert again is None
