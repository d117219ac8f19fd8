from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from tailrace.access.tokens import SESSION_NS, TABLE, USED_NS, Tokens
from tailrace.clock import NS_PER_S, ManualClock
from tailrace.control import Control
from tailrace.errors import DataError


@pytest.fixture
def tokens(control: Control, clock: ManualClock) -> Tokens:
    return Tokens(control, clock)


def test_a_token_is_itself_and_is_not_kept(tokens: Tokens, control: Control) -> None:
    text, made = tokens.create("grafana", ["query"], tenant="shop")
    assert re.fullmatch(r"trl_[a-z0-9]{10}_[A-Za-z0-9_-]{43}", text)
    found = tokens.verify(text)
    assert found is not None
    assert (found.id, found.name, found.tenant, found.scopes) == (made.id, "grafana", "shop", frozenset({"query"}))
    with control.reading() as connection:
        (row,) = connection.execute(select(TABLE)).all()
    assert text.split("_", 2)[2] not in str(row)


@pytest.mark.parametrize("wrong", ["", "x", "trl_", "trl_aaaaaaaaaa_" + "a" * 43, "\ud800", "\0"])
def test_what_is_no_token_is_none(tokens: Tokens, wrong: str) -> None:
    tokens.create("other", ["query"])
    assert tokens.verify(wrong) is None


def test_the_id_of_one_and_the_secret_of_another_are_none(tokens: Tokens) -> None:
    (one, _), (other, _) = tokens.create("one", ["query"]), tokens.create("other", ["query"])
    assert tokens.verify(one[:15] + other[15:]) is None


def test_a_token_ends_at_its_time(tokens: Tokens, clock: ManualClock) -> None:
    text, _ = tokens.create("short", ["push"], lives_ns=10 * NS_PER_S)
    clock.advance(9.9)
    assert tokens.verify(text) is not None
    assert tokens.any()
    clock.advance(0.1)
    assert tokens.verify(text) is None
    assert not tokens.any()


def test_its_use_is_noted_once_a_minute(tokens: Tokens, clock: ManualClock) -> None:
    text, _ = tokens.create("used", ["push"])
    (before,) = tokens.all()
    assert before.used_ns == 0
    first_ns = clock.now_ns()
    for _ in range(3):
        tokens.verify(text)
        clock.advance(10)
    assert tokens.all()[0].used_ns == first_ns
    clock.advance(USED_NS / NS_PER_S)
    tokens.verify(text)
    assert tokens.all()[0].used_ns == clock.now_ns()


def test_a_session_may_what_its_token_may_and_ends_with_it(tokens: Tokens, clock: ManualClock) -> None:
    text, token = tokens.create("ann", ["query", "admin"], tenant="shop")
    session, made = tokens.begin_session(token)
    assert (made.scopes, made.tenant, made.expires_ns) == (token.scopes, "shop", clock.now_ns() + SESSION_NS)
    assert [one.name for one in tokens.all()] == ["ann"]  # sessions are not listed
    assert tokens.verify(session) is not None
    assert tokens.revoke(token.id)
    assert tokens.verify(text) is None
    assert tokens.verify(session) is None


def test_a_session_lives_no_longer_than_its_token_and_begins_no_longer_one(tokens: Tokens, clock: ManualClock) -> None:
    _, token = tokens.create("ann", ["query"], lives_ns=60 * NS_PER_S)
    _, session = tokens.begin_session(token)
    assert session.expires_ns == token.expires_ns
    _, again = tokens.begin_session(session)
    assert (again.expires_ns, again.parent) == (token.expires_ns, token.id)


def test_ending_a_session_leaves_its_token(tokens: Tokens) -> None:
    text, token = tokens.create("ann", ["query"])
    _, session = tokens.begin_session(token)
    assert tokens.revoke(session.id)
    assert tokens.verify(text) is not None


@pytest.mark.parametrize(
    ("name", "scopes", "tenant", "lives_ns"),
    [
        ("", ["query"], "", 0),
        ("a\nb", ["query"], "", 0),
        ("a" * 101, ["query"], "", 0),
        ("a", [], "", 0),
        ("a", ["root"], "", 0),
        ("a", ["query"], "a b", 0),
        ("a", ["query"], 'x", app="', 0),
        ("a", ["query"], ".hidden", 0),
        ("a", ["query"], "t" * 65, 0),
        ("a", ["query"], "", -1),
    ],
)
def test_a_wrong_token_is_not_made(tokens: Tokens, name: str, scopes: list, tenant: str, lives_ns: int) -> None:
    with pytest.raises(DataError):
        tokens.create(name, scopes, tenant=tenant, lives_ns=lives_ns)
    assert tokens.all() == []


def test_what_is_not_there_cannot_be_revoked(tokens: Tokens) -> None:
    tokens.create("one", ["query"])
    assert not tokens.revoke("")  # the parent of those that have none
    assert not tokens.revoke("aaaaaaaaaa")
    assert len(tokens.all()) == 1
