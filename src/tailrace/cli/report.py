"""Print a report of the store, any frozen dataclass: as JSON, or as names and values for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from tailrace.cli import output
from tailrace.web.times import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import DataclassInstance


def show(report: DataclassInstance, *, json: bool) -> None:
    """Print a report: single values first, then a table of each list in it."""
    if json:
        output.as_json(asdict(report))
        return
    values = {field.name: getattr(report, field.name) for field in fields(report)}
    lists = {name: value for name, value in values.items() if _is_list(value)}
    output.table((words(name), text(name, value)) for name, value in values.items() if name not in lists)
    for name, value in lists.items():
        output.line(f"\n{words(name)}")
        for row in _rows(value):
            output.line(f"  {row}")


def words(name: str) -> str:
    """Return the name of a value as a person reads it.

    >>> words("log_bytes"), words("min_time_ns"), words("bytes")
    ('log', 'min time', 'bytes')
    """
    return name.removesuffix("_ns").removesuffix("_bytes").replace("_", " ")


def text(name: str, value: Any) -> str:  # a report's values are whatever JSON holds
    """Return a value as a person reads it: sizes with units, times as RFC 3339.

    >>> text("log_bytes", 2048), text("max_time_ns", 0), text("rows", 12345), text("by", ("age", "size"))
    ('2.0 KiB', '1970-01-01T00:00:00Z', '12,345', 'age, size')
    """
    parts = name.split("_")
    match value:
        case None | () | []:
            shown = "none"
        case bool():
            shown = "yes" if value else "no"
        case int() if parts[-1] == "ns":
            shown = iso(value)
        case int() if "bytes" in parts:
            shown = output.size(value)
        case int():
            shown = f"{value:,}"
        case list() | tuple():
            shown = ", ".join(map(str, value))
        case Mapping():
            shown = ", ".join(f"{key} {text('', inner)}" for key, inner in value.items()) or "none"
        case _:
            shown = str(value)
    return shown


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and is_dataclass(value[0])


def _rows(items: Sequence[DataclassInstance]) -> list[str]:
    """Return the lines of a table with a header; numbers stand to the right."""
    names = [field.name for field in fields(items[0])]
    cells = [[text(name, getattr(item, name)) for name in names] for item in items]
    right = [isinstance(getattr(items[0], name), int) for name in names]
    table = [[words(name) for name in names], *cells]
    widths = [max(len(row[column]) for row in table) for column in range(len(names))]
    return [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in table
    ]
