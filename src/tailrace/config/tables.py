"""Open the table that a configuration names: in its data folder or at its URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.config.folders import holds_table
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from tailrace.config.model import Config
    from tailrace.store.settings import StoreSettings


def open_logs(config: Config, *, create: bool = False, settings: StoreSettings | None = None) -> LogTable:
    """Open the table `logs` of a configuration; with `create`, make it if there is none."""
    settings = settings or config.store
    return LogTable.open(config.data, create=create, settings=settings, url=config.table, objects=config.objects)


def may_hold_table(config: Config) -> bool:
    """Tell whether there is a table; one in object storage says itself when it is opened."""
    return bool(config.table) or holds_table(config.data)
