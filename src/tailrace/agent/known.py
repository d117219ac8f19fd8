"""What is known of this host's files: the twin, asked by the source of file events before it walks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.config.tables import may_hold_table, open_logs
from tailrace.ecs import COLUMNS
from tailrace.engines.polars import PolarsEngine
from tailrace.twin.reading import Twin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.clock import Clock
    from tailrace.config.model import Config


class KnownFiles:
    """The living paths of one host, read from the tables of a configuration; implements the source's `Known`.

    The twin is let go after each answer: it is asked at a start and after a gap only.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._clock = clock

    def known(self, roots: Sequence[str]) -> pl.DataFrame:
        """Return one row per living path at or below the roots, with the `file_*` columns of `ecs`."""
        if not may_hold_table(self._config):
            return pl.DataFrame(schema={name: dtype for name, dtype in COLUMNS.items() if name.startswith("file_")})
        twin = Twin(open_logs(self._config), PolarsEngine(), self._clock)
        return twin.known(self._config.host, roots)
