"""Take rows to PostgreSQL, exactly once: the rows of a batch and its position are one transaction.

`send` copies rows within the open transaction, `note` writes the position and commits. When the connection dies in
between, the rows since the last commit are copied again over a new one. When it dies at the commit, the transaction's
number tells whether that came through. Rows that the database will never take (22…, 23…, 54… of SQLSTATE) are refused;
whatever else it says can be mended, by time or by a person, and the rows wait.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import psycopg
from psycopg import sql

from tailrace.errors import TransientError
from tailrace.sinks.delivery import DELIVERED, RefusedError, Rows, Sent
from tailrace.sinks.postgres.rows import csv
from tailrace.sinks.postgres.schema import Schema, one_line

if TYPE_CHECKING:
    from psycopg import Connection

    from tailrace.batch import Position
    from tailrace.clock import Clock
    from tailrace.sinks.postgres.settings import PostgresSettings

RETIRE_S: Final = 3_600.0
"""Between two looks at what is too old."""

_REFUSED: Final = ("22", "23", "54")  # classes of SQLSTATE: the data, a constraint, a limit
_PIECE: Final = 256 * 1024  # bytes handed to the driver at once
_CONNECT: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "tailrace",
    "client_encoding": "UTF8",
    "prepare_threshold": None,
}
_LOGGER: Final = logging.getLogger(__name__)


class PostgresCourier:
    """Implements `delivery.Courier` and `numbers.Remembers` over one connection; `last` may be called by any thread."""

    def __init__(self, settings: PostgresSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._schema = Schema(settings)
        self._connection: Connection[Any] | None = None
        self._sent: list[Rows] = []  # since the last commit
        self._committing: str | None = None  # the number of a transaction of which it is not known what became of it
        self._known: dict[str, int | None] = {}
        self._lock = threading.Lock()  # of what is known
        self._retire_s = 0.0

    # --- delivery.Courier -----------------------------------------------------------------------

    def send(self, rows: Rows) -> Sent:
        """Copy rows; they are visible when `note` returns."""
        connection = self._ready()
        self._copy(connection, rows)
        self._sent.append(rows)
        return DELIVERED

    def close(self) -> None:
        """Give up the connection, and with it what was not committed."""
        self._forget()

    # --- numbers.Remembers ----------------------------------------------------------------------

    def last(self, agent: str) -> int | None:
        """Return the last number of an agent whose rows are in the table, or None."""
        with self._lock:
            if agent not in self._known:
                self._known[agent] = self._look_up(agent)
            return self._known[agent]

    def holds(self, position: Position) -> bool:
        """Tell whether the rows of a batch are known to be in the table; if not, `note` finds out once more."""
        try:
            last = self.last(position.agent)
        except TransientError:  # it is away: sending says so, and waits
            return False
        return last is not None and position.number <= last

    def note(self, position: Position | None) -> None:
        """Commit the rows since the last call, and with them the position."""
        if self._committing is not None and self._came_through():
            self._done(position)
            return
        connection = self._ready()
        try:
            new = position is None or self._write(connection, position)
            if not new:  # another process with this agent's name was first
                connection.rollback()
            else:
                self._committing = _number(connection)
                connection.commit()
        except psycopg.Error as error:
            raise self._lost(error) from error
        self._committing = None
        self._done(position)

    def undo(self) -> None:
        """Take back rows of a batch that is given up."""
        self._forget()

    def _done(self, position: Position | None) -> None:
        self._sent.clear()
        if position is not None:
            with self._lock:
                self._known[position.agent] = max(position.number, self._known.get(position.agent) or position.number)

    # --- the transaction ------------------------------------------------------------------------

    def _write(self, connection: Connection[Any], position: Position) -> bool:
        statement = sql.SQL(
            "INSERT INTO {0} AS known (sink, agent, number) VALUES (%s, %s, %s) ON CONFLICT (sink, agent)"
            " DO UPDATE SET number = excluded.number WHERE known.number < excluded.number"
        ).format(self._schema.positions)
        values = [self._settings.table, position.agent, position.number]
        return connection.execute(statement, values).rowcount == 1

    def _copy(self, connection: Connection[Any], rows: Rows) -> None:
        data = csv(rows.frame)
        try:
            self._partitions(rows)
            connection.execute("SAVEPOINT piece")
            self._stream(connection, data)
            connection.execute("RELEASE SAVEPOINT piece")
        except psycopg.Error as error:
            if (error.sqlstate or "")[:2] not in _REFUSED or connection.closed:
                raise self._lost(error) from error
            try:
                connection.execute("ROLLBACK TO SAVEPOINT piece")
            except psycopg.Error as second:
                raise self._lost(second) from second
            raise RefusedError(one_line(error)) from error

    def _stream(self, connection: Connection[Any], data: bytes) -> None:
        view = memoryview(data)
        with connection.cursor().copy(self._schema.copy) as copy:
            for start in range(0, len(data), _PIECE):
                copy.write(view[start : start + _PIECE])

    def _partitions(self, rows: Rows) -> None:
        """Have partitions for the days of rows, by a connection of its own: others wait for what this one locks."""
        now_ns = self._clock.now_ns()
        days = rows.frame.select(pl.from_epoch("_time_ns", "ns").dt.date().unique()).to_series().to_list()
        missing = self._schema.missing(days, now_ns)
        due = self._schema.way == "plain" and self._clock.monotonic_s() >= self._retire_s
        if not missing and not due:
            return
        with contextlib.closing(self._connect(autocommit=True)) as beside:
            beside.execute("SET lock_timeout = '5s'")
            self._schema.add_days(beside, missing)
            if due:
                self._schema.retire(beside, now_ns)
                self._retire_s = self._clock.monotonic_s() + RETIRE_S

    def _ready(self) -> Connection[Any]:
        """Return the connection; a new one gets the rows that the last one had not committed."""
        if self._connection is not None:
            return self._connection
        if self._committing is not None and self._came_through():
            self._sent.clear()
        try:
            connection = self._connect(autocommit=True)
            self._connection = connection
            self._schema.prepare(connection)
            connection.autocommit = False
        except psycopg.Error as error:
            raise self._lost(error) from error
        except TransientError:
            self._drop()
            raise
        for rows in self._sent:
            self._copy(connection, rows)
        return connection

    def _came_through(self) -> bool:
        """Tell whether the last commit came through, of which no answer came."""
        try:
            with contextlib.closing(self._connect(autocommit=True)) as beside:
                row = beside.execute("SELECT pg_xact_status(%s::xid8)", [self._committing]).fetchone()
        except psycopg.Error as error:
            raise TransientError(self._said(error)) from error
        state = row[0] if row else None
        if state == "in progress":
            raise TransientError(f"{self._settings.name}: the last commit is still on its way")
        self._committing = None
        return state == "committed"

    # --- connections ----------------------------------------------------------------------------

    def _connect(self, *, autocommit: bool) -> Connection[Any]:
        return psycopg.connect(self._settings.url.address(), autocommit=autocommit, **_CONNECT)  # type: ignore[arg-type]  # options of libpq

    def _look_up(self, agent: str) -> int | None:
        query = sql.SQL("SELECT number FROM {} WHERE sink = %s AND agent = %s").format(self._schema.positions)
        try:
            with contextlib.closing(self._connect(autocommit=True)) as beside:
                row = beside.execute(query, [self._settings.table, agent]).fetchone()
        except psycopg.errors.UndefinedTable:
            return None
        except psycopg.Error as error:
            raise TransientError(self._said(error)) from error
        return None if row is None else int(row[0])

    def _lost(self, error: psycopg.Error) -> TransientError:
        """Give the connection up, and return what to say."""
        self._drop()
        return TransientError(self._said(error))

    def _said(self, error: psycopg.Error) -> str:
        hint = ""
        if error.sqlstate == "42501":
            hint = " (grant the user of the address the rights to create and write the table, or make it for it)"
        return f"{self._settings.name}: {one_line(error)}{hint}"

    def _forget(self) -> None:
        """Undo what was not committed."""
        self._sent.clear()
        self._committing = None
        self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


def _number(connection: Connection[Any]) -> str:
    """Return the number of the transaction, by which its end can be asked for."""
    row = connection.execute("SELECT pg_current_xact_id()::text").fetchone()
    assert row is not None, "a SELECT of one value has one row"
    return str(row[0])
