"""The sender against servers that lose, refuse, delay and die: every batch is kept once, in order."""

from __future__ import annotations

import logging
import random
import threading
from collections import deque
from concurrent.futures import wait
from contextlib import ExitStack
from pathlib import Path

import pytest

from sinks.ship.fake_server import CUT, LOST, FakeServer, Rows, Said, serving
from store.rows import batch
from tailrace.batch import Batch, Position, life
from tailrace.clock import SystemClock
from tailrace.errors import ConfigError, TransientError
from tailrace.patience import Patience
from tailrace.sinks.around import Around
from tailrace.sinks.dead_letters import DeadLetters
from tailrace.sinks.ship.settings import ShipSettings
from tailrace.sinks.ship.sink import ShipSink
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.telemetry import Accounts

WAIT_S = 60.0


class World:
    """Servers over one table, and what makes senders to them."""

    def __init__(self, data: Path, stack: ExitStack) -> None:
        self.data, self.stack = data, stack
        self.rows = Rows()
        self.patience = Patience(SystemClock())
        self.accounts = Accounts()
        self.servers: list[FakeServer] = []

    def server(self, *script: Said | None) -> FakeServer:
        self.servers.append(self.stack.enter_context(serving(FakeServer(self.rows, deque(script)))))
        return self.servers[-1]

    def sink(self, **settings: object) -> ShipSink:
        clock = SystemClock()
        around = Around("ship", self.data, "web", "box", clock, self.accounts, self.patience)
        chosen = ShipSettings(servers=[one.address for one in self.servers], **settings)
        sink = ShipSink(chosen, around)
        self.stack.callback(sink.close)
        self.stack.callback(self.patience.hurry)
        return sink

    def count(self, result: str) -> float:
        families = [one for one in self.accounts.families() if one.name == "tailrace_ship_requests_total"]
        return sum(point.value for one in families for point in one.points if point.labels["result"] == result)


@pytest.fixture
def world(tmp_path: Path):
    with ExitStack() as stack:
        yield World(tmp_path, stack)


def numbered(number: int, *lines: str, agent: str = "web") -> Batch:
    made = batch(list(lines or (f"{number}",)))
    return Batch(made.frame, "files", made.lines, made.bytes, Position(agent, number))


def test_batches_arrive_once_and_in_order_whatever_happens_on_the_way(world: World) -> None:
    chance = random.Random(5)
    harm = [Said(LOST), Said(CUT), Said(503), Said(500), Said(429), Said(429, {"Retry-After": "0"}), None]
    servers = [world.server(Said(503), *chance.choices(harm, k=5)) for _ in range(2)]
    sink = world.sink(under_way=4)
    done: list[int] = []
    futures = []
    for number in range(30):
        futures.append(sink.submit(numbered(number)))
        futures[-1].add_done_callback(lambda _, number=number: done.append(number))
    assert not wait(futures, WAIT_S).not_done
    assert [future.exception() for future in futures] == [None] * 30
    assert world.rows.lines == [str(number) for number in range(30)]
    assert done == list(range(30))
    assert all(server.asked for server in servers)


def test_one_server_is_used_until_it_fails(world: World) -> None:
    first, second = world.server(), world.server()
    sink = world.sink(under_way=1)
    sink.submit(numbered(0)).result(WAIT_S)
    assert not second.asked
    first.script.extend([Said(CUT), Said(CUT)])  # the first may be the end of a kept connection
    sink.submit(numbered(1)).result(WAIT_S)
    seen = len(first.asked)
    sink.submit(numbered(2)).result(WAIT_S)
    assert len(first.asked) == seen  # it goes on with the second one
    assert world.rows.lines == ["0", "1", "2"]


def test_a_server_that_asks_for_time_gets_it(world: World) -> None:
    server = world.server(Said(429, {"Retry-After": "1"}))
    clock = SystemClock()
    times: list[float] = []
    server.before = lambda _: times.append(clock.monotonic_s())
    world.sink().submit(numbered(0)).result(WAIT_S)
    assert times[1] - times[0] >= 1.0
    assert world.count("busy") == 1


def test_what_no_server_takes_is_set_aside_and_the_rest_goes_on(world: World) -> None:
    world.server(Said(400, error="the lines are from the future"))
    sink = world.sink(under_way=1)
    futures = [sink.submit(numbered(0, "bad", "worse")), sink.submit(numbered(1, "good"))]
    assert not wait(futures, WAIT_S).not_done
    assert world.rows.lines == ["good"]
    assert world.rows.held == {"web": 1}
    [letter] = DeadLetters(world.data / "dead-letters" / "ship", 1 << 20, SystemClock()).letters()
    assert letter.position == Position("web", 0)
    assert letter.frame()["_line"].to_list() == ["bad", "worse"]
    [(reason, count)] = letter.reasons.items()
    assert count == 2
    assert "400 the lines are from the future" in reason


def test_a_later_life_of_the_same_agent_ends_the_sender(world: World) -> None:
    world.server()
    sink = world.sink()
    sink.submit(numbered(0)).result(WAIT_S)
    world.rows.held["web"] = 5 << 32  # another process with a copy of the folder began
    with pytest.raises(ConfigError, match="another program sends as agent web"):
        sink.submit(numbered(1)).result(WAIT_S)
    with pytest.raises(ConfigError, match="another program"):
        sink.submit(numbered(2)).result(WAIT_S)
    assert world.rows.lines == ["0"]


