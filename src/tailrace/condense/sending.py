"""Actions on documents, sent in batches: when enough wait, or the first has waited long enough, whatever came since.

Every item of an answer is looked at. A document that is gone already is done; one that changed since it was read
(409: its sequence number is another) is left alone and counted; a rejection that may pass is sent again, alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tailrace.condense.client import passing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.patience import Patience

_GONE: Final = 404
_CONFLICT: Final = 409
_ABSENT: Final = "no document was found"  # how a guarded delete says it
_BODY_BYTES: Final = 8 * 1024 * 1024  # of one bulk request: far below the 100 MB that a cluster takes


@dataclass(frozen=True, slots=True)
class Action:
    """What is to be done with one document, if nobody changed it since it was read."""

    key: tuple[str, str]  # host and path
    index: str
    id: str
    seq: int | None
    term: int | None
    document: Mapping[str, Any] | None = None  # members to change; None deletes  (Any: JSON)

    def lines(self) -> bytes:
        """Return the lines of a bulk request."""
        about: dict[str, object] = {"_index": self.index, "_id": self.id}
        if self.seq is not None:
            about |= {"if_seq_no": self.seq, "if_primary_term": self.term}
        if self.document is None:
            return json.dumps({"delete": about}).encode() + b"\n"
        return json.dumps({"update": about}).encode() + b"\n" + json.dumps({"doc": self.document}).encode() + b"\n"


@dataclass(slots=True)
class Sent:
    """What became of actions."""

    deleted: int = 0
    moved: int = 0
    conflicts: int = 0
    failed: int = 0
    left: set[tuple[str, str]] = field(default_factory=set)  # paths with an action that was not done
    reasons: dict[str, int] = field(default_factory=dict)  # of failures


class Outbox:
    """Actions that wait, and the account of those that were sent; one thread uses it."""

    def __init__(
        self,
        bulk: Callable[[bytes], list[dict[str, Any]]],  # Any: JSON as the cluster sends it
        clock: Clock,
        patience: Patience,
        *,
        keys: int,
        actions: int,
        wait_s: float,
    ) -> None:
        self._bulk = bulk
        self._clock = clock
        self._patience = patience
        self._most = (keys, actions)
        self._wait_s = wait_s
        self._waiting: list[Action] = []
        self._keys: set[tuple[str, str]] = set()
        self._since_s: float | None = None  # when the first of those that wait came
        self.sent = Sent()

    def put(self, actions: Iterable[Action]) -> None:
        """Take actions; they are sent when more than enough paths wait."""
        for action in actions:
            if self._since_s is None:
                self._since_s = self._clock.monotonic_s()
            self._waiting.append(action)
            self._keys.add(action.key)
            if len(self._keys) > self._most[0] or len(self._waiting) >= self._most[1]:
                self.flush()
        self.tick()

    def tick(self) -> None:
        """Send what waits if the first of it has waited long enough."""
        if self._since_s is not None and self._clock.monotonic_s() - self._since_s >= self._wait_s:
            self.flush()

    def flush(self) -> None:
        """Send all that waits."""
        waiting, self._waiting, self._since_s = self._waiting, [], None
        self._keys.clear()
        for start in range(0, len(waiting), self._most[1]):
            self._send(waiting[start : start + self._most[1]])

    def _send(self, actions: Sequence[Action]) -> None:
        """Send actions until each is done or will not be."""
        pauses = self._patience.pauses()
        while actions:
            rejected: list[Action] = []
            for part in _parts(actions):
                items = self._bulk(b"".join(action.lines() for action in part))
                for action, item in zip(part, items, strict=True):
                    if passing(item["status"]):
                        rejected.append(action)
                    else:
                        self._count(action, item)
            if not rejected:
                return
            pause_s = next(pauses, None)
            if pause_s is None:
                for action in rejected:
                    self._fail(action, "rejected too often")
                return
            self._patience.wait(pause_s)
            actions = rejected

    def _count(self, action: Action, item: Mapping[str, Any]) -> None:  # Any: JSON
        status = item["status"]
        if status < 300:  # noqa: PLR2004  success
            self.sent.deleted += action.document is None
            self.sent.moved += action.document is not None
        elif action.document is None and (status == _GONE or _ABSENT in _reason(item)):
            pass  # somebody else deleted it, or we did and the answer got lost
        elif status in (_GONE, _CONFLICT):
            self.sent.conflicts += 1
            self.sent.left.add(action.key)
        else:
            self._fail(action, _reason(item))

    def _fail(self, action: Action, why: str) -> None:
        self.sent.failed += 1
        self.sent.left.add(action.key)
        self.sent.reasons[why] = self.sent.reasons.get(why, 0) + 1


def _reason(item: Mapping[str, Any]) -> str:  # Any: JSON
    error = item.get("error")
    return str(error.get("reason") if isinstance(error, dict) else error)[:200]


def _parts(actions: Sequence[Action]) -> Iterable[Sequence[Action]]:
    """Split actions so that each part makes a request of bounded size."""
    part: list[Action] = []
    size = 0
    for action in actions:
        part.append(action)
        size += len(action.id) + len(action.index) + 200 + (2_000 if action.document else 0)
        if size > _BODY_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part
