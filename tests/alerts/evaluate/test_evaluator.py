"""The evaluator over a real database: every window once, in order, again when late lines come, and by one server."""

from __future__ import annotations

import pytest

from alerts.world import MINUTE, Line, S, World, group, rule
from tailrace.alerts.evaluate.contracts import Complete, Late
from tailrace.control.lease import LEASE_NS, LeaseLostError

START = 100 * MINUTE
KEY = '{alertname="A", host="a"}'


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, now_ns=START)
    yield made
    made.control.close()


def log(server, of="A"):
    """Return the log of a rule, oldest first: minute, outcome, and a `c` for a correction."""
    rows = reversed(server.store.history(of, 20_000))
    return [f"{row['at_ns'] // MINUTE - 100} {row['outcome']}{'c' * bool(row['correction'])}" for row in rows]


def told(server, of="A"):
    return [f"{one.at_ns // MINUTE - 100} {one.kind}" for one in server.store.told(of, 0)]


def burst(minute: int, *, known: int | None = None, count: int = 2, host: str = "a") -> list[Line]:
    """Lines in the minute before a window's end; known at once, or at the end of another minute."""
    at_ns = START + minute * MINUTE - 10 * S
    return [Line(at_ns, at_ns if known is None else START + known * MINUTE, host) for _ in range(count)]


def run(world, server, minutes, *groups):
    for _ in range(minutes):
        world.now_ns += MINUTE
        assert server.round(*(groups or (group(),)))


def test_each_window_is_evaluated_once_in_order(world):
    server = world.server()
    world.lines += burst(2)
    server.round(group())
    run(world, server, 3)
    server.round(group())
    assert log(server) == ["0 empty", "1 empty", "2 value", "3 zero"]
    assert told(server) == ["2 firing", "3 resolved"]


def test_a_restart_goes_on_where_it_was(world):
    world.lines += burst(2) + burst(3)
    run(world, world.server(), 2, group(rule(for_ns=MINUTE)))
    again = world.server()
    run(world, again, 2, group(rule(for_ns=MINUTE)))
    assert log(again) == ["1 empty", "2 value", "3 value", "4 zero"]
    assert told(again) == ["3 firing", "4 resolved"]


def test_what_was_missed_is_made_up_for(world):
    world.lines += burst(2) + burst(5)
    run(world, world.server(), 1)
    world.now_ns += 5 * MINUTE  # nobody was there
    server = world.server()
    server.round(group())
    assert log(server) == ["1 empty", "2 value", "3 zero", "4 zero", "5 value", "6 zero"]
    assert told(server) == ["2 firing", "3 resolved", "5 firing", "6 resolved"]


def test_what_is_too_old_is_skipped_and_said_to_be(world):
    server = world.server()
    run(world, server, 1)
    world.now_ns += 8 * 24 * 60 * MINUTE
    for _ in range(12):  # a thousand windows each
        server.round(group())
    assert log(server).count("1440 skipped") == 1
    assert len(log(server)) == 1 + 1 + 7 * 24 * 60 + 1


def test_a_late_line_fires_what_was_missed_with_its_true_time(world):
    world.lines += burst(2, known=5)
    server = world.server()
    run(world, server, 6)
    assert told(server) == ["2 firing", "3 resolved"]
    first = ["1 empty", "2 empty", "3 empty", "4 empty"]
    assert log(server) == [*first, "2 valuec", "3 zeroc", "4 zeroc", "5 zero", "6 zero"]


def test_an_alert_that_goes_on_is_not_told_twice_by_a_late_line(world):
    world.lines += burst(2) + burst(3) + burst(4) + burst(5, known=5) + burst(2, known=5, count=1)
    server = world.server()
    run(world, server, 5)
    assert told(server) == ["2 firing"]


def test_a_late_line_that_shows_an_alert_to_be_false_takes_it_back(world):
    """The rule asks for silence: it fires when there are too few lines."""
    quiet = rule(expr='sum by (host) (count_over_time({app="x"}[1m])) < 2', no_data="zero")
    world.lines += burst(1) + burst(2) + burst(3, known=4) + burst(4) + burst(5)
    server = world.server()
    run(world, server, 5, group(quiet))
    assert told(server) == ["3 firing", "3 correction"]


