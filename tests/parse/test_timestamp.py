"""Time stamps: exact nanoseconds, zones, years that are not written, dates that do not exist."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.parse import timestamp

NOW = 1_772_704_800 * 10**9  # 2026-03-05T10:00:00Z


def leading(text: str, zone: str = "UTC", observed: int = NOW) -> int | None:
    value = timestamp.leading(pl.Series([text]), pl.Series([observed]), zone).item()
    assert value is None or isinstance(value, int)
    return value


def iso(*texts: str | None, zone: str = "UTC") -> list[int | None]:
    return timestamp.iso(pl.Series(texts, dtype=pl.String), zone).to_list()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-05T10:00:00Z", NOW),
        ("2026-03-05T10:00:00.1Z", NOW + 100_000_000),
        ("2026-03-05T10:00:00.123456789Z", NOW + 123_456_789),
        ("2026-03-05 10:00:00,5", NOW + 500_000_000),
        ("2026-03-05T12:00:00+02:00", NOW),
        ("2026-03-05T12:00:00+0200", NOW),
        ("2026-03-05T12:00:00+02", NOW),
        ("2026-03-05T04:30:00-05:30", NOW),
        ("2026-03-05 10:00:00 UTC", NOW),
        ("2026-03-05 10:00:00", NOW),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
        ("2262-01-01T00:00:00Z", 9_214_646_400 * 10**9),
        ("2263-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("0001-01-01T00:00:00Z", None),
        ("2026-02-29T00:00:00Z", None),
        ("2026-03-05T24:00:00Z", None),
        ("2026-13-05T10:00:00Z", None),
        ("2026-03-05", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_iso(text: str, expected: int | None) -> None:
    assert iso(text) == [expected]
    assert iso(text, "2026-03-05T10:00:00.000001Z", None) == [expected, NOW + 1000, None]


@given(
    st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2200, 1, 1)).map(lambda time: time.replace(microsecond=0)),  # noqa: DTZ001
    st.integers(0, 999_999_999),
    st.integers(0, 9),
    st.integers(-14 * 60, 14 * 60),
)
def test_every_iso_time_is_exact(time: dt.datetime, ns: int, digits: int, offset: int) -> None:
    fraction = f"{ns:09d}"[:digits]
    zone = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
    text = time.strftime("%Y-%m-%dT%H:%M:%S") + ("." + fraction if digits else "")
    days = time.replace(tzinfo=dt.UTC) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    whole = (days.days * 86_400 + days.seconds) * 10**9 + int(fraction.ljust(9, "0"))
    assert iso(text + "Z", text + zone) == [whole, whole - offset * 60 * 10**9]
    assert iso(text + "Z") == [whole]
    assert leading(text + "Z rest") == whole


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_772_704_800, NOW),
        (1_772_704_800_123, NOW + 123 * 10**6),
        (1_772_704_800_123_456, NOW + 123_456_000),
        (1_772_704_800_123_456_789, NOW + 123_456_789),
        (1_772_704_800.25, NOW + 250_000_000),
        (1_772_704_800_250.5, NOW + 250_500_000),
        (200, None),
        (-1_772_704_800, None),
        (float("nan"), None),
        (1e300, None),
    ],
)
def test_epoch_numbers(value: float, expected: int | None) -> None:
    assert timestamp.epoch_number(pl.Series([value])).to_list() == [expected]


def test_epoch_digits_keep_nine_digits_of_fraction() -> None:
    texts = pl.Series(["1772704800.123456789", "1772704800", "12", "1772704800.1234567890", "x"])
    assert timestamp.epoch_text(texts).to_list() == [NOW + 123_456_789, NOW, None, None, None]


def test_a_year_that_is_not_written_is_never_in_the_future() -> None:
    day = 86_400 * 10**9
    assert leading("Mar  5 10:00:00 x") == NOW
    assert leading("Mar  6 09:59:59 x") == NOW + day - 10**9  # a clock that is ahead by less than a day
    assert leading("Mar  6 10:00:01 x") == NOW - 364 * day + 10**9
    assert leading("Feb 30 10:00:00 x") is None


def test_zones_of_the_source() -> None:
    assert leading("2026-03-05 11:00:00 x", "Europe/Berlin") == NOW
    assert leading("2026/03/05 05:00:00 [error] x", "America/New_York") == NOW
    assert leading("2026-03-05T10:00:00Z x", "America/New_York") == NOW


def test_the_local_zone_is_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert leading("2026-03-05 19:00:00 x", "local") == NOW
    monkeypatch.setenv("TZ", ":Europe/Berlin")
    assert timestamp.zone_name("local") == "Europe/Berlin"
    monkeypatch.setenv("TZ", "XYZ5nonsense")
    assert timestamp.zone_name("local") == "UTC"


def test_shapes_mixed_in_one_column_each_find_their_rows() -> None:
    texts = ["2026-03-05 10:00:00 a", "none", "Mar  5 10:00:00 b", "1772704800 c", None, "2026-03-05 10:00:01 d"]
    times = timestamp.leading(pl.Series(texts), pl.Series([NOW] * 6), "UTC").to_list()
    assert times == [NOW, None, NOW, NOW, None, NOW + 10**9]
