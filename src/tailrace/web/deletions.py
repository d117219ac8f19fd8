"""Requests to delete lines: kept durably, carried out in the background, cancelled while they wait.

A request names streams, and may narrow them by line filters. It waits `limits.DELETE_WAIT_S`, so that a slip can be
taken back, and is then carried out piece by piece (`max_interval`); after each the state is durable, so a restart goes
on where it was. Requests are known for `limits.DELETE_KEPT_S` after they are done. A failure of the store is tried
again; a request that fails does not hold up the others. Requests lie in the control database: all servers on one know
them, and one of them carries them out.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, Protocol

import polars as pl
from sqlalchemy import Boolean, Column, Table, delete, func, select, update

from tailrace import limits
from tailrace.clock import NS_PER_S
from tailrace.control import METADATA, NUMBER, TEXT, insert
from tailrace.errors import QueryError, TableError, TailraceError
from tailrace.query import parser
from tailrace.query.needs import Needs
from tailrace.query.rows import Rows
from tailrace.query.stages.line_filter import LineFilter
from tailrace.query.streams import select as select_streams
from tailrace.query.syntax import LogQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from tailrace.clock import Clock
    from tailrace.contracts import Table as LogTable
    from tailrace.control import Control

Status = Literal["received", "processing", "processed"]

_LOGGER: Final = logging.getLogger(__name__)
_LOOK_S: Final = 1.0
_FILE: Final = "deletions.json"  # where requests lay before version 0.2

_REQUESTS: Final = Table(
    "deletions",
    METADATA,
    Column("id", NUMBER, primary_key=True),  # rises: the order in which they came
    Column("request", TEXT, nullable=False, unique=True),
    Column("waits", Boolean, nullable=False),  # it is not done
    Column("definition", TEXT, nullable=False),  # JSON of a `Deletion`
)


class Delete(Protocol):
    """What carries a piece out: deletes the rows of streams in a range of time that fulfil a condition."""

    def __call__(self, *, streams: Sequence[str], start_ns: int, end_ns: int, also: pl.Expr | None) -> int:
        """Return how many rows were deleted."""
        ...


@dataclass(frozen=True, slots=True)
class Deletion:
    """A request and how far it is."""

    request: str
    query: str
    start_ns: int
    end_ns: int  # lines with `start <= time < end`
    max_interval_ns: int
    created_ns: int
    status: Status = "received"
    done_ns: int | None = None  # lines before this time are deleted
    finished_ns: int | None = None
    rows: int = 0


class DeletionQueue:
    """The requests of one control database; implements `services.Deletions`. `mine` tells whether to carry them out."""

    def __init__(
        self,
        control: Control,
        table: LogTable,
        delete: Delete,
        clock: Clock,
        mine: Callable[[], bool] = lambda: True,
    ) -> None:
        self._control = control
        self._table = table
        self._delete = delete
        self._clock = clock
        self._mine = mine
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="deletions", daemon=True)

    def adopt(self, folder: Path) -> None:
        """Take over the requests that an older Tailrace left as a file in the data folder."""
        file = folder / _FILE
        found = _load(file)
        if found is None:
            return
        with self._control.transaction() as connection:
            for one in found:
                connection.execute(insert(_REQUESTS).values(_row(one)).on_conflict_do_nothing())
        file.unlink()

    # --- services.Deletions ---------------------------------------------------------------------

    def add(self, query: str, start_ns: int, end_ns: int, max_interval_ns: int | None) -> None:
        """Take a request durably."""
        deletable(query)
        waiting = select(func.count()).select_from(_REQUESTS).where(_REQUESTS.c.waits)
        with self._control.transaction() as connection:
            if connection.execute(waiting).scalar_one() >= limits.DELETES:
                raise QueryError(f"{limits.DELETES} deletions are waiting; cancel one, or wait")
            interval_ns = max_interval_ns or max(1, end_ns - start_ns)
            name = uuid.uuid4().hex[:8]
            one = Deletion(name, query, start_ns, end_ns, interval_ns, self._clock.now_ns())
            connection.execute(insert(_REQUESTS).values(_row(one)))

    def all(self) -> Sequence[Deletion]:
        """Return the requests, oldest first."""
        wanted = select(_REQUESTS.c.definition).order_by(_REQUESTS.c.id)
        with self._control.reading() as connection:
            return [Deletion(**json.loads(text)) for text in connection.execute(wanted).scalars()]

    def cancel(self, request: str, *, force: bool) -> None:
        """Forget a request that has not begun, or what is left of one."""
        with self._control.transaction() as connection:
            one = _found(connection, request)
            if one is None:
                raise QueryError(f"there is no deletion {request[:40]!r}")
            if one.status == "processed":
                raise QueryError(f"deletion {request} is done and cannot be cancelled")
            if one.status == "processing" and not force:
                raise QueryError(f"deletion {request} has begun", hint="force=true leaves out what is not deleted yet")
            connection.execute(delete(_REQUESTS).where(_REQUESTS.c.request == request))

    # --- in the background ----------------------------------------------------------------------

    def start(self) -> None:
        """Carry requests out from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the current piece, then return."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_S):
            try:
                self.work()
            except TailraceError as error:
                _LOGGER.warning("deletions: %s", error)

    def work(self) -> None:
        """Carry out what has waited long enough, and forget what was done long ago."""
        now_ns = self._clock.now_ns()
        for one in self.all() if self._mine() else ():
            if one.finished_ns is not None:
                if now_ns - one.finished_ns > limits.DELETE_KEPT_S * NS_PER_S:
                    self._update(one, None)
            elif now_ns - one.created_ns >= limits.DELETE_WAIT_S * NS_PER_S:
                try:
                    self._carry_out(one)
                except TailraceError as error:
                    _LOGGER.warning("deletion %s is tried again: %s", one.request, error)

    def _carry_out(self, one: Deletion) -> None:
        """Delete piece by piece, as long as nobody cancels, and it is this server's to do."""
        query = deletable(one.query)
        at_ns = one.start_ns if one.done_ns is None else one.done_ns
        while at_ns < one.end_ns and not self._stop.is_set() and self._mine():
            up_to_ns = min(at_ns + one.max_interval_ns, one.end_ns)
            if not self._update(one, replace(one, status="processing")):
                return
            streams = self._table.snapshot().segments(at_ns, up_to_ns).streams()["_stream"].unique()
            chosen = select_streams(streams.to_list(), query.selector)["_stream"].to_list()
            rows = self._delete(streams=chosen, start_ns=at_ns, end_ns=up_to_ns, also=condition(query)) if chosen else 0
            before, one = one, replace(one, status="processing", done_ns=up_to_ns, rows=one.rows + rows)
            if not self._update(before, one):
                return
            at_ns = up_to_ns
        if at_ns >= one.end_ns:
            self._update(one, replace(one, status="processed", finished_ns=self._clock.now_ns()))

    def _update(self, one: Deletion, new: Deletion | None) -> bool:
        """Replace a request durably; false if it was cancelled."""
        mine = _REQUESTS.c.request == one.request
        statement = delete(_REQUESTS).where(mine) if new is None else update(_REQUESTS).where(mine).values(_row(new))
        with self._control.transaction() as connection:
            return connection.execute(statement).rowcount > 0


