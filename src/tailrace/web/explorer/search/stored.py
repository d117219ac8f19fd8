"""One line as the table holds it, found by its address: what no query shows, such as its bytes and when it was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import narwhals as nw

from tailrace.batch import ENVELOPE, stream_labels
from tailrace.query.afresh import afresh
from tailrace.query.detected import TYPES
from tailrace.query.labels import label_names
from tailrace.query.syntax import LogQuery, Matcher, Selector
from tailrace.web.explorer.search.address import key_of, place_of
from tailrace.web.explorer.search.found import FIRST_NS, LAST_NS
from tailrace.web.explorer.search.pages import ask
from tailrace.web.explorer.search.rows import Row, rows_of

if TYPE_CHECKING:
    import polars as pl

    from tailrace.web.explorer.search.address import Address
    from tailrace.web.services import Services

_COLUMNS: Final = (
    *("_time_ns", "_observed_ns", "_stream", "_line", "_offset"),
    *("_format", "_error", "_raw", "_part", "_part_last"),
)
_NAMES: Final = {"Int64": "int", "Float64": "float", "Boolean": "bool", "String": "string"}


@dataclass(frozen=True, slots=True)
class Stored:
    """A line with what was written down about it."""

    time_ns: int
    observed_ns: int | None
    stream: str
    line: str
    offset: int | None
    format: str | None
    error: str | None
    raw: bytes | None  # the exact bytes, only where they are no UTF-8
    part: int | None
    part_last: bool | None

    @property
    def key(self) -> str:
        """What tells it from other lines of its time."""
        return key_of(self.stream, self.offset, self.line)

    @property
    def content(self) -> bytes:
        """The bytes of the line."""
        return self.line.encode("utf-8", "surrogatepass") if self.raw is None else self.raw

    def selector(self, services: Services) -> str:
        """Return the query for its stream and no other: labels that streams like it have besides are empty."""
        own = dict(stream_labels(self.stream))
        narrow = [Matcher(name, "=", value) for name, value in own.items()]
        others = label_names(services.table, FIRST_NS, LAST_NS, Selector(tuple(narrow)))
        narrow += [Matcher(name, "=", "") for name in others if name not in own]
        return str(LogQuery(Selector(tuple(narrow)), ()))


def stored(services: Services, address: Address) -> Stored | None:
    """Return the line at an address; None if there is none (any more). Costs a scan of the segments of its time."""
    frame = afresh(lambda: _scanned(services, address))
    at = place_of(frame, address.key, rewritten=True)
    return None if at is None else Stored(*frame.row(at))


def _scanned(services: Services, address: Address) -> pl.DataFrame:
    segments = services.table.snapshot().segments(address.time_ns, address.time_ns + 1)
    scan = services.engine.scan(segments, {name: ENVELOPE[name] for name in _COLUMNS})
    here = scan.filter(nw.col("_time_ns") == address.time_ns).select(*_COLUMNS)
    return services.engine.collect(here)


def row_at(services: Services, query: str, address: Address) -> Row | None:
    """Return a line as a query shows it; None if the query leaves it out."""
    frame = ask(services, query, address.time_ns, address.time_ns + 1, 0).frame
    at = place_of(frame, address.key, rewritten=True)
    return None if at is None else rows_of(frame)[at]


def kind_of(services: Services, name: str, value: str) -> str:
    """Return the type of a field: that of its column, or the first that its value fits."""
    snapshot = services.table.snapshot()
    kinds = {_NAMES.get(str(snapshot.columns[column])) for column in snapshot.variants(name)}
    kind = kinds.pop() if len(kinds) == 1 else None
    return kind if kind not in (None, "string") else spelled(value)


def spelled(value: str) -> str:
    """Return the type that a text spells."""
    return next((name for name, fits in TYPES.items() if fits(value)), "string")
