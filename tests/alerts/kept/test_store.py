"""What rules found, kept: numbers of rows, how rules stand, and what questions to the log cost."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from sqlalchemy import event, select

from alerts.world import MINUTE, Line, S, World, group
from tailrace.alerts.kept.evaluation_log import Wanted, evaluations
from tailrace.alerts.kept.history import entries
from tailrace.alerts.kept.tables import EVALUATIONS, OUTBOX
from tailrace.alerts.notify.tables import DELIVERIES


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.control.close()


def fire(world, server, minute):
    """Have rule A fire and end at two minutes from one on."""
    at_ns = minute * MINUTE
    world.lines += [Line(at_ns - S, at_ns - S), Line(at_ns - 2 * S, at_ns - 2 * S)]
    for now_ns in (at_ns - MINUTE, at_ns, at_ns + MINUTE):
        world.now_ns = now_ns
        assert server.round(group())


def numbers(world, table):
    with world.control.transaction() as connection:
        return list(connection.execute(select(table.c.id).order_by(table.c.id)).scalars())


def test_no_number_is_used_twice_even_when_all_rows_were_dropped(world):
    server = world.server()
    fire(world, server, 10)
    before = {table: numbers(world, table)[-1] for table in (EVALUATIONS, OUTBOX)}
    with world.control.transaction() as connection:
        connection.execute(OUTBOX.update().values(taken=True))
    while server.store.cut(world.now_ns + MINUTE):
        pass
    assert numbers(world, EVALUATIONS) == numbers(world, OUTBOX) == []
    fire(world, server, 20)
    assert numbers(world, EVALUATIONS)[0] > before[EVALUATIONS]
    assert numbers(world, OUTBOX)[0] > before[OUTBOX]
    assert DELIVERIES.dialect_options["sqlite"]["autoincrement"]


def test_standings_are_of_one_transaction(world):
    server = world.server()
    fire(world, server, 10)
    with counted(world.control) as transactions:
        standings = server.store.standings()
    assert len(transactions) == 1
    assert standings.progress == server.store.progress()
    assert standings.alerts == server.store.alerts()
    assert standings.progress["A"].evaluated_ns == 11 * MINUTE


@contextmanager
def counted(control):
    found = []

    def began(connection):
        found.append(connection)

    event.listen(control._engine, "begin", began)
    yield found
    event.remove(control._engine, "begin", began)


QUESTIONS = {
    "what was told of a rule": lambda server: server.store.told("A", 0),
    "corrections of a rule": lambda server: server.store.corrections({"A": 0}),
    "alerts before a window": lambda server: server.store.alerts_before({"A": 11 * MINUTE}),
    "standings": lambda server: server.store.standings(),
    "age of the outbox": lambda server: server.store.outbox_age_ns(0),
    "history of a rule": lambda server: entries(server.control, "A"),
    "log of a rule": lambda server: evaluations(server.control, [group()], Wanted(rules=("A",))),
    "what failed": lambda server: evaluations(server.control, [group()], Wanted(outcomes=("error", "late"))),
    "cutting the log": lambda server: server.store.cut(0, most=1),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_reads_a_whole_log(world, question):
    if world.control._engine.dialect.name != "sqlite":
        pytest.skip("plans are read as SQLite tells them")
    server = world.server()
    fire(world, server, 10)
    plans = []

    def explain(connection, _cursor, statement, parameters, *_):
        if not statement.startswith(("BEGIN", "EXPLAIN")):
            rows = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            plans.extend(row[-1] for row in rows)

    event.listen(server.control._engine, "before_cursor_execute", explain)
    QUESTIONS[question](server)
    event.remove(server.control._engine, "before_cursor_execute", explain)
    assert plans
    whole = [plan for plan in plans if plan.startswith(("SCAN alert_evaluations", "SCAN alert_outbox"))]
    assert [plan for plan in whole if "INDEX" not in plan and question != "cutting the log"] == []
