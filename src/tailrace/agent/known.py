"""What is known of this host's files: the twin, asked by the source of file events before it walks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.config.folders import holds_table
from tailrace.ecs import COLUMNS
from tailrace.engines.polars import PolarsEngine
from tailrace.store.table import LogTable
from tailrace.twin.reading import Twin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tailrace.clock import Clock


class KnownFiles:
    """The living paths of one host, read from the tables of a data folder; implements the source's `Known`.

    The twin is let go after each answer: it is asked at a start and after a gap only.
    """

    def __init__(self, data: Path, host: str, clock: Clock) -> None:
        self._data = data
        self._host = host
        self._clock = clock

    def known(self, roots: Sequence[str]) -> pl.DataFrame:
        """Return one row per living path at or below the roots, with the `file_*` columns of `ecs`."""
        if not holds_table(self._data):
            return pl.DataFrame(schema={name: dtype for name, dtype in COLUMNS.items() if name.startswith("file_")})
        twin = Twin(self._data, LogTable.open(self._data), PolarsEngine(), self._clock)
        return twin.known(self._host, roots)
