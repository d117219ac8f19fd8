from __future__ import annotations

import pytest

from tailrace.access.guard import BELIEVED_S, GUESSES, WAIT_S, Guard
from tailrace.access.model import ANONYMOUS, Denied, Principal
from tailrace.access.tokens import Tokens
from tailrace.clock import ManualClock
from tailrace.control import Control

PEER = "192.0.2.1"


@pytest.fixture
def tokens(control: Control, clock: ManualClock) -> Tokens:
    return Tokens(control, clock)


def denied(guard: Guard, token: str | None, scope: str | None = "query", peer: str = PEER, tenant: str = "") -> int:
    with pytest.raises(Denied) as refused:
        guard.admit(token, scope, peer, tenant)  # type: ignore[arg-type]  # one of the words
    assert token is None or token not in str(refused.value)
    return refused.value.status


def wrong(number: int) -> str:
    return f"trl_{number:010d}_{'a' * 43}"


def test_where_all_are_trusted_no_token_is_needed_but_a_wrong_one_is_refused(
    tokens: Tokens, clock: ManualClock
) -> None:
    guard = Guard(tokens, clock, open_here=True)
    assert guard.admit(None, "admin", PEER) == ANONYMOUS
    assert denied(guard, wrong(1)) == 401


def test_elsewhere_a_token_of_the_scope_is_needed(tokens: Tokens, clock: ManualClock) -> None:
    guard = Guard(tokens, clock, open_here=False)
    text, made = tokens.create("agent", ["push"])
    assert denied(guard, None) == 401
    assert denied(guard, text) == 403
    assert guard.admit(text, "push", PEER) == Principal("agent", "", frozenset({"push"}), made.id)
    assert guard.admit(text, None, PEER).name == "agent"


def test_tenants_need_a_token_even_on_this_machine(tokens: Tokens, clock: ManualClock) -> None:
    guard = Guard(tokens, clock, open_here=True, tenants=True)
    assert not guard.open
    assert denied(guard, None) == 401


def test_a_token_of_a_tenant_acts_for_it_alone(tokens: Tokens, clock: ManualClock) -> None:
    guard = Guard(tokens, clock, open_here=False, tenants=True)
    text, _ = tokens.create("shop", ["query"], tenant="shop")
    assert guard.admit(text, "query", PEER).tenant == "shop"
    assert guard.admit(text, "query", PEER, "shop").tenant == "shop"
    assert denied(guard, text, tenant="bank") == 403
    assert denied(guard, text, tenant="a|b") == 400


def test_an_operator_may_act_for_any_tenant(tokens: Tokens, clock: ManualClock) -> None:
    guard = Guard(tokens, clock, open_here=False, tenants=True)
    text, _ = tokens.create("op", ["query"])
    assert not guard.admit(text, "query", PEER).confined
    assert guard.admit(text, "query", PEER, "bank").tenant == "bank"


def test_a_token_of_a_tenant_is_refused_where_there_are_none(tokens: Tokens, clock: ManualClock) -> None:
    """It would see the rows of all."""
    text, _ = tokens.create("shop", ["query"], tenant="shop")
    assert denied(Guard(tokens, clock, open_here=True), text) == 403


def test_a_revoked_token_is_refused_after_some_seconds(tokens: Tokens, clock: ManualClock) -> None:
    guard = Guard(tokens, clock, open_here=False)
    text, made = tokens.create("one", ["query"])
    guard.admit(text, "query", PEER)
    tokens.revoke(made.id)
    assert guard.believed(text)
    clock.advance(BELIEVED_S)
    assert not guard.believed(text)
    assert denied(guard, text) == 401


def test_a_believed_token_ends_at_its_time(tokens: Tokens, clock: ManualClock) -> None:
    guard = Guard(tokens, clock, open_here=False)
    text, _ = tokens.create("short", ["query"], lives_ns=1_000_000_000)
    guard.admit(text, "query", PEER)
    clock.advance(1)
    assert denied(guard, text) == 401


def test_who_guesses_has_to_wait_and_then_may_try_again(tokens: Tokens, clock: ManualClock) -> None:
    guard = Guard(tokens, clock, open_here=False)
    known, _ = tokens.create("known", ["query"])
    fresh, _ = tokens.create("fresh", ["query"])
    guard.admit(known, "query", PEER)
    assert [denied(guard, wrong(number)) for number in range(GUESSES)] == [401] * GUESSES
    assert denied(guard, fresh) == 429
    assert denied(guard, wrong(99)) == 429
    assert guard.admit(fresh, "query", "192.0.2.2").name == "fresh"  # elsewhere
    clock.advance(BELIEVED_S + 1)
    assert guard.admit(known, "query", PEER).name == "known"  # it was right before
    clock.advance(WAIT_S)
    assert denied(guard, wrong(100)) == 401


def test_addresses_of_one_network_of_ipv6_are_one_peer(tokens: Tokens, clock: ManualClock) -> None:
    guard = Guard(tokens, clock, open_here=False)
    for number in range(GUESSES):
        denied(guard, wrong(number), peer=f"2001:db8::{number:x}")
    assert denied(guard, wrong(50), peer="2001:db8::ffff") == 429
    assert denied(guard, wrong(51), peer="2001:db8:0:1::1") == 401
    for number in range(GUESSES):
        denied(guard, wrong(number), peer=f"::ffff:192.0.2.{9}")
    assert denied(guard, wrong(52), peer="192.0.2.9") == 429
