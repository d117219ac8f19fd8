"""The time range that `--since`, `--from` and `--to` ask for; pure.

Times are RFC 3339 (without a zone: UTC), Unix seconds or nanoseconds, `now`, `now-1h`, or a duration, which counts
back from now. Without any flag the range is all of the table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tailrace.errors import QueryError
from tailrace.web.times import MAX_NS, duration_ns, iso, moment_ns

_DURATION: Final = re.compile(r"(\d+(y|w|d|h|ms|m|s))+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start_ns` on, before `end_ns`; either may be open."""

    start_ns: int = -MAX_NS
    end_ns: int = MAX_NS

    def __str__(self) -> str:
        """Say the range in words."""
        if self == Span():
            return "all times"
        start = "the first line" if self.start_ns == -MAX_NS else iso(self.start_ns)
        return f"from {start} to {'the last line' if self.end_ns == MAX_NS else iso(self.end_ns)}"


def span(since: str | None, start: str | None, end: str | None, now_ns: int) -> Span:
    """Return the range; `--since` and `--from` exclude each other."""
    if since is not None and start is not None:
        raise QueryError("--since and --from both say where to start", hint="give one of them")
    start_ns, end_ns = -MAX_NS, MAX_NS
    if since is not None:
        start_ns, end_ns = now_ns - duration_ns(since, "--since"), now_ns
    if start is not None:
        start_ns = _moment(start, now_ns, "--from")
    if end is not None:
        end_ns = _moment(end, now_ns, "--to")
    if start_ns >= end_ns:
        raise QueryError(f"the range is empty: it starts at {iso(start_ns)} and ends at {iso(end_ns)}")
    return Span(start_ns, end_ns)


def _moment(text: str, now_ns: int, flag: str) -> int:
    if _DURATION.fullmatch(text):
        return now_ns - duration_ns(text, flag)
    return moment_ns(text, now_ns, flag)
