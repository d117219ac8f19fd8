from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.errors import QueryError
from tailrace.web.times import duration_ns, iso, moment_ns, time_ns

S = 1_000_000_000
NEW_YEAR = 1_767_225_600  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("4000000000", 4_000_000_000 * S),  # Grafana's health check: ten digits are seconds
        ("1767225600", NEW_YEAR * S),
        ("1767225600000000001", NEW_YEAR * S + 1),
        ("17672256000", 17_672_256_000),  # eleven digits are nanoseconds
        ("1767225600.5", NEW_YEAR * S + S // 2),
        ("1767225600.0015", NEW_YEAR * S + 2_000_000),  # the fraction is rounded to milliseconds
        ("1767225600.0004999", NEW_YEAR * S),
        ("1.7672256e9", NEW_YEAR * S),
        ("-1.5", -1_500_000_000),
        ("2026-01-01T00:00:00Z", NEW_YEAR * S),
        ("2026-01-01T00:00:00.678Z", NEW_YEAR * S + 678_000_000),
        ("2026-01-01T00:00:00.000000001Z", NEW_YEAR * S + 1),
        ("2026-01-01T01:30:00+01:30", NEW_YEAR * S),
        ("2025-12-31t19:00:00-05:00", NEW_YEAR * S),
    ],
)
def test_a_time_reads_in_every_spelling_of_the_api(text: str, expected: int) -> None:
    assert time_ns(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "yesterday",
        "2026-13-01T00:00:00Z",
        "12:00",
        "1e999999999",
        "NaN",
        "inf",
        "9" * 40,
        "1 2",
        "²³",
        "0x10",
    ],
)
def test_what_is_no_time_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(QueryError, match=r"^start="):
        time_ns(text, "start")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("60", 60 * S),
        ("0.5", S // 2),
        ("60000ms", 60 * S),  # Grafana
        ("1m0s", 60 * S),  # logcli
        ("1m", 60 * S),
        ("1h30m", 5_400 * S),
        ("1d", 86_400 * S),
        ("1w", 604_800 * S),
        ("1y", 31_536_000 * S),
        ("-5", -5 * S),
    ],
)
def test_a_duration_reads_in_every_spelling_of_the_api(text: str, expected: int) -> None:
    assert duration_ns(text) == expected


@pytest.mark.parametrize("text", ["", "1.5s", "30m1h", "1h1h", "h", "5 m", "1us", "1e400"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match=r"^step="):
        duration_ns(text)


def test_a_moment_may_be_relative_to_now() -> None:
    assert moment_ns("now", 100 * S, "to") == 100 * S
    assert moment_ns("now-1m30s", 100 * S, "from") == 10 * S
    assert moment_ns("50", 100 * S, "from") == 50 * S
    with pytest.raises(QueryError):
        moment_ns("now-soon", 100 * S, "from")


@given(st.integers(-(2**60), 2**62))
def test_what_is_written_reads_the_same(ns: int) -> None:
    assert time_ns(iso(ns)) == ns


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    for read in (time_ns, duration_ns):
        with suppress(QueryError):
            assert isinstance(read(text), int)
