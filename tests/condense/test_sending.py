"""The outbox: when it sends, and what it makes of each item of an answer."""

from __future__ import annotations

import json

import pytest

from tailrace.clock import ManualClock
from tailrace.condense.sending import Action, Outbox
from tailrace.patience import Patience


class Bulk:
    """Answers as it is told, by id; deleted otherwise."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []
        self.answers: dict[str, list[dict]] = {}

    def __call__(self, lines: bytes) -> list[dict]:
        heads = [json.loads(line) for line in lines.splitlines() if not line.startswith(b'{"doc"')]
        ids = [next(iter(head.values()))["_id"] for head in heads]
        self.requests.append(ids)
        return [self.answers[one].pop(0) if self.answers.get(one) else {"status": 200} for one in ids]


def outbox(bulk: Bulk, clock: ManualClock, *, keys: int = 2, actions: int = 100, wait_s: float = 5) -> Outbox:
    return Outbox(bulk, clock, Patience(clock, 60), keys=keys, actions=actions, wait_s=wait_s)


def delete(path: str, number: int = 0, document=None) -> Action:
    return Action(("h", path), "i", f"{path}{number}", 7, 1, document)


def test_it_sends_when_one_path_more_waits_than_may() -> None:
    bulk = Bulk()
    box = outbox(bulk, ManualClock())
    box.put([delete("a", 1), delete("a", 2), delete("b", 1)])
    assert bulk.requests == []
    box.put([delete("c", 1), delete("d", 1)])
    assert bulk.requests == [["a1", "a2", "b1", "c1"]]
    box.flush()
    assert bulk.requests[1:] == [["d1"]]
    assert box.sent.deleted == 5


def test_a_request_has_no_more_actions_than_it_may() -> None:
    bulk = Bulk()
    box = outbox(bulk, ManualClock(), actions=3)
    box.put([delete("a", number) for number in range(7)])
    box.flush()
    assert [len(ids) for ids in bulk.requests] == [3, 3, 1]


def test_the_first_waits_no_longer_than_it_may_whatever_comes_after_it() -> None:
    bulk, clock = Bulk(), ManualClock()
    box = outbox(bulk, clock, keys=1000)
    for number in range(4):  # every two seconds one more: a timer that each of them restarts would never end
        box.put([delete("a", number)])
        clock.advance(2)
    assert bulk.requests == [["a0", "a1", "a2", "a3"]]
    box.tick()
    assert len(bulk.requests) == 1
    clock.advance(5)
    box.tick()
    assert sum(map(len, bulk.requests)) == 4


@pytest.mark.parametrize(
    ("answer", "counts"),
    [
        ({"status": 200}, {"deleted": 1}),
        ({"status": 404, "result": "not_found"}, {}),
        ({"status": 409, "error": {"reason": "[a0]: version conflict, but no document was found"}}, {}),
        ({"status": 409, "error": {"reason": "current document has seqNo [9]"}}, {"conflicts": 1, "left": 1}),
        ({"status": 403, "error": {"reason": "blocked by: [FORBIDDEN/8/index write (api)]"}}, {"failed": 1, "left": 1}),
        ({"status": 500, "error": "text"}, {"failed": 1, "left": 1}),
    ],
)
def test_every_item_of_an_answer_is_looked_at(answer, counts) -> None:
    bulk = Bulk()
    bulk.answers["a0"] = [answer]
    box = outbox(bulk, ManualClock())
    box.put([delete("a")])
    box.flush()
    sent = box.sent
    found = {"deleted": sent.deleted, "conflicts": sent.conflicts, "failed": sent.failed, "left": len(sent.left)}
    assert {name: value for name, value in found.items() if value} == counts


def test_a_document_to_move_that_is_gone_is_a_conflict() -> None:
    bulk = Bulk()
    bulk.answers["a0"] = [{"status": 404, "error": {"reason": "document missing"}}]
    box = outbox(bulk, ManualClock())
    box.put([delete("a", document={"x": 1})])
    box.flush()
    assert (box.sent.moved, box.sent.conflicts) == (0, 1)


def test_only_what_was_rejected_is_sent_again_and_not_for_ever() -> None:
    bulk, clock = Bulk(), ManualClock()
    bulk.answers["a1"] = [{"status": 429}, {"status": 503}]
    bulk.answers["a2"] = [{"status": 429}] * 1_000
    began = clock.monotonic_s()
    box = outbox(bulk, clock)
    box.put([delete("a", number) for number in range(3)])
    box.flush()
    assert bulk.requests[:3] == [["a0", "a1", "a2"], ["a1", "a2"], ["a1", "a2"]]
    assert (box.sent.deleted, box.sent.failed, box.sent.reasons) == (2, 1, {"rejected too often": 1})
    assert clock.monotonic_s() - began < 120


def test_the_guard_is_in_every_action() -> None:
    assert json.loads(delete("a").lines()) == {
        "delete": {"_index": "i", "_id": "a0", "if_seq_no": 7, "if_primary_term": 1}
    }
    head, body = delete("a", document={"file": {"path": "/n"}}).lines().splitlines()
    assert json.loads(head)["update"]["if_seq_no"] == 7
    assert json.loads(body) == {"doc": {"file": {"path": "/n"}}}
