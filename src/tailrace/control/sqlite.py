"""The control database as a file in the data folder: SQLite, for one server, or several processes of one machine.

A transaction begins by asking for the write lock, so two never meet half done. It is durable when it ends (WAL,
synchronous FULL). Refuses to go on when the file was taken away.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, event, text

from tailrace.errors import TableError

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

FILE: Final = "control.sqlite"

BUSY_S: Final = 30.0
"""How long a transaction waits for the write lock."""

_LOOK_MS: Final = 250  # for how long SQLite itself waits


class SQLite:
    """Implements `database.Kind`."""

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._path = data / FILE
        self._inode: int | None = None  # once it is open

    @property
    def name(self) -> str:
        """The file."""
        return str(self._path)

    def engine(self) -> Engine:
        """Return what connects to it; a new file is for its owner and group, and so are those that SQLite adds."""
        with suppress(OSError):  # one that is there is left alone: to close it would end the locks of this process
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))
        engine = create_engine(f"sqlite:///{self._path}", connect_args={"timeout": BUSY_S})
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine

    def prepared(self, connection: Connection) -> None:
        """Any database that can be opened is fit."""

    def opened(self) -> None:
        """Remember which file it is."""
        self._inode = self._path.stat().st_ino

    def check(self) -> None:
        """Refuse to write to a file that nobody will find again, for it was deleted or replaced."""
        if self._inode is None:
            return
        try:
            there = self._path.stat().st_ino == self._inode
        except OSError:
            there = False
        if not there:
            raise TableError(f"{self._path} was taken away or replaced while it is used; put it back, or start anew")

    def count_on(self, connection: Connection, table: str, least: int) -> None:
        """Let the numbers that a table gives to rows go on behind `least`; they may be there already."""
        last = connection.execute(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table}).scalar()
        if last is None:
            statement = "INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"
        elif last < least:
            statement = "UPDATE sqlite_sequence SET seq = :seq WHERE name = :name"
        else:
            return
        connection.execute(text(statement), {"name": table, "seq": least})

    def now_ns(self, _connection: Connection, own_ns: int) -> int:
        """Return our own: all users are on this machine."""
        return own_ns

    def damaged(self, error: DBAPIError) -> TableError | None:
        """Return what to say of a file that is no database any more."""
        return TableError(f"the control database is damaged: {error.orig}; move {FILE} away to begin anew")

    def unopened(self, error: DBAPIError | None, what: str) -> str:
        """Say why it cannot be opened, and what to do."""
        broken = error is not None and isinstance(error.orig, sqlite3.DatabaseError)
        damaged = broken and not isinstance(getattr(error, "orig", None), sqlite3.OperationalError)
        return f"{what}; move it away to begin anew" if damaged else what


def _prepare(connection: Any, _: object) -> None:  # a driver's connection: each driver has a class of its own
    connection.isolation_level = None  # the driver begins no transactions of its own: `_begin` does
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(f"PRAGMA busy_timeout={_LOOK_MS}")  # from here on; the first one to come makes it a WAL


def _begin(connection: Connection) -> None:
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