def test_nothing_of_an_earlier_life_can_follow_once_the_next_one_began(world: World, tmp_path: Path) -> None:
    world.server()
    sink = world.sink()
    checkpoint = Checkpoint.open(tmp_path / "agent", agent_name="web")
    agent = checkpoint.agent
    checkpoint.recover(sink.begin(agent, checkpoint))
    first = checkpoint.plan({"files": {"k": 1}}).number
    sink.submit(numbered(first, "stored", agent=agent)).result(WAIT_S)
    late = checkpoint.plan({"files": {"k": 2}}).number  # on its way when the agent is killed
    checkpoint.close()
    again = Checkpoint.open(tmp_path / "agent", agent_name="web")
    again.recover(sink.begin(agent, again))
    assert again.state == {"files": {"k": 1}}
    ghost = world.sink()
    with pytest.raises(ConfigError, match="another program"):
        ghost.submit(Batch(*_parts(numbered(late, "late")), Position(agent, late, first))).result(WAIT_S)
    assert world.rows.lines == ["stored"]
    assert life(world.rows.held[agent]) > life(late)
    again.close()


def _parts(given: Batch) -> tuple:
    return given.frame, given.source, given.lines, given.bytes


def test_a_batch_that_comes_before_the_fence_counts(world: World, tmp_path: Path) -> None:
    server = world.server()
    sink = world.sink()
    checkpoint = Checkpoint.open(tmp_path / "agent", agent_name="web")
    agent = checkpoint.agent
    fence = sink.begin(agent, checkpoint)
    checkpoint.recover(fence)
    number = checkpoint.plan({"files": {"k": 1}}).number
    checkpoint.close()
    again = Checkpoint.open(tmp_path / "agent", agent_name="web")

    def overtake(heading) -> None:  # the batch on its way is stored between the question and the fence
        server.before = lambda _: None
        late = numbered(number, "late", agent=agent)
        from tailrace.shipment import Heading, pack

        assert server.rows.take(Heading(agent, number, number - 1), pack(late.frame))[0] == 200

    server.before = overtake
    again.recover(sink.begin(agent, again))
    assert again.state == {"files": {"k": 1}}  # so it is not read again
    assert world.rows.lines == ["late"]
    again.close()


def test_a_full_window_holds_back_whoever_submits(world: World) -> None:
    server = world.server()
    gate = threading.Event()
    server.before = lambda _: gate.wait(WAIT_S)
    sink = world.sink(under_way=2)
    count = 0

    def submit() -> None:
        nonlocal count
        for number in range(8):
            sink.submit(numbered(number))
            count += 1

    thread = threading.Thread(target=submit)
    thread.start()
    thread.join(1.0)
    assert thread.is_alive()
    assert count <= 5  # two under way, one packed, one in the queue, one that waits
    gate.set()
    thread.join(WAIT_S)
    assert count == 8


def test_a_stop_ends_the_waiting_for_servers_that_are_away(world: World) -> None:
    server = world.server()
    server.address = "http://127.0.0.1:9"  # nobody listens there
    sink = world.sink()
    future = sink.submit(Batch(*_parts(numbered(0)), Position("web", 0, -1)))
    world.patience.hurry()
    with pytest.raises(TransientError, match=r"http://127\.0\.0\.1:9: "):
        future.result(WAIT_S)


def test_batches_without_a_number_get_one(world: World) -> None:
    world.server(Said(LOST), Said(CUT))
    sink = world.sink()
    for line in ("a", "b"):
        given = batch([line])
        sink.submit(Batch(given.frame, "push", 1, 1)).result(WAIT_S)
    assert world.rows.lines == ["a", "b"]
    [agent] = world.rows.held
    assert agent.startswith("web-pushed-")


def test_servers_are_told_how_much_waits(world: World) -> None:
    server = world.server()
    world.accounts.gauge("tailrace_lag_bytes", "", lambda: [({"source": "a"}, 700.0), ({"source": "b"}, 500.0)])
    given = numbered(0)
    sink = world.sink()
    sink.submit(Batch(given.frame, "files", 1, 200, given.position)).result(WAIT_S)
    assert [asked.get("Tailrace-Backlog") for asked in server.asked] == [None, "1000"]


def test_a_token_is_sent_and_never_shown(world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = world.server(Said(401), Said(403, error="no"))
    token = tmp_path / "token"
    token.write_text("tr_secret_of_ours\n")
    settings = {"token_file": token}
    with caplog.at_level(logging.DEBUG):
        world.sink(**settings).submit(numbered(0)).result(WAIT_S)
    assert [asked["Authorization"] for asked in server.asked] == ["Bearer tr_secret_of_ours"] * len(server.asked)
    assert "see to the token" in caplog.text
    assert "tr_secret" not in caplog.text
    assert "tr_secret" not in repr(ShipSettings(servers=["http://a"], token="tr_secret_of_ours"))