def test_what_was_taken_back_and_turns_out_to_be_true_is_told_once_more(world):
    """Two lines come late, so it was not silent at 3; then they are deleted, so it was."""
    quiet = group(rule(expr='sum by (host) (count_over_time({app="x"}[1m])) < 2', no_data="zero"))
    late = burst(3, known=4)
    world.lines += burst(1) + burst(2) + late + burst(4) + burst(5)
    server = world.server()
    run(world, server, 5, quiet)
    for line in late:
        world.lines.remove(line)
    server.evaluator.correct((quiet,), [Late((), late[0].at_ns, late[0].at_ns)], world.now_ns)
    assert told(server) == ["3 firing", "3 correction", "3 firing", "4 resolved"]


def test_a_failing_query_resolves_nothing(world):
    server = world.server()
    world.lines += burst(1)
    run(world, server, 1)
    world.failing = True
    run(world, server, 2)
    assert server.evaluator.standing("A").progress.failures == 2
    assert told(server) == ["1 firing"]
    world.failing = False
    run(world, server, 1)
    again = ["1 valuec", "2 zeroc", "3 zeroc"]  # from where the alert began, before what is new
    assert log(server) == ["1 value", "2 error", "3 error", *again, "4 zero"]
    assert told(server) == ["1 firing", "2 resolved"]


def test_an_alert_of_windows_that_failed_is_not_missed(world):
    server = world.server()
    world.lines += burst(2)
    run(world, server, 1)
    world.failing = True
    run(world, server, 2)
    world.failing = False
    run(world, world.server(), 1)
    assert told(server) == ["2 firing", "3 resolved"]
    assert server.store.progress()["A"].unsure_ns == 0


def test_a_source_that_is_behind_is_waited_for_and_then_missing(world):
    server = world.server()
    world.lines += burst(1)
    run(world, server, 1)
    for _ in range(4):
        world.behind_ns += MINUTE
        run(world, server, 1)
    assert log(server) == ["1 value"]
    for _ in range(2):
        world.behind_ns += MINUTE
        run(world, server, 1)
    assert log(server) == ["1 value", "2 late"]
    assert told(server) == ["1 firing"]
    world.behind_ns = 0
    run(world, server, 1)
    assert told(server) == ["1 firing", "2 resolved"]


def test_a_series_that_is_silent_is_zero_when_it_is_known(world):
    server = world.server()
    world.lines += burst(1, count=1)
    run(world, server, 3)
    assert log(server) == ["1 zero", "2 zero", "3 zero"]


def test_a_known_series_that_is_silent_for_long_is_an_alert_if_asked_for(world):
    server = world.server()
    world.lines += burst(1, count=1)
    run(world, server, 5, group(rule(absent_for_ns=3 * MINUTE)))
    assert told(server) == ["4 firing"]
    (alert,) = server.evaluator.standing("A").alerts.values()
    assert alert.labels == {"alertname": "A", "host": "a", "absent": "true"}


def test_a_rule_over_its_limit_fails_and_forgets_nothing(world):
    server = world.server()
    world.lines += burst(1) + burst(2) + burst(2, host="b")
    run(world, server, 2, group(limit=1))
    assert log(server) == ["1 value", "2 error"]
    assert told(server) == ["1 firing"]
    assert KEY in server.evaluator.standing("A").alerts


def test_two_series_of_one_alert_fail(world):
    server = world.server()
    world.lines += burst(1) + burst(1, host="b")
    same = rule(labels={"host": "all"})
    run(world, server, 1, group(same))
    assert log(server) == ["1 error"]


def test_a_change_of_the_rule_keeps_its_alerts(world):
    server = world.server()
    world.lines += burst(1) + burst(2)
    run(world, server, 1)
    run(world, server, 1, group(rule(annotations={"text": "new"}, labels={})))
    assert told(server) == ["1 firing"]
    assert server.evaluator.standing("A").alerts[KEY].annotations == {"text": "new"}


