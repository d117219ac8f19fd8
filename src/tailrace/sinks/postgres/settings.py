"""Settings of the sink for PostgreSQL."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from tailrace.database_url import DatabaseUrl  # noqa: TC001  pydantic reads it
from tailrace.limits import MIB
from tailrace.settings import Mistake, Settings
from tailrace.sinks.settings import QueueSettings, SinkName

Stat = Literal["count", "sum", "avg", "min", "max"]

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,39}")  # PostgreSQL takes 63 bytes; partitions and views add to it


def _table(value: str) -> str:
    schema, _, table = value.rpartition(".")
    if not _NAME.fullmatch(table) or (schema and not _NAME.fullmatch(schema)) or value.startswith("."):
        raise Mistake(
            f"{value!r} cannot name a table", "use lower-case letters, digits and '_', as in logs or app.logs"
        )
    return value


def _plain(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise Mistake(f"{value!r} cannot name a view", "use lower-case letters, digits and '_'")
    return value


class Aggregate(Settings):
    """A number over time: a continuous aggregate where TimescaleDB is, else a view."""

    name: Annotated[str, AfterValidator(_plain)]
    """Name of the view; the table's name and `_` go before it."""

    stat: Stat = "count"
    """What is made of the lines of a period."""

    of: str = ""
    """Field whose numbers are meant; lines without a number there do not count. Not for `count`."""

    by: tuple[str, ...] = Field(default=(), max_length=8)
    """Labels, fields or `level` to tell apart."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Labels that the lines must have; of all lines if empty."""

    period_s: int = Field(default=60, ge=1, le=86_400)
    """Length of a period; the divisors of a day are aligned to it."""

    @model_validator(mode="after")
    def _has_field(self) -> Aggregate:
        if (self.stat == "count") == bool(self.of):
            raise Mistake("'of' names the field for every 'stat' but count", f"stat is {self.stat}")
        return self


class PostgresSettings(QueueSettings):
    """A table of PostgreSQL: one row per line, labels and fields as `jsonb`."""

    type: Literal["postgres"] = "postgres"
    """The kind of sink."""

    name: SinkName = "postgres"
    """Name of the sink."""

    url: DatabaseUrl
    """Address of the database, as `postgresql://user:${PGPASSWORD}@host/database`."""

    table: Annotated[str, AfterValidator(_table)] = "logs"
    """Name of the table, with its schema if it is in none of the search path. It is made if it is missing."""

    extension: Literal["auto", "none", "timescaledb", "citus"] = "auto"
    """How a table is made: `auto` takes TimescaleDB or Citus if the database has the extension, else a table with a
    partition for each day."""

    days: int | None = Field(default=30, ge=1, le=36_500)
    """Days after which lines go; null keeps them for ever. Citus: not done here."""

    compress_after_days: int | None = Field(default=1, ge=1, le=36_500)
    """Days after which TimescaleDB compresses; null never does."""

    aggregates: tuple[Aggregate, ...] = Field(default=(), max_length=64)
    """Numbers over time that the database keeps. One that is there already is left as it is: drop it to change it."""

    batch_rows: int = Field(default=100_000, ge=1, le=100_000)
    """Rows of one COPY, at most."""

    batch_bytes: int = Field(default=32 * MIB, ge=1_024, le=256 * MIB)
    """Bytes of lines and fields of one COPY, about."""

    @model_validator(mode="after")
    def _names_once(self) -> PostgresSettings:
        names = [one.name for one in self.aggregates]
        if len(set(names)) < len(names):
            raise Mistake("two aggregates have the same name", "give each a name of its own", ("aggregates",))
        return self
