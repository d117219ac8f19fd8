"""Some lines of a range that stand for all of them: every line where there are few, else some of each part of it.

The histogram says how many lines each part of the range has, so each is asked for its share, and what is common in the
sample is about as common in the range. Who shows anything of it says of how many lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.web.explorer.search.pages import ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tailrace.web.explorer.search.histogram import Histogram
    from tailrace.web.services import Services

SAMPLE_LINES: Final = 6_000
"""Enough for a share of a percent to be off by about a tenth of one."""
PARTS: Final = 6
"""From each part comes what one look at a large segment gives: six take about a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the range, `start_ns <= time < end_ns`, and how many lines it has."""

    start_ns: int
    end_ns: int
    lines: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Lines as a frame of `query.result.Lines`, out of how many."""

    frame: pl.DataFrame
    total: int

    @property
    def whole(self) -> bool:
        """Tell whether these are all lines."""
        return self.frame.height >= self.total


def sample(services: Services, query: str, buckets: Sequence[Part], most: int = SAMPLE_LINES) -> Sample:
    """Return a sample of about `most` lines; `buckets` cover the range, in the order of time."""
    total = sum(bucket.lines for bucket in buckets)
    parts = [part for part in merged(buckets, PARTS if total > most else 1) if part.lines]
    frames = [
        ask(
            services, query, part.start_ns, part.end_ns, max(1, min(part.lines, round(most * part.lines / total)))
        ).frame
        for part in parts
    ]
    return Sample(pl.concat(frames, how="diagonal") if frames else pl.DataFrame(), total)


def parts(drawing: Histogram, start_ns: int, end_ns: int) -> list[Part]:
    """Return the parts of a range that its histogram tells of."""
    bars = drawing.bars
    return [Part(max(bar.start_ns, start_ns), min(bar.end_ns, end_ns), int(bar.total)) for bar in bars if bar.total]


def parts_before(drawing: Histogram, start_ns: int, end_ns: int) -> list[Part]:
    """Return those of the range that it is compared with."""
    assert drawing.before is not None, "there is such a range"
    shift = drawing.before.shift_ns
    found = zip(drawing.bars, drawing.before.counts, strict=True)
    return [
        Part(max(bar.start_ns, start_ns) - shift, min(bar.end_ns, end_ns) - shift, lines)
        for bar, lines in found
        if lines
    ]


def merged(buckets: Sequence[Part], parts: int) -> Iterator[Part]:
    """Yield at most `parts` parts that cover the buckets and have about as many lines each.

    >>> [part.lines for part in merged([Part(0, 1, 5), Part(1, 2, 5), Part(2, 3, 10)], 2)]
    [10, 10]
    """
    total, before, held = sum(bucket.lines for bucket in buckets), 0, list[Part]()
    for number, bucket in enumerate(buckets):
        held.append(bucket)
        lines = sum(one.lines for one in held)
        if number == len(buckets) - 1 or (before + lines) * parts >= total * (before * parts // max(total, 1) + 1):
            yield Part(held[0].start_ns, bucket.end_ns, lines)
            before, held = before + lines, []
