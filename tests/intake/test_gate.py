import asyncio
import threading
from dataclasses import dataclass

import pytest

from tailrace.clock import ManualClock, SystemClock
from tailrace.intake.gate import Gate, Hold, Overloaded
from tailrace.telemetry import Accounts


@dataclass(frozen=True)
class Few:
    bytes_at_once: int = 100
    requests_at_once: int = 4
    connections: int = 3
    client_connections: int = 2
    client_requests_per_s: float = 0
    client_bytes_per_s: int = 0


def gate(**limits: int) -> tuple[Gate, ManualClock, Accounts]:
    clock, accounts = ManualClock(), Accounts()
    return Gate(Few(**limits), clock=clock, accounts=accounts), clock, accounts


def refused(make) -> Overloaded:
    with pytest.raises(Overloaded) as error:
        make()
    return error.value


def test_the_first_of_a_client_gets_what_is_free_and_the_next_no_more_than_it_leaves() -> None:
    made, _, accounts = gate()
    first = made.request("a", 60, receiver="loki")
    assert refused(lambda: made.request("a", 1, receiver="loki")).why == "bytes"  # 61 held would leave 39
    with made.request("b", 40, receiver="loki"):
        assert made.bytes == 100
        assert refused(lambda: made.request("c", 1, receiver="loki")).retry_after_s == 1.0
    first.release()
    first.release()
    assert made.bytes == 0
    text = accounts.render()[0].decode()
    assert 'tailrace_intake_refused_total{receiver="loki",why="bytes"} 2.0' in text
    assert "tailrace_intake_bytes 0.0" in text


def test_one_client_ends_at_half_in_small_pieces() -> None:
    made, _, _ = gate(requests_at_once=0)
    holds: list[Hold] = []
    refused(lambda: [holds.append(made.request("noisy", 1, receiver="x")) for _ in range(100)])
    assert made.bytes == 50
    refused(lambda: [holds.append(made.request("second", 1, receiver="x")) for _ in range(100)])
    assert made.bytes == 75
    made.request("third", 25, receiver="x")


def test_requests_of_one_client_leave_room_for_another() -> None:
    made, _, _ = gate()
    holds = [made.request("a", receiver="x"), made.request("a", receiver="x")]
    assert refused(lambda: made.request("a", receiver="x")).why == "requests"
    holds += [made.request("b", receiver="x"), made.request("c", receiver="x")]
    refused(lambda: made.request("d", receiver="x"))
    holds[0].release()
    made.request("d", receiver="x")


def test_a_hold_grows_while_there_is_room_and_shrinks() -> None:
    made, _, _ = gate()
    hold = made.request("a", 10, receiver="x")
    hold.grow(30)
    assert refused(lambda: hold.grow(11)).why == "bytes"  # 51 of 100
    assert (hold.size, made.bytes) == (40, 40)
    hold.become(50)
    hold.become(5)
    assert (hold.size, made.bytes) == (5, 5)
    with pytest.raises(RuntimeError), hold:
        raise RuntimeError
    assert made.bytes == 0


def test_what_takes_more_than_half_of_the_room_is_let_in_when_it_is_alone() -> None:
    made, _, _ = gate()
    with made.request("a", 30, receiver="r") as hold:
        hold.become(1_000)
        assert made.bytes == 50
        with made.request("b", 30, receiver="r") as other, pytest.raises(Overloaded):
            other.become(1_000)
    assert made.bytes == 0


def test_a_client_that_asks_too_often_waits_as_long_as_it_is_told() -> None:
    made, clock, _ = gate(client_requests_per_s=2)
    for _ in range(4):  # two seconds' worth at once
        made.request("a", receiver="x").release()
    told = refused(lambda: made.request("a", receiver="x"))
    assert (told.why, told.retry_after_s) == ("rate", 0.5)
    made.request("b", receiver="x").release()
    clock.advance(0.5)
    made.request("a", receiver="x").release()
    refused(lambda: made.request("a", receiver="x"))


def test_bytes_of_a_large_request_are_paid_for_before_the_next() -> None:
    made, clock, _ = gate(client_bytes_per_s=10, bytes_at_once=1_000)
    made.request("a", 50, receiver="x").release()  # 20 are there: 30 on credit
    told = refused(lambda: made.chunk("a", 1, receiver="x"))
    assert told.retry_after_s == pytest.approx(3.1)
    clock.advance(3.1)
    hold = made.chunk("a", 1, receiver="x")
    hold.become(400)  # what is unpacked was not sent
    hold.release()
    clock.advance(0.1)
    made.chunk("a", 1, receiver="x")


def test_connections_are_counted_per_client_and_together() -> None:
    made, _, _ = gate()
    with made.connection("a", receiver="x"), made.connection("a", receiver="x"):
        with pytest.raises(Overloaded, match="connections"), made.connection("a", receiver="x"):
            pass
        with made.connection("b", receiver="x"), pytest.raises(Overloaded), made.connection("c", receiver="x"):
            pass
    with made.connection("c", receiver="x"):
        pass


def test_idle_clients_are_forgotten_and_busy_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.limits.GATE_CLIENTS", 10)
    made, _, _ = gate(client_requests_per_s=1)
    held = made.request("busy", 7, receiver="x")
    for number in range(1_000):
        made.request(f"client {number}", receiver="x").release()
    assert len(made._clients) <= 12
    refused(lambda: made.request("busy", 90, receiver="x"))
    held.release()
    assert made.bytes == 0


def test_whoever_waits_goes_on_when_another_thread_makes_room() -> None:
    made = Gate(Few(), clock=SystemClock(), accounts=Accounts())
    first = made.chunk("a", 50, receiver="x")
    waiting = threading.Event()

    async def second() -> None:
        task = asyncio.create_task(made.wait("a", 50, receiver="x"))
        while not made._waiters:  # noqa: ASYNC110  nothing tells that somebody waits
            await asyncio.sleep(0)
        waiting.set()
        (await task).release()

    thread = threading.Thread(target=lambda: asyncio.run(asyncio.wait_for(second(), 60)))
    thread.start()
    assert waiting.wait(60)
    first.release()
    thread.join(60)
    assert not thread.is_alive()
    assert made.bytes == 0
    assert made._waiters == []
