"""What an exporter makes of some lines: the values that a scrape shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from tailrace.contracts import Block, Origin, Reading
from tailrace.export.counting import Counting
from tailrace.exposition import choose, render
from tailrace.parse.chain import Chain

if TYPE_CHECKING:
    from tailrace.export.profile import Profile

NOW_NS = 1_800_000_000_000_000_000


def counted(profile: Profile, text: str, line_pattern: str | None = None, *, pieces: int = 1) -> Counting:
    """Return what counted the lines of a text, in some pieces; everything is over and shown."""
    counting = Counting(profile, line_pattern, "UTC")
    chain = Chain()
    form = profile.format if line_pattern is None else "timestamped"
    origin = Origin("k", {"filename": "/var/log/x.log"}, Reading(form, timezone="UTC"))
    lines = text.encode().splitlines(keepends=True)
    size, offset = -(-len(lines) // pieces), 0
    for start in range(0, len(lines), size):
        data = b"".join(lines[start : start + size])
        frame = chain.parse([Block(origin, offset, data, NOW_NS)]).frame
        reduced = counting.reduce(frame, NOW_NS)
        assert not len(reduced.frame)
        assert reduced.dropped == (("metrics", len(lines[start : start + size]), len(data)),)
        offset += len(data)
    counting.flush(NOW_NS + 10**10, final=False)
    counting.edition()()
    return counting


def values(counting: Counting) -> dict[str, dict[str, float]]:
    """Return the values by name and by labels, `name="value"` joined by commas."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(render(counting.families(), choose("")).decode()):
        for sample in family.samples:
            text = ",".join(f'{name}="{sample.labels[name]}"' for name in sorted(sample.labels))
            found.setdefault(sample.name, {})[text] = sample.value
    return found
