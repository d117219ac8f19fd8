"""The panel of a line: the line as the query shows it, as the table holds it, and the types of its fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.search.address import read_address
from tailrace.web.explorer.search.stored import Stored, kind_of, row_at, spelled, stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.web.explorer.search.address import Address
    from tailrace.web.explorer.search.rows import Row
    from tailrace.web.services import Services


@dataclass(frozen=True, slots=True)
class Panel:
    """One line with everything that is known of it."""

    address: Address
    row: Row
    line: Stored
    kinds: Mapping[str, str]  # types of fields by name


def panel(services: Services, query: str, text: str) -> Panel | None:
    """Return the panel of the line at an address; None if there is no such line.

    Where the query leaves the line out, or is none for lines, it is shown without what the query would parse.
    """
    address = read_address(text)
    line = stored(services, address)
    if line is None:
        return None
    row = _asked(services, query, address) or row_at(services, line.selector(services), address)
    if row is None:
        return None
    kinds = {name: kind_of(services, name, value) for name, value in row.fields.items()}
    return Panel(address, row, line, kinds | {name: spelled(value) for name, value in row.parsed.items()})


def _asked(services: Services, query: str, address: Address) -> Row | None:
    try:
        lines = isinstance(parser.parse(query), LogQuery)
    except QueryError:
        return None
    return row_at(services, query, address) if lines else None