def _row(one: Deletion) -> dict[str, object]:
    return {
        "request": one.request,
        "waits": one.status != "processed",
        "definition": json.dumps(asdict(one)),
    }


def _found(connection: Connection, request: str) -> Deletion | None:
    text = connection.execute(select(_REQUESTS.c.definition).where(_REQUESTS.c.request == request)).scalar()
    return None if text is None else Deletion(**json.loads(text))


def deletable(text: str) -> LogQuery:
    """Return the query of a deletion: a selector and line filters; refuse everything else."""
    query = parser.parse(text)
    if not isinstance(query, LogQuery):
        raise QueryError("lines are deleted by a log query, not by a metric query", hint='as in {service_name="app"}')
    other = next((stage for stage in query.stages if not isinstance(stage, LineFilter)), None)
    if other is not None:
        hint = 'a selector and line filters, as in {service_name="app"} |= "password"'
        raise QueryError("only streams and line filters can be deleted by", query=text, position=other.at, hint=hint)
    return query


def condition(query: LogQuery) -> pl.Expr | None:
    """Return which rows the line filters of a query mean; None for all."""
    if not query.stages:
        return None

    def passing(lines: pl.Series) -> pl.Series:
        rows = Rows(pl.DataFrame({"_line": lines}).with_row_index("row"))
        for stage in query.stages:
            rows = stage.apply(rows, Needs(line=True))
        return pl.int_range(len(lines), dtype=pl.UInt32, eager=True).is_in(rows.frame["row"].to_list())

    return pl.col("_line").map_batches(passing, return_dtype=pl.Boolean, is_elementwise=True)


def _load(file: Path) -> list[Deletion] | None:
    try:
        return [Deletion(**one) for one in json.loads(file.read_bytes())]
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise TableError(f"{file} cannot be read: {error}; move it away to forget the deletions that wait") from error
