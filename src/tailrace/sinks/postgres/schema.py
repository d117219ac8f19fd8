"""The tables of the sink: made when they are missing, by what the database has to offer.

- TimescaleDB: a hypertable with a chunk for each day, compression, retention, continuous aggregates.
- Citus: a table distributed by host.
- neither: a table with a partition for each day, made as days come, dropped when they are too old.
- a single table that was there before is left as it is.

Several agents may start at once: whoever changes tables holds an advisory lock. Statements are safe to be run again.
"""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from psycopg import Error, errors, sql

from tailrace.clock import NS_PER_S
from tailrace.errors import TransientError
from tailrace.sinks.postgres.rows import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection

    from psycopg import Connection

    from tailrace.sinks.postgres.settings import Aggregate, PostgresSettings

    Way = Literal["plain", "timescaledb", "citus", "single"]

PAST_DAYS: Final = 400
AHEAD_DAYS: Final = 3
"""Days around today that get a partition of their own; lines of others, wrong clocks mostly, share one."""

LATE_DAYS: Final = 3
"""How late lines may come and still be counted by continuous aggregates."""

_LOCK: Final = 0x7461696C73696E6B  # the word `tailsink` as a number
_COMPRESSED: Final = sql.SQL(
    "timescaledb.compress, timescaledb.compress_segmentby = 'host', timescaledb.compress_orderby = 'time_ns'"
)
_CHILDREN: Final = (
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass"
)
_IS_HYPERTABLE: Final = (
    "SELECT 1 FROM timescaledb_information.hypertables"
    " WHERE format('%%I.%%I', hypertable_schema, hypertable_name)::regclass = %s::regclass"
)
_LOGGER: Final = logging.getLogger(__name__)


