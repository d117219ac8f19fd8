"""Reports as a person reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.cli import report

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest


@dataclass(frozen=True)
class Row:
    name: str
    bytes: int


@dataclass(frozen=True)
class Whole:
    rows: int
    min_time_ns: int | None
    dry_run: bool
    by: tuple[str, ...]
    positions: Mapping[str, int]
    items: tuple[Row, ...]


def test_values_first_then_tables(capsys: pytest.CaptureFixture[str]) -> None:
    whole = Whole(1234, None, True, (), {"a": 5}, (Row("long name", 1), Row("b", 2048)))
    report.show(whole, json=False)
    assert capsys.readouterr().out == (
        "rows       1,234\n"
        "min time   none\n"
        "dry run    yes\n"
        "by         none\n"
        "positions  a 5\n"
        "\n"
        "items\n"
        "  name         bytes\n"
        "  long name      1 B\n"
        "  b          2.0 KiB\n"
    )


def test_json_keeps_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    report.show(Row("a", 2048), json=True)
    assert capsys.readouterr().out == '{\n  "name": "a",\n  "bytes": 2048\n}\n'
