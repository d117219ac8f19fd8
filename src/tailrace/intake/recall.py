"""What receivers stored shortly before this process began, read back from the table to recognise repeats.

A sender whose records were stored and whose answer was lost with the server sends them again within minutes. Comes in:
the fields that make a record's key. Goes out: those of the newest rows of no file, received within the last
`limits.PUSH_RECALL_S` before the start. Refuses: `TransientError` while the table cannot be read, so that the sender
comes again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from tailrace import limits
from tailrace.clock import NS_PER_S
from tailrace.contracts import Bound
from tailrace.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.contracts import Engine, Snapshot, Table

_EVER_NS: Final = 2**63 - 1
_ENVELOPE: Final = ("_stream", "_time_ns", "_observed_ns", "_line")
_ATTEMPTS: Final = 3


def recent(table: Table, engine: Engine, fields: Sequence[str], started_ns: int) -> pl.DataFrame:
    """Return `_stream`, times, `_line` and the fields, as text, of rows that have all of the fields."""
    for _ in range(_ATTEMPTS):
        try:
            return _read(table.snapshot(), engine, fields, started_ns - int(limits.PUSH_RECALL_S * NS_PER_S))
        except FileNotFoundError:  # compacted meanwhile
            continue
    raise TransientError("segments of the table vanish faster than they can be read; try again")


def _read(snapshot: Snapshot, engine: Engine, fields: Sequence[str], since_ns: int) -> pl.DataFrame:
    columns = {field: snapshot.variants(field) for field in fields}
    segments = snapshot.segments(-_EVER_NS, _EVER_NS, [Bound("_observed_ns", ">=", since_ns)])
    if segments.frame.is_empty() or not all(columns.values()):
        return pl.DataFrame(schema={**dict.fromkeys(_ENVELOPE, pl.String), **dict.fromkeys(fields, pl.String)})
    names = [*_ENVELOPE, "_offset", *(name for found in columns.values() for name in found)]
    scan = engine.scan(segments, {name: snapshot.columns[name] for name in names})
    scan = scan.filter((nw.col("_observed_ns") >= since_ns) & nw.col("_offset").is_null())
    for found in columns.values():
        scan = scan.filter(nw.any_horizontal(*(~nw.col(name).is_null() for name in found), ignore_nulls=False))
    rows = engine.collect(scan).sort("_observed_ns", maintain_order=True).tail(limits.PUSH_REPEATS)
    texts = {field: pl.coalesce(pl.col(found).cast(pl.String)) for field, found in columns.items()}
    return rows.select(*_ENVELOPE, **texts)
