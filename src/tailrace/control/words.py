"""Words that the tables of the control database are written in: both kinds of database understand them.

A statement that SQLite alone understands belongs into `sqlite.py`, one of PostgreSQL into `postgres.py`; elsewhere
nobody asks which one it is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Integer, MetaData, String, TypeDecorator, case, cast, literal_column, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement, Dialect, Subquery
    from sqlalchemy.sql.compiler import SQLCompiler

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


class _Elements(GenericFunction[Any]):
    """The elements of a JSON array as rows."""

    name = "json_each"
    inherit_cache = True


class _Member(GenericFunction[Any]):
    """The member of a JSON array at a place, as text."""

    name = "json_extract"
    inherit_cache = True


@compiles(_Elements, "postgresql")
def _elements(element: _Elements, compiler: SQLCompiler, **how: Any) -> str:
    return f"jsonb_array_elements(CAST({compiler.process(element.clauses, **how)} AS jsonb))"


@compiles(_Member)
def _member(element: _Member, compiler: SQLCompiler, **how: Any) -> str:
    array, place = (compiler.process(one, **how) for one in element.clauses)
    return f"json_extract({array}, '$[' || {place} || ']')"


@compiles(_Member, "postgresql")
def _member_text(element: _Member, compiler: SQLCompiler, **how: Any) -> str:
    array, place = (compiler.process(one, **how) for one in element.clauses)
    return f"({array} ->> {place})"


def pairs(given: Iterable[tuple[str, int]]) -> Subquery:
    """Return texts and numbers as a table of a statement, `text` and `number`: one value, however many they are."""
    each = _Elements(json.dumps(list(given))).table_valued("value")
    text, number = (_Member(each.c.value, literal_column(place)) for place in "01")
    return select(cast(text, TEXT).label("text"), cast(number, BigInteger).label("number")).subquery()