class Schema:
    """The tables that settings name, over a connection that commits each statement."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        schema, _, table = settings.table.rpartition(".")
        self._parts = (schema,) if schema else ()
        self._table = table
        self._days: set[date] = set()  # that have a partition, or share one
        self.way: Way = "plain"

    def named(self, suffix: str = "") -> sql.Identifier:
        """Return the table, or one beside it."""
        return sql.Identifier(*self._parts, self._table + suffix)

    @property
    def positions(self) -> sql.Identifier:
        """The table of how far each agent is."""
        return sql.Identifier(*self._parts, "tailrace_positions")

    @property
    def copy(self) -> sql.Composed:
        """The statement that takes rows."""
        return sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT csv)").format(
            self.named(), sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
        )

    def prepare(self, connection: Connection[Any]) -> None:
        """Make what is missing."""
        self._days.clear()
        self.way = self._chosen(connection)
        if self._exists(connection):
            self.way = self._found(connection)
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            connection.execute(
                sql.SQL(
                    "CREATE TABLE IF NOT EXISTS {} (sink text, agent text, number bigint NOT NULL,"
                    " PRIMARY KEY (sink, agent))"
                ).format(self.positions)
            )
            if not self._exists(connection):
                self._create(connection)
            for one in self._settings.aggregates:
                self._aggregate(connection, one)
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])

    def _chosen(self, connection: Connection[Any]) -> Way:
        installed = {name for (name,) in connection.execute("SELECT extname FROM pg_extension").fetchall()}
        wanted = self._settings.extension
        if wanted in ("timescaledb", "citus"):
            if wanted not in installed:
                hint = f"as a superuser: create extension {wanted}; or choose another with 'extension'"
                raise TransientError(f"the database has no extension {wanted} ({hint})")
            return wanted
        if wanted == "auto":
            for way in ("timescaledb", "citus"):
                if way in installed:
                    return way
        return "plain"

    def _exists(self, connection: Connection[Any]) -> bool:
        found = connection.execute("SELECT to_regclass(%s)", [self._settings.table]).fetchone()
        return found is not None and found[0] is not None

    def _found(self, connection: Connection[Any]) -> Way:
        """Return what a table that is there is; whoever made it may have chosen otherwise."""
        table = [self._settings.table]
        if connection.execute("SELECT 1 FROM pg_partitioned_table WHERE partrelid = %s::regclass", table).fetchone():
            return "plain"
        if self.way == "timescaledb" and not connection.execute(_IS_HYPERTABLE, table).fetchone():
            return "single"
        return "single" if self.way == "plain" else self.way

    def _create(self, connection: Connection[Any]) -> None:
        columns = sql.SQL(", ").join(
            sql.SQL("{} " + kind).format(sql.Identifier(name)) for name, kind in COLUMNS.items()
        )
        whole = {
            "plain": " PARTITION BY RANGE (time)",
            "timescaledb": "",
            "citus": "",
        }[self.way]
        with connection.transaction():
            connection.execute(sql.SQL("CREATE TABLE {} ({})" + whole).format(self.named(), columns))
            if self.way == "timescaledb":
                self._hypertable(connection)
            else:
                connection.execute(sql.SQL("CREATE INDEX ON {} (time DESC)").format(self.named()))
            if self.way == "citus":
                connection.execute("SELECT create_distributed_table(%s, 'host')", [self._settings.table])
            if self.way == "plain":
                other = sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} DEFAULT")
                connection.execute(other.format(self.named("_other"), self.named()))

    def _hypertable(self, connection: Connection[Any]) -> None:
        settings, table = self._settings, self._settings.table
        connection.execute(
            "SELECT create_hypertable(%s::regclass, 'time', chunk_time_interval => interval '1 day')", [table]
        )
        if settings.compress_after_days is not None:
            connection.execute(sql.SQL("ALTER TABLE {} SET ({})").format(self.named(), _COMPRESSED))
            connection.execute(
                "SELECT add_compression_policy(%s::regclass, make_interval(days => %s))",
                [table, settings.compress_after_days],
            )
        if settings.days is not None:
            connection.execute(
                "SELECT add_retention_policy(%s::regclass, make_interval(days => %s))", [table, settings.days]
            )

    def _aggregate(self, connection: Connection[Any], one: Aggregate) -> None:
        """Make the view of an aggregate, unless something of its name is there."""
        view = f"{self._settings.table}_{one.name}"
        found = connection.execute("SELECT to_regclass(%s)", [view]).fetchone()
        if found is not None and found[0] is not None:
            return
        select = self._selected(one)
        name = self.named(f"_{one.name}")
        if self.way != "timescaledb":
            connection.execute(sql.SQL("CREATE VIEW {} AS {}").format(name, select))
            return
        with connection.transaction():
            connection.execute(
                sql.SQL("CREATE MATERIALIZED VIEW {} WITH (timescaledb.continuous) AS {} WITH NO DATA").format(
                    name, select
                )
            )
            late = min(LATE_DAYS, self._settings.days or LATE_DAYS)
            connection.execute(
                "SELECT add_continuous_aggregate_policy(%s::regclass, start_offset => make_interval(days => %s),"
                " end_offset => make_interval(secs => %s), schedule_interval => make_interval(secs => %s))",
                [view, late, one.period_s, one.period_s],
            )

    def _selected(self, one: Aggregate) -> sql.Composed:
        period = sql.Literal(f"{one.period_s} seconds")
        bucket = "time_bucket({}::interval, time)" if self.way == "timescaledb" else "date_bin({}, time, '2000-01-01Z')"
        keys = [sql.SQL(bucket).format(period) + sql.SQL(" AS bucket")]
        for name in one.by:
            value = sql.SQL("level") if name == "level" else _named(name)
            keys.append(sql.SQL("{} AS {}").format(value, sql.Identifier(name)))
        field = sql.Literal(one.of)
        number = sql.SQL(
            "CASE WHEN jsonb_typeof(fields -> {0}) = 'number' THEN (fields ->> {0})::double precision END"
        ).format(field)
        value = sql.SQL("count(*)") if one.stat == "count" else sql.SQL(one.stat + "({})").format(number)
        labels = [
            sql.SQL("labels ->> {} = {}").format(sql.Literal(key), sql.Literal(text))
            for key, text in one.labels.items()
        ]
        where = sql.SQL(" WHERE ") + sql.SQL(" AND ").join(labels) if labels else sql.SQL("")
        places = sql.SQL(", ").join(sql.SQL(str(place + 1)) for place in range(len(keys)))
        return sql.SQL("SELECT {}, {} AS value FROM {}{} GROUP BY {}").format(
            sql.SQL(", ").join(keys), value, self.named(), where, places
        )

    # --- partitions -----------------------------------------------------------------------------

    def missing(self, days: Collection[date], now_ns: int) -> list[date]:
        """Return the days that may need a partition which is not known to be there."""
        if self.way != "plain":
            return []
        today = datetime.fromtimestamp(now_ns // NS_PER_S, UTC).date()
        first, last = today - timedelta(PAST_DAYS), today + timedelta(AHEAD_DAYS)
        return sorted(day for day in days if first <= day <= last and day not in self._days)

    def add_days(self, connection: Connection[Any], days: Collection[date]) -> None:
        """Make partitions; nobody who reads or writes is kept waiting by that.

        A day of which lines came while it was too far ahead stays with the others.
        """
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            for day in days:
                self._add_day(connection, day)
                self._days.add(day)
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])

    def _add_day(self, connection: Connection[Any], day: date) -> None:
        suffix = f"_{day:%Y%m%d}"
        found = connection.execute("SELECT to_regclass(%s)", [self._settings.table + suffix]).fetchone()
        if found is not None and found[0] is not None:
            return
        try:
            with connection.transaction():
                connection.execute(
                    sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(self.named(suffix), self.named())
                )
                bounds = [sql.Literal(f"{one.isoformat()} 00:00:00Z") for one in (day, day + timedelta(1))]
                attach = "ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})"
                connection.execute(sql.SQL(attach).format(self.named(), self.named(suffix), *bounds))
        except errors.CheckViolation:
            _LOGGER.info("%s: lines of %s stay in the partition of other days", self._settings.table, day)

    def retire(self, connection: Connection[Any], now_ns: int) -> None:
        """Drop partitions that are too old, and such lines of the partition of other days; later, if it is in use."""
        if self.way != "plain" or self._settings.days is None:
            return
        before = datetime.fromtimestamp(now_ns // NS_PER_S, UTC).date() - timedelta(self._settings.days)
        children = connection.execute(_CHILDREN, [self._settings.table]).fetchall()
        oldest = f"{self._table}_{before:%Y%m%d}"
        try:
            for (name,) in children:
                if name.startswith(f"{self._table}_") and len(name) == len(oldest) and name < oldest:
                    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(*self._parts, name)))
            connection.execute(
                sql.SQL("DELETE FROM {} WHERE time < {}").format(
                    self.named("_other"), sql.Literal(f"{before.isoformat()} 00:00:00Z")
                )
            )
        except (errors.LockNotAvailable, errors.InsufficientPrivilege) as error:
            _LOGGER.warning("%s: old lines are not dropped now: %s", self._settings.table, one_line(error))


def _named(name: str) -> sql.Composed:
    return sql.SQL("coalesce(labels ->> {0}, fields ->> {0})").format(sql.Literal(name))


def one_line(error: Error) -> str:
    """Return what the database says, on one line of bounded length."""
    return " ".join(str(error).split())[:500]
