"""Which format each file has: detected from its first lines, remembered, and looked for again when it stops fitting.

Comes in: the lines of a turn and the origins of its files. Goes out: a format per file. A declared format is not
questioned. What is inside a container's lines has a memory of its own, under a prefix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.limits import DETECT_LINES
from tailrace.parse import detect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.contracts import Origin

WRAPPERS: Final = ("cri", "docker")
"""Formats whose lines hold lines of another format."""

REMEMBERED: Final = 65_536
"""Files of which something is remembered."""

_MISSES: Final = 8  # lines in a row (net of fitting ones) that make a format doubtful


@dataclass(slots=True)
class _Memory:
    """What is known of a file's format."""

    format: str
    seen: int = 0
    misses: int = 0


class Formats:
    """The formats of the files of one source."""

    def __init__(self) -> None:
        self._known: dict[str, _Memory] = {}

    def remember(self, key: str, form: str) -> None:
        """Know the format of a file from before a restart."""
        self._known[key] = _Memory(form)

    def of(self, lines: pl.DataFrame, origins: Sequence[Origin], prefix: str) -> dict[int, str]:
        """Return the format of each origin (by index) that has lines; with a prefix they are what others wrapped."""
        present = lines["_origin"].unique(maintain_order=True).to_list()
        formats: dict[int, str] = {}
        automatic: list[int] = []
        for index in present:
            declared = origins[index].reading.format
            if declared == "auto" or (prefix and declared in WRAPPERS):
                automatic.append(index)
            else:
                formats[index] = declared
        if automatic:
            # A turn of one file, as an import has them, is large: its first lines are enough.
            some = (
                lines.head(4 * DETECT_LINES) if len(present) == 1 else lines.filter(pl.col("_origin").is_in(automatic))
            )
            keys = {index: prefix + origins[index].key for index in automatic}
            formats |= self._settled(some, keys)
            unsure = [index for index in automatic if index not in formats]
            if unsure:
                counts = detect.count(some.filter(pl.col("_origin").is_in(unsure)), "_origin", DETECT_LINES)
                for index in unsure:
                    formats[index] = self._detected(keys[index], counts.get(index), wrapped=bool(prefix))
        return formats

    def _settled(self, lines: pl.DataFrame, keys: Mapping[int, str]) -> dict[int, str]:
        """Return the format of files that have had one for long and go on fitting it: one pattern, not all of them."""
        formats: dict[int, str] = {}
        by_format: dict[str, list[int]] = {}
        for index, key in keys.items():
            memory = self._known.get(key)
            if memory is not None and memory.format in detect.TESTS and memory.seen >= DETECT_LINES:
                by_format.setdefault(memory.format, []).append(index)
        for form, indexes in by_format.items():
            rows = lines if len(indexes) == len(keys) else lines.filter(pl.col("_origin").is_in(indexes))
            counts = detect.count(rows, "_origin", DETECT_LINES, (form,))
            for index in indexes:
                memory, found = self._known[keys[index]], counts.get(index)
                if found is None or memory.misses + found["lines"] - 2 * found[form] < _MISSES:
                    memory.misses = max(0, memory.misses + found["lines"] - 2 * found[form]) if found else memory.misses
                    formats[index] = form
        return formats

    def _detected(self, key: str, counts: dict[str, int] | None, *, wrapped: bool) -> str:
        """Return the format of a file, after looking at the first lines of its newest rows."""
        memory = self._known.get(key)
        if counts is None:  # blank lines only
            return memory.format if memory else "plain"
        if wrapped:
            counts = counts | dict.fromkeys(WRAPPERS, 0)
        if memory is None:
            memory = self._known[key] = _Memory(detect.choose(counts))
            while len(self._known) > REMEMBERED:
                del self._known[next(iter(self._known))]
        elif memory.format in detect.TESTS:
            fits = counts[memory.format]
            memory.misses = max(0, memory.misses + counts["lines"] - 2 * fits)
            if memory.misses >= _MISSES:
                memory.format, memory.misses = detect.choose(counts), 0
        elif memory.seen < DETECT_LINES or counts["lines"] >= _MISSES:
            memory.format = detect.choose(counts)
        memory.seen += counts["lines"]
        return memory.format
