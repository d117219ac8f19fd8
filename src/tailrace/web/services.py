"""What the web parts are given: the table, the engine, the way in, and the counters. Made by `up` and by tests.

`Rules` and `Deletions` are seams: what is not there is an object that has nothing, so that every path answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from tailrace.errors import QueryError
from tailrace.intake.settings import ELASTICSEARCH_VERSION
from tailrace.query.named import SAMPLES, Recorded
from tailrace.web.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.alerts.kept.evaluation_log import Wanted
    from tailrace.clock import Clock
    from tailrace.contracts import Engine, Followed, Sink, Table
    from tailrace.control.lease import Held
    from tailrace.intake.gate import Gate
    from tailrace.query.kept import Kept
    from tailrace.query.syntax import Selector
    from tailrace.telemetry import Accounts
    from tailrace.web.deletions import Deletion

    Json = Mapping[str, Any]  # a JSON object: nested, of several kinds


class Rules(Protocol):
    """The rules that are evaluated here. Any thread may call; states are read while they change, each call one cut."""

    def groups(self) -> Sequence[Json]:
        """Return all groups with their states as Prometheus writes them; `file` is the namespace."""
        ...

    def problems(self) -> Sequence[str]:
        """Return what is wrong with rule files and groups, a line each."""
        ...

    def evaluations(self, wanted: Wanted) -> Sequence[Json]:
        """Return entries of the log of evaluations, newest written first."""
        ...

    def namespaces(self) -> Mapping[str, Mapping[str, Json]]:
        """Return namespace to name to definition, as it was saved."""
        ...

    def save(self, namespace: str, group: Json) -> None:
        """Keep a group durably, in place of one of the same name; its shape and its queries are checked."""
        ...

    def delete(self, namespace: str, group: str | None) -> bool:
        """Remove a group, or all of a namespace; false if there is none."""
        ...


class NoRules:
    """The rules of a server that evaluates none."""

    def groups(self) -> Sequence[Json]:
        """Return nothing."""
        return ()

    def problems(self) -> Sequence[str]:
        """Return nothing."""
        return ()

    def evaluations(self, wanted: Wanted) -> Sequence[Json]:  # noqa: ARG002  there are none
        """Return nothing."""
        return ()

    def namespaces(self) -> Mapping[str, Mapping[str, Json]]:
        """Return nothing."""
        return {}

    def save(self, namespace: str, group: Json) -> None:
        """Refuse."""
        raise Refused(501, f"no rules are evaluated here, so {group['name']!r} of {namespace!r} is not taken")

    def delete(self, namespace: str, group: str | None) -> bool:  # noqa: ARG002  there is none, whatever its name
        """Find nothing."""
        return False


class Recordings(Recorded, Protocol):
    """The series that rules recorded here. Any thread may call."""

    def series(self, start_ns: int, end_ns: int, matches: Sequence[Selector] = ()) -> Sequence[Mapping[str, str]]:
        """Return the label sets, `__name__` among them, that have samples in a range of time, of those matched."""
        ...


class NoRecordings:
    """The series of a server that records none."""

    def samples(self, name: str, start_ns: int, end_ns: int) -> pl.DataFrame:  # noqa: ARG002  there are none
        """Return nothing."""
        return pl.DataFrame(schema=SAMPLES)

    def series(self, start_ns: int, end_ns: int, matches: Sequence[Selector] = ()) -> Sequence[Mapping[str, str]]:  # noqa: ARG002
        """Return nothing."""
        return ()


class Deletions(Protocol):
    """Requests to delete lines, kept until they are done, and known for a while after that. Any thread may call."""

    def add(self, query: str, start_ns: int, end_ns: int, max_interval_ns: int | None) -> None:
        """Take a request durably; it is carried out in the background. `QueryError` if the query cannot be deleted."""
        ...

    def all(self) -> Sequence[Deletion]:
        """Return the requests, oldest first."""
        ...

    def cancel(self, request: str, *, force: bool) -> None:
        """Forget a request that has not begun, or, with `force`, the rest of one; `QueryError` if it is too late."""
        ...


class NoDeletions:
    """The deletions of a server that may not delete."""

    def add(self, query: str, start_ns: int, end_ns: int, max_interval_ns: int | None) -> None:  # noqa: ARG002
        """Refuse."""
        raise Refused(501, "nothing can be deleted through this server")

    def all(self) -> Sequence[Deletion]:
        """Return nothing."""
        return ()

    def cancel(self, request: str, *, force: bool) -> None:  # noqa: ARG002
        """Find nothing."""
        raise QueryError(f"there is no deletion {request[:40]!r}")


def _always() -> bool:
    return True


def _empty() -> Json:
    return {}


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that requests need; nothing in `web` reaches for a global."""

    table: Table
    engine: Engine
    sink: Sink
    accounts: Accounts
    clock: Clock
    host: str
    followed: Callable[[], Sequence[Followed]]
    started_ns: int
    ready: Callable[[], bool] = _always  # false while the process is still starting or is draining
    config: Callable[[], Json] = _empty  # the effective configuration, secrets and all: they are masked when shown
    rules: Rules = field(default_factory=NoRules)
    deletions: Deletions = field(default_factory=NoDeletions)
    kept: Kept | None = None  # what metric queries may be answered from, in the place of lines
    recordings: Recordings = field(default_factory=NoRecordings)
    leases: Callable[[], Sequence[Held]] = tuple  # which server does which job, where several share the work
    gate: Gate | None = None  # before everything that brings lines; None: one of its own
    elasticsearch_version: str = ELASTICSEARCH_VERSION  # which its clients are told
