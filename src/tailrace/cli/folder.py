"""Ask the table in a folder; no server is needed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from tailrace.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tailrace.config.model import Config
    from tailrace.control import Control
    from tailrace.database_url import DatabaseUrl
    from tailrace.query.result import Lines, Series
    from tailrace.store.table import LogTable

Output = Literal["text", "jsonl", "raw", "csv", "parquet"]
TailOutput = Literal["text", "jsonl", "raw"]


def open_table(data: Path | None) -> LogTable:
    """Open the table of a data folder, or at a URL; None is what `TAILRACE_DATA` names, or `data_folder` decides on."""
    from tailrace.config.folders import data_folder, named_data
    from tailrace.store.table import LogTable
    from tailrace.store.urls import url_of

    if url := url_of(named_data() if data is None else str(data)):
        return LogTable.open(data_folder(), url=url)
    folder = data_folder() if data is None else data.expanduser()
    _check(folder)
    return LogTable.open(folder)


def open_configured(config: Config) -> LogTable:
    """Open the table of a configuration."""
    from tailrace.config.tables import open_logs

    if not config.table:
        _check(config.data)
    return open_logs(config)


def _check(folder: Path) -> None:
    from tailrace.config.folders import holds_table

    if not holds_table(folder):
        hint = "name the folder with --data, or fill it with 'tailrace up' or 'tailrace collect'"
        raise TableError(f"there is no table in {folder} ({hint})")


@contextmanager
def opened_control(data: Path, url: DatabaseUrl | None = None, *, create: bool = False) -> Iterator[Control]:
    """Give the control database at an address, or else that of a data folder.

    A folder that is not there is made only if something is to be kept.
    """
    from tailrace.access import audit, tokens  # noqa: F401  what defines tables has to be known before they are made
    from tailrace.alerts import alerting  # noqa: F401  as above
    from tailrace.control import Control
    from tailrace.rollups import tables  # noqa: F401  as above

    if url is None and not create and not data.is_dir():
        raise TableError(f"there is no data folder {data} (name it with --data, or begin with 'tailrace up')")
    control = Control.open(data, url)
    try:
        yield control
    finally:
        control.close()


@contextmanager
def configured_control(
    data: Path | None, config: Path | None, *, create: bool = False
) -> Iterator[tuple[Control, Config]]:
    """Give the control database that flags point to, and the settings beside it: see `opened_control`."""
    from tailrace.config.load import load

    settings = load(config, {"data": data})
    with opened_control(settings.data, settings.control, create=create) as control:
        yield control, settings


def rendered(answer: Lines | Series, output: Output, *, colour: bool = False) -> Iterator[bytes]:
    """Yield the answer in the format, in large pieces."""
    from tailrace.query import render

    if output == "parquet":
        yield render.to_parquet(answer)
        return
    match output:
        case "text":
            pieces = render.to_text(answer, colour=colour)
        case "jsonl":
            pieces = render.to_jsonl(answer)
        case "raw":
            pieces = render.to_raw(answer)
        case "csv":
            pieces = render.to_csv(answer)
    for piece in pieces:
        yield piece.encode("utf-8", "surrogateescape")
