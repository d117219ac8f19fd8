"""The control database that several servers share: PostgreSQL.

One transaction writes at a time, over all servers: it begins by taking an advisory lock of the database, so what was
read in it is true when it is written, as with SQLite. (The other way, SERIALIZABLE, makes every caller ready to be run
again, and was slower here: docs/adr/0017.) Who reads sees one state, by REPEATABLE READ, and waits for nobody. A server
that falls silent within a transaction loses the lock after `IDLE_MS`. Connections that died with the database server
are replaced when they are next needed. Refuses a database whose encoding is not UTF-8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, event, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from tailrace.errors import ConfigError, TableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

    from tailrace.database_url import DatabaseUrl

LOCK: Final = 0x7461696C72616365
"""The advisory lock: the word `tailrace` as a number."""

POOL: Final = 4
POOL_MOST: Final = 16
"""Connections that a server keeps, and may have at once: PostgreSQL allows 100 over all servers by default."""

IDLE_MS: Final = 60_000
"""How long a transaction may do nothing: a server that hangs in one would keep all others from writing."""

_LOOK_MS: Final = 250  # for how long PostgreSQL itself waits for the lock
_POOL_S: Final = 30.0
_CONNECT: Final = {
    "connect_timeout": 5,  # seconds, as libpq has them
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "tailrace",
    "client_encoding": "UTF8",
    "prepare_threshold": None,  # a newer server changes tables while this one runs: plans that it keeps would fail
}
_NOW: Final = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000")
_READS: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITES: Final = (
    f"SELECT set_config('lock_timeout', '{_LOOK_MS}', true), "
    f"set_config('idle_in_transaction_session_timeout', '{IDLE_MS}', true), pg_advisory_xact_lock({LOCK})"
)


class PostgreSQL:
    """Implements `database.Kind`."""

    def __init__(self, url: DatabaseUrl) -> None:
        try:
            import psycopg  # noqa: F401  it is an extra
        except ImportError as error:
            hint = "pip install 'tailrace[postgres]'"
            raise ConfigError(f"a control database on PostgreSQL needs the package psycopg ({hint})") from error
        try:
            self._url = make_url(url.address()).set(drivername="postgresql+psycopg")
        except (ArgumentError, ValueError):
            hint = "escape what is no letter or digit in its password"
            raise ConfigError(f"{url.shown()}: this is no address of a database ({hint})") from None

    @property
    def name(self) -> str:
        """The database and where it is, without user and password."""
        place = f"{self._url.host or 'the local socket'}{f':{self._url.port}' if self._url.port else ''}"
        return f"the database {self._url.database!r} at {place}"

    def engine(self) -> Engine:
        """Return what connects to it; a connection is looked at before it is used again."""
        engine = create_engine(
            self._url,
            connect_args={name: value for name, value in _CONNECT.items() if name not in self._url.query},
            pool_size=POOL,
            max_overflow=POOL_MOST - POOL,
            pool_timeout=_POOL_S,
            pool_pre_ping=True,
        )
        event.listen(engine, "begin", _begin)
        return engine

    def opened(self) -> None:
        """There is nothing to remember."""

    def check(self) -> None:
        """There is no file that could be taken away."""

    def prepared(self, connection: Connection) -> None:
        """Refuse a database that cannot hold what is kept."""
        encoding = connection.execute(text("SHOW server_encoding")).scalar()
        if encoding != "UTF8":
            hint = f"make one by: create database {self._url.database} encoding 'UTF8' template template0"
            raise TableError(f"{self.name} has the encoding {encoding}, and must have UTF8 ({hint})")

    def count_on(self, connection: Connection, table: str, least: int) -> None:
        """Let the numbers that a table gives to rows go on behind `least`; they may be there already."""
        sequence = connection.execute(select(func.pg_get_serial_sequence(table, "id"))).scalar_one()
        if least > 0:
            setting = f"SELECT setval('{sequence}', greatest(:least, (SELECT last_value FROM {sequence})))"  # noqa: S608  our name
            connection.execute(text(setting), {"least": least})

    def now_ns(self, connection: Connection, own_ns: int) -> int:  # noqa: ARG002  a server's clock counts for itself
        """Ask the database: the clocks of the servers may differ."""
        return int(connection.execute(_NOW).scalar_one())

    def damaged(self, _error: DBAPIError) -> TableError | None:
        """Nothing tells of damage by the class of an error."""
        return None

    def unopened(self, _error: DBAPIError | None, what: str) -> str:
        """Say why it cannot be opened."""
        return what


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("only_reads"):
        connection.exec_driver_sql(_READS)
        return
    over: Callable[[], bool] = options["over"]
    while True:
        try:
            connection.exec_driver_sql(_WRITES)
        except OperationalError as error:  # within short times, since the program may end meanwhile
            if getattr(error.orig, "sqlstate", None) != "55P03" or over():
                raise
            driver: Any = connection.connection.dbapi_connection  # a class of the driver
            driver.rollback()
        else:
            return
