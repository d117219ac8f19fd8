"""What one turn is on its way through the chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from tailrace.contracts import Origin, Reading


@dataclass(frozen=True, slots=True)
class Parsed:
    """Records with `_in_lines` and `_in_bytes`, and how many lines and bytes were read in the turn."""

    frame: pl.DataFrame
    lines: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Group:
    """Files of a turn, by index, that are parsed as one frame."""

    format: str
    reading: Reading
    origins: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """Rows that parsers are to read; `text` is them as bytes, `outer` names the fields of their wrapping."""

    rows: pl.DataFrame
    groups: Sequence[Group]
    text: bytes | None = None
    outer: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A turn as rows: what is still to parse, and what needs no parser."""

    origins: Sequence[Origin]
    jobs: Sequence[Job]
    ready: Sequence[pl.DataFrame]
    lines: int
    bytes: int
