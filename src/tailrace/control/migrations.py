"""Bring the tables of a control database to the version of this program, in the transaction that opens it.

A table that is missing is made as it is defined now. One that changed is changed by the migrations behind the version
that the database has on record, in their order; then the version is recorded. All of it happens or nothing, and where
several servers start at once one does it and the others find it done. Servers of the version before go on with a
database that was brought up, for as long as they run: a migration only adds. Refuses a database that a newer Tailrace
wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, Integer, Table, insert, inspect, select, text, update

from tailrace.control.words import METADATA
from tailrace.errors import TableError

if TYPE_CHECKING:
    from sqlalchemy import Connection

_VERSIONS: Final = Table("control_version", METADATA, Column("version", Integer, primary_key=True))


@dataclass(frozen=True, slots=True)
class Migration:
    """One change, from the version before to `version`. `statements` mean the same to SQLite and to PostgreSQL.

    `table` is the one that they change: where it is not there yet it is made as it is now, and nothing is to be done.
    """

    version: int
    table: str
    statements: tuple[str, ...]


MIGRATIONS: Final = (
    Migration(2, "leases", ("ALTER TABLE leases ADD COLUMN server VARCHAR NOT NULL DEFAULT ''",)),  # who holds it
)
"""All changes, oldest first. One that was released is never changed again."""

VERSION: Final = max(one.version for one in MIGRATIONS)


def bring_up(connection: Connection, name: str) -> None:
    """Make what is missing and change what changed; `name` is how messages name the database."""
    there = set(inspect(connection).get_table_names())
    found = connection.execute(select(_VERSIONS.c.version)).scalar() if _VERSIONS.name in there else None
    if found is not None and found > VERSION:
        raise TableError(f"{name} was written by a newer Tailrace; update this one")
    for migration in MIGRATIONS:
        if found is not None and migration.version > found and migration.table in there:
            for statement in migration.statements:
                connection.execute(text(statement))
    METADATA.create_all(connection)
    if found is None:
        connection.execute(insert(_VERSIONS).values(version=VERSION))
    elif found < VERSION:
        connection.execute(update(_VERSIONS).values(version=VERSION))
