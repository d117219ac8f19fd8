"""Holds what a query answers against what the writers wrote."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from e2e.writers import Writer

_NUMBER = re.compile(r"([\w.-]+\.log) line=(\d+) ")


def faults(rows: Iterable[dict[str, Any]], writers: Sequence[Writer]) -> list[str]:
    """Return what is wrong with the rows of a query over everything: lost, doubled, out of order, changed; else nothing.

    Order is asked for per `filename` label, in the order of the rows. A file that was born and rotated away while
    nobody looked is followed under the name under which it was found.
    """
    by_name = {writer.path.name: writer for writer in writers}
    seen: dict[str, Counter[int]] = {name: Counter() for name in by_name}
    last: dict[tuple[str, str], int] = {}
    wrong: list[str] = []
    for row in rows:
        place = _NUMBER.search(row["line"])
        writer = by_name.get(place[1]) if place else None
        if place is None or writer is None:
            wrong.append(f"a line that nobody wrote: {row}")
            continue
        name, number = place[1], int(place[2])
        filename = row["labels"]["filename"]
        seen[name][number] += 1
        if number >= writer.written or row["line"] != writer.shown[number]:
            wrong.append(f"changed: {row}")
        if not (filename == str(writer.path) or filename.startswith(f"{writer.path}.")):
            wrong.append(f"under a foreign name: {row}")
        if (before := last.get((name, filename), -1)) >= number:
            wrong.append(f"order: line {number} of {name} stands after {before} in {filename}")
        last[name, filename] = number
    for name, numbers in seen.items():
        lost = sorted(set(range(by_name[name].written)) - set(numbers))
        doubled = sorted(number for number, times in numbers.items() if times > 1)
        if lost:
            wrong.append(f"{len(lost)} lines of {name} ({by_name[name].shape}) are lost: {_ranges(lost)}")
        if doubled:
            wrong.append(f"{len(doubled)} lines of {name} ({by_name[name].shape}) are doubled: {_ranges(doubled)}")
    return wrong


def _ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers as ranges.

    >>> _ranges([1, 2, 3, 7])
    '1-3, 7-7'
    """
    starts = [n for place, n in enumerate(numbers) if place == 0 or numbers[place - 1] != n - 1]
    ends = [n for place, n in enumerate(numbers) if place == len(numbers) - 1 or numbers[place + 1] != n + 1]
    return ", ".join(f"{start}-{end}" for start, end in list(zip(starts, ends, strict=True))[:20])
