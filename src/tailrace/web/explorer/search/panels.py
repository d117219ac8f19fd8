"""The panel of a line: the line as the query shows it, as the table holds it, and the types of its fields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.query.result import PARSED
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.search.address import key_of, place_of, read_address
from tailrace.web.explorer.search.pages import ask
from tailrace.web.explorer.search.stored import Stored, kind_of, row_at, spelled, stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.web.explorer.search.address import Address
    from tailrace.web.explorer.search.rows import Row
    from tailrace.web.services import Services

_ORIGINAL: Final = "tailrace_original_line"
"""A label that carries a line past the stages that rewrite it."""


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
    log = _log(query)
    line = stored(services, address) or (_rewritten(services, log, address) if log else None)
    if line is None:
        return None
    row = row_at(services, query, address) if log else None
    row = row or row_at(services, line.selector(services), replace(address, key=line.key))
    if row is None:
        return None
    kinds = {name: kind_of(services, name, value) for name, value in row.fields.items()}
    return Panel(address, row, line, kinds | {name: spelled(value) for name, value in row.parsed.items()})


def _log(query: str) -> LogQuery | None:
    try:
        tree = parser.parse(query)
    except QueryError:
        return None
    return tree if isinstance(tree, LogQuery) else None


def _rewritten(services: Services, log: LogQuery, address: Address) -> Stored | None:
    """Return the pushed line that a query shows with the text of an address, in which it is written differently."""
    carried = _log(f"{log.selector} | label_format {_ORIGINAL}=`{{{{__line__}}}}`")
    assert carried is not None, "a selector and a stage are a log query"
    query = str(replace(log, stages=(*carried.stages, *log.stages)))
    frame = ask(services, query, address.time_ns, address.time_ns + 1, 0).frame
    at, column = place_of(frame, address.key), f"{PARSED}{_ORIGINAL}"
    if at is None or column not in frame.columns:
        return None
    key = key_of(frame["_stream"][at], None, frame[column][at] or "")
    return stored(services, replace(address, key=key))
