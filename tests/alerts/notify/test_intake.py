"""What evaluations tell becomes what people are told: rows of the outbox in, messages out."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import delete, insert, select, update

from alerts.notify.telling import START, S, World
from tailrace.alerts.kept.tables import OUTBOX, STATES
from tailrace.alerts.notify.model import CORRECTION
from tailrace.batch import stream_text

LABELS = {"alertname": "A", "host": "x"}
KEY = stream_text(LABELS)


class Rule:
    """Writes what an evaluation would have written of one alert."""

    def __init__(self, world: World) -> None:
        self.world = world

    def tell(self, kind: str, at_s: int, starts_s: int | None = None, annotations=None, generation=1) -> None:
        at_ns = START + at_s * S
        starts_ns = at_ns if starts_s is None else START + starts_s * S
        row = {"rule": "r", "key": KEY, "generation": generation, "kind": kind, "at_ns": at_ns, "written_ns": at_ns}
        texts = {"labels": json.dumps(LABELS), "annotations": json.dumps(annotations or {}), "value": 2.0}
        times = {"starts_ns": starts_ns, "ends_ns": 0 if kind == "firing" else at_ns, "taken": False}
        with self.world.control.transaction() as connection:
            connection.execute(insert(OUTBOX).values(**row, **texts, **times))

    def state(self, state: str | None, since_s: int = 0, annotations=None, value=2.0) -> None:
        since_ns = START + since_s * S
        row = {"state": state, "active_ns": since_ns, "fired_ns": since_ns, "resolved_ns": 0, "keep_since_ns": 0}
        texts = {"annotations": json.dumps(annotations or {}), "value": value, "generation": 1}
        with self.world.control.transaction() as connection:
            connection.execute(delete(STATES))
            if state:
                connection.execute(insert(STATES).values(rule="r", key=KEY, **row, **texts))

    def fire(self, at_s: int, annotations=None) -> None:
        self.tell("firing", at_s, annotations=annotations)
        self.state("firing", at_s, annotations)

    def end(self, at_s: int, since_s: int) -> None:
        self.tell("resolved", at_s, since_s)
        self.state(None)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, route={"group_by": ["alertname"], "group_wait": "30s", "group_interval": "1m"})
    yield made
    made.control.close()


@pytest.fixture
def rule(world):
    return Rule(world)


def told(world) -> list[tuple[str, list[tuple]]]:
    found = [
        (one.reason, [(alert.status, seconds(alert.starts_ns), seconds(alert.ends_ns)) for alert in one.alerts])
        for one in world.channel().got
    ]
    world.channel().got.clear()
    return found


def seconds(at_ns: int) -> int | None:
    return (at_ns - START) // S if at_ns else None


def test_an_alert_of_ours_from_its_beginning_to_its_end(world, rule):
    rule.fire(0)
    world.run(60)
    assert told(world) == [("first", [("firing", 0, None)])]
    rule.end(60, 0)
    world.run(100)
    assert told(world) == [("all_resolved", [("resolved", 0, 60)])]
    with world.control.transaction() as connection:
        assert list(connection.execute(select(OUTBOX.c.taken)).scalars()) == [True, True]


def test_it_does_not_time_out(world, rule):
    rule.fire(0)
    world.run(3600, every_s=60)
    assert told(world) == [("first", [("firing", 0, None)])]


def test_external_labels_are_added_where_there_are_none(world, rule):
    world.restart(external_labels={"cluster": "eu", "host": "ours"}, external_url="http://me", link=lambda r: f"/{r}")
    rule.fire(0)
    world.run(30)
    [one] = world.channel().got
    assert one.alerts[0].labels == {"alertname": "A", "cluster": "eu", "host": "x"}
    assert (one.alerts[0].generator_url, one.external_url, one.alerts[0].value) == ("/r", "http://me", 2.0)


def test_a_repetition_has_annotations_and_value_of_the_last_evaluation(world, rule):
    world.settings = world.settings.model_copy(
        update={"route": world.settings.route.model_copy(update={"repeat_interval_ns": 60 * S})}
    )
    world.restart()
    rule.fire(0, {"text": "2 errors"})
    world.run(60)
    rule.state("firing", 0, {"text": "7 errors"}, 7.0)
    world.run(120)
    first, second = world.channel().got
    assert (first.alerts[0].annotations, first.alerts[0].value) == ({"text": "2 errors"}, 2.0)
    assert (second.alerts[0].annotations, second.alerts[0].value) == ({"text": "7 errors"}, 7.0)


def test_an_alert_whose_rule_is_gone_is_over(world, rule):
    rule.fire(0)
    world.run(40)
    rule.state(None)
    world.run(100)
    assert told(world) == [("first", [("firing", 0, None)]), ("all_resolved", [("resolved", 0, 40)])]


def test_an_alert_that_is_pending_again_is_over(world, rule):
    rule.fire(0)
    world.run(40)
    with world.control.transaction() as connection:
        connection.execute(update(STATES).values(state="pending"))
    world.run(100)
    assert [reason for reason, _ in told(world)] == ["first", "all_resolved"]


def test_what_was_over_before_anybody_looked_is_told_all_the_same(world, rule):
    """An outage of an hour: the alert fired for ten minutes meanwhile. Its beginning is told, then its end."""
    world.clock.advance(3600)
    rule.tell("firing", 600)
    rule.tell("resolved", 1200, 600)
    world.run(3700)
    assert told(world) == [("first", [("firing", 600, None)]), ("all_resolved", [("resolved", 600, 1200)])]


def test_unless_it_cleared_within_group_wait(world, rule):
    world.clock.advance(3600)
    rule.tell("firing", 600)
    rule.tell("resolved", 630, 600)
    world.run(3700)
    assert told(world) == []


def test_an_end_that_lies_ahead_of_a_clock_that_stepped_back_is_one(world, rule):
    rule.fire(0)
    world.run(50)
    world.clock.advance(-30)
    rule.end(45, 0)
    world.run(22)
    rule.fire(46)
    world.run(200)
    words = [(alert.status, seconds(alert.starts_ns)) for one in world.channel().got for alert in one.alerts]
    assert words == [("firing", 0), ("resolved", 0), ("firing", 46)]


def test_a_mistake_is_taken_back_where_it_was_told(world, rule):
    rule.fire(0)
    world.run(40)
    told(world)
    rule.tell("correction", 0)
    rule.state(None)
    world.run(100)
    [one] = world.channel().got
    assert (one.reason, one.alerts[0].status) == ("correction", "resolved")
    assert one.alerts[0].annotations[CORRECTION].startswith("told by mistake: lines that came late show that")


def test_a_mistake_that_is_over_is_taken_back_too(world, rule):
    rule.fire(0)
    world.run(40)
    rule.end(50, 0)
    world.run(200)
    assert [reason for reason, _ in told(world)] == ["first", "all_resolved"]
    rule.tell("correction", 0)
    world.run(400)
    assert told(world) == [("correction", [("resolved", 0, 200)])]


def test_a_mistake_that_nobody_was_told_is_not_mentioned(world, rule):
    rule.fire(0)
    world.run(10)
    rule.tell("correction", 0)
    rule.state(None)
    world.run(200)
    assert told(world) == []


def test_a_mistake_that_was_none_is_not_taken_back(world, rule):
    rule.fire(0)
    world.run(40)
    told(world)
    rule.tell("correction", 0)
    rule.tell("firing", 0, generation=2)
    world.run(200)
    assert told(world) == []  # it knows that it fires
    rule.end(200, 0)
    world.run(300)
    [one] = world.channel().got
    assert (one.reason, dict(one.alerts[0].annotations)) == ("all_resolved", {})


def test_a_firing_of_the_past_is_told_with_the_one_of_now(world, rule):
    world.clock.advance(600)
    rule.fire(600)
    world.run(640)
    told(world)
    rule.tell("firing", 0)
    rule.tell("resolved", 60, 0)
    world.run(720)
    [one] = world.channel().got
    assert (one.reason, [(alert.status, seconds(alert.starts_ns)) for alert in one.alerts]) == (
        "correction",
        [("firing", 600)],
    )
    assert "it fired at 2023-11-14 22:13:20 UTC, too" in one.alerts[0].annotations[CORRECTION]
    world.channel().got.clear()
    world.run(1000)
    assert told(world) == []  # once


def test_a_firing_of_the_past_is_told_where_the_one_of_now_was_not_yet_and_turns_out_to_be_a_mistake(world, rule):
    """Late lines show in one go that it fired from 0 to 60, and did not at 600, of which nobody was told."""
    world.clock.advance(600)
    rule.tell("firing", 600)
    rule.tell("firing", 0)
    rule.tell("resolved", 60, 0)
    rule.tell("correction", 600)
    world.run(1000)
    assert told(world) == [("first", [("firing", 0, None)]), ("all_resolved", [("resolved", 0, 60)])]


def test_a_firing_of_the_past_is_told_before_the_one_of_now_that_waits(world, rule):
    world.clock.advance(600)
    rule.fire(600)
    world.run(605)
    rule.tell("firing", 0)
    rule.tell("resolved", 60, 0)
    world.run(1000)
    assert told(world) == [
        ("first", [("firing", 0, None)]),
        ("all_resolved", [("resolved", 0, 60)]),
        ("new_alerts", [("firing", 600, None)]),
    ]


def test_a_firing_of_the_past_is_told_also_if_the_one_of_now_is_then_taken_back(world, rule):
    world.clock.advance(600)
    rule.fire(600)
    world.run(640)
    told(world)
    rule.tell("firing", 0)
    rule.tell("resolved", 60, 0)
    rule.tell("correction", 600)
    rule.state(None)
    world.run(720)
    [one] = world.channel().got
    notes = one.alerts[0].annotations[CORRECTION]
    assert "it fired at 2023-11-14 22:13:20 UTC, too; told by mistake: " in notes
    assert "did not fire at 2023-11-14 22:23:20 UTC" in notes


def test_a_firing_of_the_past_is_told_after_the_end_that_waits(world, rule):
    world.clock.advance(600)
    rule.fire(600)
    world.run(640)
    rule.end(650, 600)
    rule.tell("firing", 0)
    rule.tell("resolved", 60, 0)
    world.run(1000)
    assert told(world) == [
        ("first", [("firing", 600, None)]),
        ("all_resolved", [("resolved", 600, 650)]),
        ("new_alerts", [("firing", 0, None)]),
        ("all_resolved", [("resolved", 0, 60)]),
    ]


def test_our_own_alert_that_comes_back_to_us_changes_nothing(world, rule):
    rule.fire(0)
    world.run(40)
    world.end(**LABELS)
    world.run(200)
    assert [reason for reason, _ in told(world)] == ["first"]


def test_another_alertmanager_is_told_at_once_and_again_and_again(tmp_path):
    world = World(
        tmp_path,
        route={"group_by": ["alertname"]},
        receivers=[{"name": "a", "alertmanager": ["http://127.0.0.1:1"], "webhook": "http://127.0.0.1:1/"}],
    )
    rule = Rule(world)
    rule.fire(0)
    world.run(185, every_s=5)
    times = {
        name: [seconds(one.at_ns) for one in world.channel(f"a/{name}").got] for name in ("alertmanager", "webhook")
    }
    assert times == {"alertmanager": [0, 60, 120, 180], "webhook": [30]}
    rule.end(185, 0)
    world.run(190, every_s=5)
    last = world.channel("a/alertmanager").got[-1]
    assert (last.reason, last.status, seconds(last.at_ns)) == ("all_resolved", "resolved", 185)
    world.control.close()


def test_routes_that_changed_count_after_a_restart(tmp_path):
    world = World(tmp_path, receivers=["a", "b"], route={"group_by": ["alertname"]})
    world.fire(alertname="A")
    world.run(40)
    world.settings = world.settings.model_copy(
        update={"route": world.settings.route.model_copy(update={"receiver": "b", "group_by": ("host",)})}
    )
    world.restart()
    world.run(50)
    assert [len(world.channel(name).got) for name in "ab"] == [1, 1]
    world.control.close()