def test_one_server_evaluates_and_the_other_takes_over(world):
    one, two = world.server("one"), world.server("two")
    world.lines += burst(1) + burst(2)
    run(world, one, 1)
    assert not two.round(group())
    world.now_ns += MINUTE + LEASE_NS  # the first one hangs
    assert two.round(group())
    assert log(two) == ["1 value", "2 value"]
    assert told(two) == ["1 firing"]


def test_a_server_that_lost_the_lease_is_refused(world):
    one, two = world.server("one"), world.server("two")
    run(world, one, 1)
    world.now_ns += MINUTE + LEASE_NS
    two.round(group())
    with pytest.raises(LeaseLostError):
        one.evaluator.round((group(),), world.now_ns)
    assert not one.round(group())


def test_a_server_that_lost_the_lease_while_it_asked_is_refused_before_it_corrects(world):
    """The query takes so long that another server evaluates what failed, and more."""
    one, two = world.server("one"), world.server("two")
    run(world, one, 1)
    world.failing = True
    run(world, one, 1)
    world.failing = False
    world.lines += burst(4)
    ask = one.evaluator._ask

    def slowly(asked, times):
        one.evaluator._ask = ask
        world.now_ns += LEASE_NS + 2 * MINUTE
        two.round(group())
        return ask(asked, times)

    one.evaluator._ask = slowly
    world.now_ns += MINUTE
    with pytest.raises(LeaseLostError):
        one.round(group())
    assert told(two) == ["4 firing", "5 resolved"]


def test_rules_that_ask_the_same_share_one_query(world):
    asked = []
    server = world.server()
    ask = world.ask
    server.evaluator._ask = lambda text, times: asked.append(text) or ask(text, times)
    rules = [rule(f"R{n}", expr=f'sum by (host) (count_over_time({{app="x"}}[1m])) > {n}') for n in range(50)]
    world.lines += burst(1, count=20)
    run(world, server, 1, group(*rules))
    assert len(asked) == 1
    assert [told(server, f"R{n}") for n in (19, 20)] == [["1 firing"], []]


def test_an_offset_moves_the_window_and_not_the_time(world):
    server = world.server()
    world.lines += burst(1)
    run(world, server, 3, group(query_offset_ns=MINUTE))
    assert told(server) == ["2 firing", "3 resolved"]


def test_a_clock_that_is_set_back_far_does_not_stop_rules(world):
    server = world.server()
    world.lines += burst(2)
    run(world, server, 2)
    right_ns = world.now_ns
    world.now_ns += 24 * 60 * MINUTE  # by mistake
    server.round(group())
    world.now_ns = right_ns + MINUTE
    world.lines += burst(3)
    server.round(group())
    assert log(server)[-2:] == ["2 value", "3 value"]
    (alert,) = server.evaluator.standing("A").alerts.values()
    assert (alert.state, alert.active_ns) == ("firing", START + 3 * MINUTE)
    assert told(world.server())[-1] == "3 firing"


def test_a_new_rule_begins_where_it_was_seen_first(world):
    """Its first window is one that ends later than the lines are complete, again and again."""
    server, fast = world.server(), group(interval_ns=S)
    world.behind_ns = S + S // 2
    for _ in range(5):
        world.now_ns += S
        server.round(fast)
    assert len(log(server)) >= 2


def test_what_may_be_had_of_missing_sources_is_not_waited_for(world):
    """A source that is missing, not late: others are complete up to a second ago, and that is enough."""
    server = world.server()
    run(world, server, 1)
    world.lines += burst(2)
    world.complete = lambda _selectors, now_ns: Complete(now_ns - 9 * MINUTE, ("dead",), open_ns=now_ns - S)
    server = world.server()
    world.now_ns += MINUTE + 2 * S
    server.round(group())
    assert log(server)[-1] == "2 late"
    assert told(server) == ["2 firing"], "a hit is a hit"
    world.now_ns += 3 * MINUTE
    server.round(group())
    assert told(server) == ["2 firing"], "and nothing is over before the source is back"


