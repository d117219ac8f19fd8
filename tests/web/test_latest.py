import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.datastructures import Headers

from tailrace import limits
from tailrace.errors import QueryTimeoutError
from tailrace.query.result import Lines
from tailrace.query.run import Request, run
from tailrace.web import loki_api
from tailrace.web.latest import Latest
from web.conftest import NOW_NS, House, S

QUERY = '{app="a"}'


class Asking:
    """Asks a `Latest` over a house, and counts how often an answer was made."""

    def __init__(self, house: House) -> None:
        self.house, self.latest, self.made = house, Latest(house.table), 0

    def __call__(self, start: float, end: float, limit: int = 3, query: str = QUERY) -> str:
        asked = Request(query, NOW_NS + round(start * S), NOW_NS + round(end * S), None, limit)

        def make() -> tuple[Lines, str]:
            self.made += 1
            lines = run(asked, self.house.table, self.house.services.engine)
            assert isinstance(lines, Lines)
            return lines, " ".join(lines.frame["_line"])

        return self.latest.body(asked, categorize=False, make=make)


@pytest.fixture
def ask(house: House) -> Asking:
    house.store(*[(-at * S, f"{at}") for at in range(10, 0, -1)], app="a")
    return Asking(house)


def test_a_range_that_moves_on_with_the_clock_is_answered_once(ask: Asking) -> None:
    assert [ask(-60 + at, 1 + at) for at in range(5)] == ["1 2 3"] * 5
    assert ask.made == 1


def test_a_new_commit_is_seen_at_once(ask: Asking, house: House) -> None:
    assert ask(-60, 1) == "1 2 3"
    house.store((0, "new"), app="a")
    assert ask(-60, 1) == "new 1 2"
    house.store((0, "other"), app="b")
    assert ask(-60, 1) == "new 1 2"
    assert ask.made == 3


@pytest.mark.parametrize(
    ("first", "second", "lines", "made"),
    [
        ((-60, 1), (-3, 1), "1 2 3", 1),  # still all inside
        ((-60, 1), (-2.5, 1), "1 2", 2),
        ((-60, 1), (-60, -0.5), "1 2 3", 1),
        ((-60, 1), (-60, -1), "2 3 4", 2),
        ((-60, -5), (-60, 1), "1 2 3", 2),  # there is more after its end
        ((-60, -5), (-60, -4.5), "5 6 7", 2),
        ((-2.5, 1), (-60, 1), "1 2 3", 2),  # it was not full
        ((-2.5, 1), (-2.2, 2), "1 2", 1),
        ((0, 1), (0.5, 2), "", 1),
        ((0, 1), (-1, 2), "1", 2),
    ],
)
def test_what_is_given_again_is_what_a_query_finds(ask: Asking, first, second, lines: str, made: int) -> None:
    ask(*first)
    assert ask(*second) == lines
    assert ask.made == made


def test_other_questions_have_answers_of_their_own(ask: Asking) -> None:
    assert [ask(-60, 1), ask(-60, 1, limit=2), ask(-60, 1, query='{app="a"} != "1"')] == ["1 2 3", "1 2", "2 3 4"]


def test_memory_is_bounded(ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LATEST", 2)
    for limit in (1, 2, 3, 1):
        ask(-60, 1, limit=limit)
    assert ask.made == 4
    monkeypatch.setattr(limits, "LATEST_BYTES", 2)
    assert ask(-60, 1, limit=5) == ask(-60, 1, limit=5)
    assert ask.made == 6


def test_many_at_once_make_one(ask: Asking) -> None:
    barrier = threading.Barrier(8)

    def one(_: int) -> str:
        barrier.wait(10)
        return ask(-60, 1)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(one, range(8))) == {"1 2 3"}
    assert ask.made == 1


def test_who_waits_for_another_can_be_cancelled(ask: Asking) -> None:
    asked = Request(QUERY, 0, NOW_NS, None, 3, cancelled=lambda: True)
    making, done = threading.Event(), threading.Event()

    def make() -> tuple[Lines, str]:
        making.set()
        assert done.wait(20)
        raise OSError("gone")

    def first() -> None:
        with pytest.raises(OSError, match="gone"):
            ask.latest.body(asked, categorize=False, make=make)

    thread = threading.Thread(target=first)
    thread.start()
    assert making.wait(10)
    with pytest.raises(QueryTimeoutError):
        ask.latest.body(asked, categorize=False, make=make)
    done.set()
    thread.join()


def test_a_failure_is_not_kept(house: House) -> None:
    latest, asked = Latest(house.table), Request(QUERY, 0, NOW_NS, None, 3)

    def fail() -> tuple[Lines, str]:
        raise OSError("gone")

    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            latest.body(asked, categorize=False, make=fail)


def test_a_range_that_ends_now_ends_when_its_turn_comes(house: House) -> None:
    latest = Latest(house.table)
    asked = Request(QUERY, NOW_NS - 60 * S, NOW_NS, None, 3)
    house.store((-1, "before"), app="a")
    house.store((5 * S, "while it waited"), app="a")
    house.clock.advance(10)

    def ask(*, moves: bool) -> str:
        response = loki_api._newest(
            house.services, latest, asked, Headers({}), time.perf_counter(), lambda: False, moves=moves
        )
        values = json.loads(bytes(response.body))["data"]["result"][0]["values"]
        return " ".join(line for _, line in values)

    assert ask(moves=True) == "while it waited before"
    assert ask(moves=False) == "before"
