"""Open the control database: SQLite in the data folder, written by one transaction at a time, read beside it.

Comes in: the data folder. Goes out: a `Control`, whose `transaction` is a connection that commits at its end, or rolls
back when something raises, and whose `reading` is one that sees one state of the database. The rooms that keep
something here define their tables on `METADATA`, each in a module `tables`, before the database is opened. Refuses a
database that a newer Tailrace wrote.

SQLite takes one writer at a time: a transaction begins by asking for the write lock, so two never meet half done, and
what was read in it is true when it is written. It is durable when `transaction` ends (WAL, synchronous FULL).
"""

from __future__ import annotations

import math
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, create_engine, event, insert, select
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from tailrace.errors import DataError, TableError, TailraceError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

METADATA: Final = MetaData()
"""All tables of the control database."""

NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")
"""The type of a primary key that counts up: SQLite does so only with what it calls INTEGER."""

FILE: Final = "control.sqlite"

VERSION: Final = 1
"""Rises when a table changes in a way that an older Tailrace cannot read."""

_BUSY_S: Final = 30.0  # how long a transaction waits for the write lock

_LOOK_MS: Final = 250  # for how long SQLite itself waits
_HURRIED_S: Final = 1.0

_VERSIONS: Final = Table("control_version", METADATA, Column("version", Integer, primary_key=True))


class Control:
    """The control database of one data folder. Any thread may use it; each transaction has a connection of its own."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine, self._path = engine, path
        self._inode: int | None = None  # once it is open
        self._hurried_s = math.inf  # by the monotonic clock

    @classmethod
    def open(cls, data: Path) -> Control:
        """Open the database below a data folder, which is made if it is not there; new tables are added."""
        data.mkdir(parents=True, exist_ok=True)
        engine = create_engine(f"sqlite:///{data / FILE}", connect_args={"timeout": _BUSY_S})
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _lock)
        control = cls(engine, data / FILE)
        try:
            with control.transaction() as connection:
                METADATA.create_all(connection)
                found = connection.execute(select(_VERSIONS.c.version)).scalar()
                if found is None:
                    connection.execute(insert(_VERSIONS).values(version=VERSION))
        except TailraceError as error:
            raise TableError(f"{data / FILE} cannot be opened: {_why(error)}") from error
        if found is not None and found > VERSION:
            raise TableError(f"{data / FILE} was written by a newer Tailrace; update this one")
        control._inode = (data / FILE).stat().st_ino
        return control

    @contextmanager
    def transaction(self, wait_s: float | None = None) -> Iterator[Connection]:
        """Give a connection whose changes become durable together, or not at all.

        While another one writes it waits, for `wait_s` at most, 30 seconds unless told.
        """
        until_s = time.monotonic() + (_BUSY_S if wait_s is None else wait_s)
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
        self._check_place()
        try:
            with engine.begin() as connection:
                yield connection
        except OperationalError as error:  # locked for too long, disk full
            raise TransientError(f"the control database: {error.orig}") from error
        except DatabaseError as error:
            if type(error) is not DatabaseError:  # a constraint, or a mistake of ours
                raise
            raise TableError(
                f"the control database is damaged: {error.orig}; move {FILE} away to begin anew"
            ) from error
        except (OverflowError, UnicodeEncodeError) as error:
            raise DataError(f"the control database holds no such value: {error}") from error

    def _check_place(self) -> None:
        """Refuse to write to a file that nobody will find again, for it was deleted or replaced."""
        if self._inode is None:
            return
        try:
            there = self._path.stat().st_ino == self._inode
        except OSError:
            there = False
        if not there:
            raise TableError(f"{self._path} was taken away or replaced while it is used; put it back, or start anew")

    def hurry(self) -> None:
        """From now on have no transaction wait for longer than a second: the program ends."""
        self._hurried_s = time.monotonic() + _HURRIED_S

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _why(error: TailraceError) -> str:
    cause = error.__cause__
    said = cause.orig if isinstance(cause, DBAPIError) else error
    return f"{said}; move it away to begin anew" if isinstance(error, TableError) else str(said)


def _prepare(connection: Any, _: object) -> None:  # a driver's connection: each driver has a class of its own
    connection.isolation_level = None  # the driver begins no transactions of its own: `_lock` does
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(f"PRAGMA busy_timeout={_LOOK_MS}")  # from here on; the first one to come makes it a WAL


def _lock(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("only_reads"):
        connection.exec_driver_sql("BEGIN")
        return
    driver: Any = connection.connection.dbapi_connection  # as above
    while not options["over"]():
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:  # within short times, since the program may end meanwhile
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                break
        else:
            return
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # this one says what is wrong