def test_a_start_gives_sources_their_time(world):
    """Before a source caught up, what was missed is not evaluated without it."""
    run(world, world.server(), 1)
    world.now_ns += 60 * MINUTE
    began_ns = world.now_ns
    world.complete = lambda _selectors, _now_ns: Complete(0, ("files",), since_ns=began_ns)
    server = world.server()
    world.now_ns += 4 * MINUTE
    server.round(group())
    assert len(log(server)) == 1
    world.now_ns += MINUTE
    server.round(group())
    assert log(server)[1:] == [f"{window} late" for window in range(2, 62)]


def test_a_late_line_resolves_nothing_while_a_source_is_missing(world):
    """Windows that lack a source lack it still when they are evaluated again."""
    server = world.server()
    world.lines += burst(1)
    run(world, server, 1)
    world.behind_ns = 30 * MINUTE
    world.lines += burst(2, known=9, count=1) + burst(3, known=9, host="b")
    run(world, server, 10)
    assert told(server) == ["1 firing", "3 firing"], "a late hit is a hit"
    assert {one.state for one in server.evaluator.standing("A").alerts.values()} == {"firing"}
    world.behind_ns = 0
    run(world, server, 1)
    assert told(server) == ["1 firing", "3 firing", "2 resolved", "4 resolved"]


def test_what_failed_is_known_before_new_windows_are_evaluated(world):
    """Over 3 minutes it is true at 1, 2, 4 and 5; at 3 it is not, and that window fails: it does not fire at 4."""
    for minute in (1, 2, 4, 5):
        world.lines += burst(minute)
    server, patient = world.server(), group(rule(for_ns=3 * MINUTE))
    run(world, server, 2, patient)
    world.failing = True
    run(world, server, 1, patient)
    world.failing = False
    run(world, server, 2, patient)
    assert told(server) == []
    assert log(server) == ["1 value", "2 value", "3 error", "3 zeroc", "4 value", "5 value"]


def test_what_is_evaluated_again_is_written_in_portions_and_nothing_of_it_is_lost(world, monkeypatch):
    """Three rules have two windows each to be corrected: there is room for all of them, then for five windows."""
    rules = [rule(name) for name in "ABC"]
    server = world.server()
    world.lines += burst(2, known=4)
    run(world, server, 3, group(*rules))
    monkeypatch.setattr("tailrace.alerts.evaluate.evaluator.STEPS", 6)
    written = []
    monkeypatch.setattr(server.evaluator, "_written", lambda made: written.append((len(made.steps), made.looked)))
    late = [Late((), START + 110 * S, START + 110 * S)]
    world.now_ns += MINUTE
    assert server.lease.take(world.now_ns)
    assert server.evaluator.correct((group(*rules),), late, world.now_ns, 7) == 6
    assert written == [(6, 7)]
    monkeypatch.setattr("tailrace.alerts.evaluate.evaluator.STEPS", 5)
    assert server.evaluator.correct((group(*rules),), late, world.now_ns, 8) == 6
    assert written[1:] == [(4, None), (2, 8)]
    assert [told(server, name) for name in "ABC"] == [["2 firing", "3 resolved"]] * 3
    assert server.store.corrections({"A": 0, "B": START + 3 * MINUTE, "C": START + 4 * MINUTE}) == {"A": 2, "B": 2}


def test_keeping_begins_anew_behind_a_window_of_which_nothing_is_known(world):
    """It was true in the window that failed: what it was kept for before does not count."""
    server, kept = world.server(), group(rule(keep_firing_for_ns=2 * MINUTE))
    world.lines += burst(1) + burst(3)
    run(world, server, 2, kept)
    world.failing = True
    run(world, server, 1, kept)
    world.failing = False
    run(world, server, 3, kept)
    assert told(server) == ["1 firing", "6 resolved"]
