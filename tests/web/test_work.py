import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tailrace import limits
from tailrace.errors import QueryTimeoutError
from tailrace.query.result import Stats
from tailrace.query.run import Request
from tailrace.web import work
from tailrace.web.refusals import Refused
from web.conftest import NOW_NS, House, S, wait_until

P = "/loki/api/v1"
LINES = {"query": '{app="a"}', "limit": 10}
SUM = {"query": 'sum(count_over_time({app="a"}[1m]))'}


class Slow:
    """Takes the place of the query: each waits until it is let go, or is told that nobody wants it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.real, self.go = work.run, threading.Event()
        self.running: list[str] = []
        self.cancelled: list[str] = []
        monkeypatch.setattr(work, "run", self)

    def __call__(self, asked, table, engine, *more, **named):
        self.running.append(asked.query)
        while not self.go.wait(0.01):
            if asked.cancelled():
                self.cancelled.append(asked.query)
                raise QueryTimeoutError("cancelled")
        return self.real(asked, table, engine, *more, **named)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    return Slow(monkeypatch)


def test_two_hundred_queries_at_once_are_all_answered(house: House) -> None:
    house.store(*[(-at * S, f"line {at}") for at in range(50)], app="a")

    def ask(number: int) -> tuple[int, object]:
        with httpx.Client(base_url=house.client.base_url, timeout=60, trust_env=False) as client:
            answer = client.get(f"{P}/query_range", params=LINES if number % 2 else SUM | {"step": "60"})
            return answer.status_code, answer.json()["data"]["result"]

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(ask, range(200)))
    assert {status for status, _ in answers} == {200}
    assert len({str(result) for _, result in answers}) == 2


class Waiting:
    """A request whose client waits until it goes."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    async def receive(self) -> dict[str, str]:
        await self.gone.wait()
        return {"type": "http.disconnect"}


def test_queries_that_are_not_told_end_too_when_the_client_goes() -> None:
    from tailrace.query.reads import nobody

    async def play() -> None:
        rooms, client, seen, running = work.Work(at_once=1), Waiting(), threading.Event(), threading.Event()

        def ask() -> None:
            assert not nobody()
            running.set()
            wait_until(nobody)
            seen.set()

        asking = asyncio.ensure_future(rooms.run(client, ask))
        await asyncio.to_thread(running.wait, 20)
        client.gone.set()
        with pytest.raises(Refused):
            await asking
        assert await asyncio.to_thread(seen.wait, 20)
        assert await rooms.run(Waiting(), nobody) is False  # the thread's next question is somebody else's
        rooms.close()

    asyncio.run(play())


def test_a_full_house_is_429_and_quick_ones_have_a_lane_of_their_own() -> None:
    async def play() -> None:
        rooms, go, running = work.Work(at_once=2, waiting=1), threading.Event(), []

        def ask(name: str) -> str:
            running.append(name)
            assert go.wait(20)
            return name

        def start(name: str, lane: work.Lane = "long") -> asyncio.Task[str]:
            return asyncio.ensure_future(rooms.run(Waiting(), lambda: ask(name), lane=lane))

        long = [start("a"), start("b"), start("c")]
        while len(running) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        others = [start("q", "quick"), start("s", "search")]  # though c waits
        while len(running) < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        with pytest.raises(Refused, match="too many queries") as refused:
            await start("one too many")
        assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "1"})
        assert (rooms.standing, rooms.refused) == ((4, 1), 1)
        go.set()
        assert await asyncio.gather(*long, *others) == ["a", "b", "c", "q", "s"]
        assert await start("there is room again") == "there is room again"
        rooms.close()

    asyncio.run(play())


def test_what_waits_is_not_started_for_a_client_that_has_gone() -> None:
    async def play() -> None:
        rooms, go, started = work.Work(at_once=1, waiting=5), threading.Event(), []
        first = asyncio.ensure_future(rooms.run(Waiting(), lambda: go.wait(20)))
        client = Waiting()
        second = asyncio.ensure_future(rooms.run(client, lambda: started.append("second")))
        await asyncio.sleep(0.01)
        client.gone.set()
        with pytest.raises(Refused) as refused:
            await second
        assert refused.value.status == 499
        with pytest.raises(TimeoutError, match="given up"):
            await rooms.run(Waiting(), lambda: started.append("third"), 0.05)
        go.set()
        await first
        assert await rooms.run(Waiting(), lambda: "later") == "later"
        assert started == []
        rooms.close()

    asyncio.run(play())


def test_a_query_whose_time_is_over_ends_with_its_own_words() -> None:
    async def play() -> None:
        rooms, go = work.Work(at_once=1, waiting=5), threading.Event()

        def ask() -> str:
            assert go.wait(20)
            return "what was found by then"

        running = asyncio.ensure_future(rooms.run(Waiting(), ask, 0.05))
        await asyncio.sleep(0.01)
        with pytest.raises(TimeoutError, match="others were before it"):
            await rooms.run(Waiting(), lambda: "in time?", 0.05)
        go.set()
        assert await running == "what was found by then"
        rooms.close()

    asyncio.run(play())


def test_one_that_does_not_look_at_the_clock_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        rooms, go = work.Work(at_once=1, waiting=5), threading.Event()
        with pytest.raises(TimeoutError, match="shorter range"):
            await rooms.run(Waiting(), lambda: go.wait(20), 0.05)
        go.set()
        rooms.close()

    monkeypatch.setattr(work, "GRACE_S", 0.05)
    asyncio.run(play())


def test_the_time_in_the_queue_counts() -> None:
    asked = Request("{}", 0, 1, timeout_s=60)
    assert [work.begun(asked, waited, lambda: True).timeout_s for waited in (0, 15, 70)] == [60, 45, work.LEAST_S]


def test_a_query_whose_client_is_gone_is_told_to_end(house: House, slow: Slow) -> None:
    with pytest.raises(httpx.ReadTimeout):
        house.client.get(f"{P}/query_range", params=SUM, timeout=0.3)
    wait_until(lambda: slow.cancelled)


def test_a_running_query_ends_when_it_is_cancelled(house: House) -> None:
    from tailrace.query.reads import Reading
    from tailrace.query.run import Request, run

    house.store((-S, "x"), app="a")
    asked = Request('{app="a"}', NOW_NS - 60 * S, NOW_NS, cancelled=lambda: True)
    with pytest.raises(QueryTimeoutError, match="cancelled"):
        run(asked, house.services.table, house.services.engine)
    Reading(house.services.engine, Stats(), 60).check()


def test_the_time_in_the_queue_is_told(house: House, slow: Slow) -> None:
    house.store((-S, "x"), app="a")
    with ThreadPoolExecutor(8) as pool:
        asks = [pool.submit(house.client.get, f"{P}/query_range", params=SUM) for _ in range(5)]
        wait_until(lambda: len(slow.running) == limits.QUERIES_AT_ONCE)
        began = time.perf_counter()
        while time.perf_counter() - began < 0.05:
            time.sleep(0.01)
        slow.go.set()
        waits = [one.result().json()["data"]["stats"]["summary"]["queueTime"] for one in asks]
    assert max(waits) > 0.05
