"""Words that the tables of the control database are written in: both kinds of database understand them.

A statement that SQLite alone understands belongs into `sqlite.py`, one of PostgreSQL into `postgres.py`; elsewhere
nobody asks which one it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, Integer, MetaData, String, TypeDecorator, case
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy import ColumnElement, Dialect

METADATA: Final = MetaData()
"""All tables of the control database."""

NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")
"""The type of a primary key that counts up: SQLite does so only with what it calls INTEGER."""

NUL: Final = "\N{SYMBOL FOR NULL}"
"""What stands for the character NUL in a text where the database cannot hold it."""


class _Text(TypeDecorator[str]):
    """A text as PostgreSQL can hold it."""

    impl = String(collation="C")
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  as it is called
        return value.replace("\0", NUL) if value and "\0" in value else value


TEXT: Final = String().with_variant(_Text(), "postgresql")
"""The type of a text: ordered by its characters' numbers, as SQLite and Python do, wherever the database stands."""

insert = postgresql.insert
"""Insert rows; has `on_conflict_do_nothing` and `on_conflict_do_update`, which both kinds write the same way."""


def lesser(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:  # Any: of one type, whichever
    """Return the lesser of two values that are not null; SQLite and PostgreSQL name the function differently."""
    return case((one < other, one), else_=other)


def greater(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:  # as above
    """Return the greater of two values that are not null."""
    return case((one > other, one), else_=other)
