"""Open the control database and use it: one transaction writes at a time, others read beside it.

Comes in: the data folder, whose file it is (SQLite), or the address of a database that several servers share
(PostgreSQL). Goes out: a `Control`, whose `transaction` is a connection that commits at its end, or rolls back when
something raises, and whose `reading` is one that sees one state of the database. The rooms that keep something here
define their tables on `METADATA`, each in a module `tables`, before the database is opened; tables that change later do
so by `migrations`. Refuses a database that a newer Tailrace wrote.

Two transactions never meet half done, and what was read in one is true when it is written. It is durable when
`transaction` ends. What fails and may work again is a `TransientError`: a server that is away, a lock that is held for
too long, a full disk. No error holds the password of a database.
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import DataError as UnfitError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from tailrace.control import migrations
from tailrace.control.postgres import PostgreSQL
from tailrace.control.sqlite import BUSY_S, SQLite
from tailrace.errors import DataError, TableError, TailraceError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from tailrace.database_url import DatabaseUrl

_HURRIED_S: Final = 1.0
_STANDBY: Final = "25006"  # SQLSTATE: the server takes no writes, it is or was a standby
_FORBIDDEN: Final = "42501"


class Kind(Protocol):
    """A kind of database; what of it others must know."""

    @property
    def name(self) -> str:
        """How messages name the database."""
        ...

    def engine(self) -> Engine:
        """Return what connects to it.

        A transaction begins by `BEGIN` of its own: with the option `only_reads` it sees one state; else it is the only
        one that writes, and waits for that until `over()` says that it took too long.
        """
        ...

    def prepared(self, connection: Connection) -> None:
        """Refuse a database that is not fit; called in the first transaction, before anything is made."""
        ...

    def opened(self) -> None:
        """Take note that it is open."""
        ...

    def check(self) -> None:
        """Refuse to go on with a database that is not the one that was opened."""
        ...

    def count_on(self, connection: Connection, table: str, least: int) -> None:
        """Let the column `id` of a table go on behind `least`; it may be further already."""
        ...

    def now_ns(self, connection: Connection, own_ns: int) -> int:
        """Return the time by the clock that all users of the database share; `own_ns` is that of this server."""
        ...

    def damaged(self, error: DBAPIError) -> TableError | None:
        """Return what to say of an error that tells of damage, None if it does not."""
        ...

    def unopened(self, error: DBAPIError | None, what: str) -> str:
        """Say why it cannot be opened, and what to do."""
        ...


class Control:
    """The control database of one server. Any thread may use it; each transaction has a connection of its own."""

    def __init__(self, kind: Kind) -> None:
        self._kind, self._engine = kind, kind.engine()
        self._hurried_s = math.inf  # by the monotonic clock

    @classmethod
    def open(cls, data: Path, url: DatabaseUrl | None = None) -> Control:
        """Open the database below a data folder, or the one at an address; tables that are missing are made."""
        kind: Kind = SQLite(data) if url is None else PostgreSQL(url)
        control = cls(kind)
        try:
            with control.transaction() as connection:
                kind.prepared(connection)
                migrations.bring_up(connection, kind.name)
        except TailraceError as error:
            control.close()
            raise _unopened(kind, error) from error
        except BaseException:
            control.close()
            raise
        kind.opened()
        return control

    @contextmanager
    def transaction(self, wait_s: float | None = None) -> Iterator[Connection]:
        """Give a connection whose changes become durable together, or not at all.

        While another one writes it waits, for `wait_s` at most, 30 seconds unless told.
        """
        until_s = time.monotonic() + (BUSY_S if wait_s is None else wait_s)
        engine = self._engine.execution_options(over=lambda: time.monotonic() > min(until_s, self._hurried_s))
        with self._begun(engine) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that reads one state of the database, and waits for nobody who writes."""
        with self._begun(self._engine.execution_options(only_reads=True)) as connection:
            yield connection

    @contextmanager
    def _begun(self, engine: Engine) -> Iterator[Connection]:
        self._kind.check()
        try:
            with engine.begin() as connection:
                yield connection
        except (OperationalError, InterfaceError) as error:  # locked for too long, disk full, server away
            raise TransientError(f"the control database: {_said(error)}") from error
        except NoConnectionError as error:
            raise TransientError("the control database: all connections are in use") from error
        except UnfitError as error:
            raise DataError(f"the control database holds no such value: {_said(error)}") from error
        except DatabaseError as error:
            raise self._named(error) from error
        except (OverflowError, UnicodeEncodeError) as error:
            raise DataError(f"the control database holds no such value: {error}") from error

    def _named(self, error: DatabaseError) -> Exception:
        """Return what to say of an error that is none of the usual ones; itself for a constraint, or a mistake."""
        state = getattr(error.orig, "sqlstate", None)
        if state == _STANDBY:
            return TransientError(f"the control database: {_said(error)}")
        if state == _FORBIDDEN:
            hint = "grant the user of the address all rights on the schema and its tables"
            return TableError(f"{self._kind.name}: {_said(error)} ({hint})")
        if type(error) is DatabaseError:
            return self._kind.damaged(error) or error
        return error

    def count_on(self, connection: Connection, table: str, least: int) -> None:
        """Let the numbers (`id`) that a table gives to its rows go on behind `least`; they may be further already."""
        self._kind.count_on(connection, table, least)

    def now_ns(self, connection: Connection, own_ns: int) -> int:
        """Return the time by the clock that all users of the database share; `own_ns` is that of this server."""
        return self._kind.now_ns(connection, own_ns)

    def hurry(self) -> None:
        """From now on have no transaction wait for longer than a second: the program ends."""
        self._hurried_s = time.monotonic() + _HURRIED_S

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _said(error: DBAPIError) -> str:
    """Return what a driver says, on one line."""
    return " ".join(str(error.orig).split())


def _unopened(kind: Kind, error: TailraceError) -> TableError:
    cause = error.__cause__
    if isinstance(cause, DBAPIError) and not (isinstance(error, TableError) and kind.damaged(cause) is None):
        return TableError(f"{kind.name} cannot be opened: {kind.unopened(cause, _said(cause))}")
    return error if isinstance(error, TableError) else TableError(f"{kind.name} cannot be opened: {error}")
