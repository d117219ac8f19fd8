"""From the bytes of a request to the rows that are to be stored, for HTTP and gRPC alike.

A record with the attribute `log.record.uid` that was stored before is left out and counted; without it a record that
comes twice is stored twice, and log queries show it once.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, Protocol

import polars as pl

from tailrace.errors import DataError
from tailrace.intake.otlp import from_json
from tailrace.intake.otlp.rows import UID, rows
from tailrace.intake.recall import recent
from tailrace.intake.seen import keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tailrace.contracts import Engine, Table
    from tailrace.intake.seen import Taking
    from tailrace.telemetry import Accounts

_REPEATED: Final = "Records with a key that were stored before, and left out."
_KIND: Final = "otlp"
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class Decoder(Protocol):
    """Makes rows of a body, with the time now, and labels for all of its streams."""

    def __call__(self, body: bytes, now_ns: int, labels: Mapping[str, str] = ...) -> pl.DataFrame:
        """Return the rows."""
        ...


def decoder(kind: Literal["json", "protobuf"]) -> Decoder:
    """Return what makes rows of a body; `DataError` without the library for protobuf."""
    if kind == "json":
        return lambda body, now_ns, labels=_NONE: rows(from_json.decode(body), now_ns, labels)
    try:
        from tailrace.intake.otlp import from_protobuf
    except ImportError:
        raise DataError("protobuf cannot be read here: pip install 'tailrace[otlp]', or send JSON") from None
    return lambda body, now_ns, labels=_NONE: rows(from_protobuf.decode(body), now_ns, labels)


def without_repeats(frame: pl.DataFrame, taking: Taking, accounts: Accounts) -> pl.DataFrame:
    """Return the records that are not known by their key."""
    if UID not in frame.columns:
        return frame
    new = taking.new(keys_of(_keyed(frame)))
    if all(new):
        return frame
    accounts.count("tailrace_intake_repeated_total", _REPEATED, new.count(False), receiver=_KIND)
    return frame.filter(pl.Series(new))


def recalled(table: Table, engine: Engine, started_ns: int) -> Iterator[int]:
    """Yield the keys of records that were stored shortly before the start."""
    found = recent(table, engine, [UID], started_ns)
    return (key for key in keys_of(_keyed(found)) if key is not None)


def _keyed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(kind=pl.lit(_KIND), uid=pl.col(UID).cast(pl.String))
