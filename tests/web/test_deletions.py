import json
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from tailrace import limits
from tailrace.clock import ManualClock
from tailrace.control import Control
from tailrace.errors import QueryError, TableError, TransientError
from tailrace.server import _delete
from tailrace.web.deletions import Deletion, DeletionQueue, condition, deletable
from web.conftest import NOW_NS, House, S

APP = '{app="a"}'


@dataclass
class Recorder:
    """Notes what is to be deleted; fails as often as told."""

    fail: int = 0
    calls: list[tuple[list[str], int, int]] = field(default_factory=list)

    def __call__(self, *, streams, start_ns, end_ns, also) -> int:
        if self.fail:
            self.fail -= 1
            raise TransientError("the disk is full")
        self.calls.append((list(streams), start_ns, end_ns))
        return 1


@pytest.fixture
def control(tmp_path: Path):
    opened = Control.open(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def queue(house: House, control: Control) -> DeletionQueue:
    house.store((-9 * S, "keep"), (-8 * S, "a secret"), app="a")
    house.store((-7 * S, "a secret"), app="b")
    return DeletionQueue(control, house.table, partial(_delete, house.table), house.clock)


def waited(clock: ManualClock) -> None:
    clock.advance(limits.DELETE_WAIT_S)


def lines(house: House) -> list[str]:
    answer = house.client.get("/loki/api/v1/query_range", params={"query": '{app=~".+"}', "start": NOW_NS - 60 * S})
    return sorted(line for stream in answer.json()["data"]["result"] for _, line in stream["values"])


def test_a_request_waits_then_is_carried_out(house: House, queue: DeletionQueue) -> None:
    queue.add('{app="a"} |= "secret"', NOW_NS - 60 * S, NOW_NS, None)
    queue.work()
    assert [one.status for one in queue.all()] == ["received"]
    assert len(lines(house)) == 3
    waited(house.clock)
    queue.work()
    [one] = queue.all()
    assert (one.status, one.rows) == ("processed", 1)
    assert lines(house) == ["a secret", "keep"]
    house.clock.advance(limits.DELETE_KEPT_S + 1)
    queue.work()
    assert queue.all() == []


def test_the_range_and_the_stream_bound_what_goes(house: House, queue: DeletionQueue) -> None:
    queue.add(APP, NOW_NS - 9 * S, NOW_NS - 8 * S, None)
    waited(house.clock)
    queue.work()
    assert lines(house) == ["a secret", "a secret"]


def test_it_is_done_in_pieces_and_goes_on_after_a_restart(house: House, queue: DeletionQueue, control: Control) -> None:
    record = Recorder()
    queue = DeletionQueue(control, house.table, record, house.clock)
    queue.add(APP, NOW_NS - 10 * S, NOW_NS, 4 * S)
    waited(house.clock)
    queue.work()
    assert [(start - NOW_NS, end - NOW_NS) for _, start, end in record.calls] == [(-10 * S, -6 * S)]
    assert queue.all()[0].rows == 1  # in the later pieces there is no such stream
    (one,) = queue.all()
    assert queue._update(one, replace(one, status="processing", done_ns=NOW_NS - 9 * S, finished_ns=None))
    again = Recorder()
    DeletionQueue(control, house.table, again, house.clock).work()
    assert [(start - NOW_NS, end - NOW_NS) for _, start, end in again.calls] == [(-9 * S, -5 * S)]


def test_one_of_several_servers_carries_out_what_any_was_asked(
    house: House, queue: DeletionQueue, control: Control
) -> None:
    records, mine = [Recorder(), Recorder()], [False, True]
    servers = [
        DeletionQueue(control, house.table, records[place], house.clock, lambda place=place: mine[place])
        for place in (0, 1)
    ]
    servers[0].add(APP, NOW_NS - 60 * S, NOW_NS, None)
    waited(house.clock)
    for server in servers:
        server.work()
    assert [len(record.calls) for record in records] == [0, 1]
    assert [one.status for one in servers[0].all()] == ["processed"]


def test_a_failure_is_tried_again_and_holds_nothing_up(house: House, queue: DeletionQueue, control: Control) -> None:
    record = Recorder(fail=1)
    queue = DeletionQueue(control, house.table, record, house.clock)
    queue.add(APP, NOW_NS - 60 * S, NOW_NS, None)
    queue.add('{app="b"}', NOW_NS - 60 * S, NOW_NS, None)
    waited(house.clock)
    queue.work()
    assert [one.status for one in queue.all()] == ["processing", "processed"]
    queue.work()
    assert [one.status for one in queue.all()] == ["processed", "processed"]
    assert ["app=" in streams[0] for streams, _, _ in record.calls] == [True, True]


def test_what_waits_can_be_cancelled_and_what_is_done_cannot(house: House, queue: DeletionQueue) -> None:
    queue.add(APP, NOW_NS - 60 * S, NOW_NS, None)
    queue.cancel(queue.all()[0].request, force=False)
    assert queue.all() == []
    with pytest.raises(QueryError, match="no deletion"):
        queue.cancel("none", force=True)
    queue.add(APP, NOW_NS - 60 * S, NOW_NS, None)
    waited(house.clock)
    queue.work()
    with pytest.raises(QueryError, match="done"):
        queue.cancel(queue.all()[0].request, force=True)


def test_what_has_begun_is_cancelled_by_force(house: House, queue: DeletionQueue, control: Control) -> None:
    queue = DeletionQueue(control, house.table, Recorder(fail=9), house.clock)
    queue.add(APP, NOW_NS - 60 * S, NOW_NS, None)
    waited(house.clock)
    queue.work()
    with pytest.raises(QueryError, match="has begun"):
        queue.cancel(queue.all()[0].request, force=False)
    queue.cancel(queue.all()[0].request, force=True)
    assert queue.all() == []


def test_requests_of_an_older_version_are_taken_over_once(queue: DeletionQueue, tmp_path: Path) -> None:
    old = Deletion("abc", APP, 0, 1, 1, NOW_NS)
    file = tmp_path / "deletions.json"
    file.write_text(json.dumps([asdict(old)]))
    queue.adopt(tmp_path)
    queue.adopt(tmp_path)
    assert queue.all() == [old]
    assert not file.exists()
    file.write_text("[{]")
    with pytest.raises(TableError, match=r"deletions\.json"):
        queue.adopt(tmp_path)


def test_too_many_are_refused(house: House, queue: DeletionQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DELETES", 1)
    queue.add(APP, 0, 1, None)
    with pytest.raises(QueryError, match="waiting"):
        queue.add(APP, 0, 1, None)


@pytest.mark.parametrize("query", ["{", "vector(1)", '{app="a"} | json', '{app="a"} | level="x"'])
def test_only_streams_and_line_filters_can_be_deleted_by(query: str) -> None:
    with pytest.raises(QueryError):
        deletable(query)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ('{a="b"}', None),
        ('{a="b"} |= "x"', [True, False, False]),
        ('{a="b"} != "x"', [False, True, True]),
        ('{a="b"} |~ "[xy]$" != "y"', [True, False, False]),
        ('{a="b"} |> "<_>.<_>.<_>"', [False, False, True]),
        ('{a="b"} |= ip("10.0.0.0/8")', [False, False, True]),
    ],
)
def test_line_filters_are_conditions_on_rows(query: str, kept: list[bool] | None) -> None:
    found = condition(deletable(query))
    if kept is None:
        assert found is None
    else:
        assert pl.DataFrame({"_line": ["a x", "a y", "from 10.1.1.1"]}).select(found).to_series().to_list() == kept
