"""What was pushed before this process began, read back from the table: a sender may repeat it after a restart.

A sender whose push was stored and whose answer was lost with the server tries again within minutes. So the first push
after a start reads the newest rows of no file that were received in the last `limits.PUSH_RECALL_S` before it, once;
from then on memory does (`push_repeats`). Comes out: the rows as a push has them, `_stream`, `_time_ns`, `_line` and
their fields. Refuses: `TransientError` while the table cannot be read, so that the sender comes again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from tailrace import limits
from tailrace.batch import field_column
from tailrace.clock import NS_PER_S
from tailrace.contracts import Bound
from tailrace.errors import TransientError
from tailrace.query.load import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.contracts import Snapshot
    from tailrace.web.services import Services

_EVER_NS: Final = 2**63 - 1
_ENVELOPE: Final = ("_stream", "_time_ns", "_line", "_more")
_ATTEMPTS: Final = 3


def recalled(services: Services) -> pl.DataFrame:
    """Return what was pushed shortly before this process began."""
    for _ in range(_ATTEMPTS):
        try:
            return _read(services, services.table.snapshot())
        except FileNotFoundError:  # compacted meanwhile
            continue
    raise TransientError("segments of the table vanish faster than they can be read; try again")


def _read(services: Services, snapshot: Snapshot) -> pl.DataFrame:
    since_ns = services.started_ns - int(limits.PUSH_RECALL_S * NS_PER_S)
    segments = snapshot.segments(-_EVER_NS, _EVER_NS, [Bound("_observed_ns", ">=", since_ns)])
    names = _names(snapshot)
    kept = {name: snapshot.columns[name] for name in (*_ENVELOPE, "_observed_ns", "_offset", *names)}
    if segments.frame.is_empty():
        return pl.DataFrame(schema={name: kept[name] for name in _ENVELOPE})
    scan = services.engine.scan(segments, kept)
    scan = scan.filter((nw.col("_observed_ns") >= since_ns) & nw.col("_offset").is_null())
    found = services.engine.collect(scan).sort("_observed_ns", maintain_order=True).tail(limits.PUSH_REPEATS)
    held = [name for name in names if found[name].null_count() < found.height]
    return found.select(*_ENVELOPE, *held).rename({name: names[name] for name in held})


def _names(snapshot: Snapshot) -> Mapping[str, str]:
    """Return the columns of fields with the names that they have in a push, whose fields are texts."""
    return {
        column: field_column(name) if snapshot.columns[column] == pl.String else f"\0{column}"
        for name, columns in Fields.of(snapshot).columns.items()
        for column in columns
    }
