"""Ranges from flags; now is 2026-01-02T00:00:00Z."""

from __future__ import annotations

import pytest

from tailrace.cli.span import Span, span
from tailrace.errors import QueryError

NOW = 1_767_312_000 * 10**9  # 20,455 days after 1970-01-01
HOUR = 3_600 * 10**9


@pytest.mark.parametrize(
    ("since", "start", "end", "expected"),
    [
        (None, None, None, Span()),
        ("1h", None, None, Span(NOW - HOUR, NOW)),
        ("1d12h", None, "now-1h", Span(NOW - 36 * HOUR, NOW - HOUR)),
        (None, "2h", None, Span(start_ns=NOW - 2 * HOUR)),
        (None, "now-2h", "1h", Span(NOW - 2 * HOUR, NOW - HOUR)),
        (None, None, "now", Span(end_ns=NOW)),
        (None, "2026-01-01T23:00:00Z", "2026-01-02T00:30:00+00:30", Span(NOW - HOUR, NOW)),
        (None, "2026-01-01 23:00", None, Span(start_ns=NOW - HOUR)),  # no zone: UTC
        (None, "1767308400", "1767312000000000000", Span(NOW - HOUR, NOW)),
    ],
)
def test_ranges(since: str | None, start: str | None, end: str | None, expected: Span) -> None:
    assert span(since, start, end, NOW) == expected


@pytest.mark.parametrize(
    ("since", "start", "end", "said"),
    [
        ("1h", "2h", None, "--since and --from both say where to start (give one of them)"),
        ("soon", None, None, "--since='soon' is no duration"),
        (None, "yesterday", None, "--from='yesterday' is no time"),
        (None, None, "1x", "--to='1x' is no time"),
        (None, "1h", "2h", "the range is empty: it starts at 2026-01-01T23:00:00Z and ends at 2026-01-01T22:00:00Z"),
        (None, "1h", "1h", "the range is empty"),
        ("0s", None, None, "the range is empty"),
    ],
)
def test_mistakes(since: str | None, start: str | None, end: str | None, said: str) -> None:
    with pytest.raises(QueryError) as caught:
        span(since, start, end, NOW)
    assert caught.value.one_line().startswith(said)


def test_words() -> None:
    assert str(Span()) == "all times"
    assert str(Span(NOW - HOUR, NOW)) == "from 2026-01-01T23:00:00Z to 2026-01-02T00:00:00Z"
    assert str(Span(end_ns=NOW)) == "from the first line to 2026-01-02T00:00:00Z"
