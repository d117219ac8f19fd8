from __future__ import annotations

import math

import pytest

from tailrace.query import literals

S, M, H, D = 10**9, 60 * 10**9, 3600 * 10**9, 86_400 * 10**9


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("007", 7),
        ("0o17", 15),
        ("0b101", 5),
        ("0xfF", 255),
        ("1_000", 1000),
        ("5.", 5),
        ("1e+3", 1000),
        ("1__0", None),
        ("010", 10),
        ("1e999", None),
        ("9" * 400, None),
        ("", None),
        ("e3", None),
        ("-1", None),
        ("٣", None),
    ],
)
def test_number(text, value):
    assert literals.number(text) == value


@pytest.mark.parametrize(
    ("text", "prometheus", "literal"),
    [
        ("5m", 5 * M, 5 * M),
        ("1y2w3d4h5m6s7ms", 382 * D + 4 * H + 5 * M + 6 * S + 7_000_000, 382 * D + 4 * H + 5 * M + 6 * S + 7_000_000),
        ("1h30m", 5400 * S, 5400 * S),
        ("30m1h", None, 5400 * S),
        ("1m1m", None, 2 * M),
        ("1.5h", None, 5400 * S),
        (".5s", None, S // 2),
        ("10us", None, 10_000),
        ("10µs", None, 10_000),
        ("3ns", None, 3),
        ("1.5d", None, None),
        ("5", None, None),
        ("", None, None),
        ("m", None, None),
        ("400y", None, None),
        ("0s", 0, 0),
    ],
)
def test_durations(text, prometheus, literal):
    assert literals.range_duration(text) == prometheus
    assert literals.duration(text) == literal


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1B", 1),
        ("1kB", 1000),
        ("1KB", 1000),
        ("1K", 1000),
        ("1k", 1000),
        ("1MiB", 1_048_576),
        ("1Gi", 1_073_741_824),
        ("2TB", 2 * 10**12),
        ("1PiB", 2**50),
        ("1.5KiB", 1536),
        ("1EB", None),
        ("1mb", None),
        ("5", None),
        ("99999PB", None),
    ],
)
def test_byte_count(text, size):
    assert literals.byte_count(text) == size


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12.0),
        ("-1.5e3", -1500.0),
        ("+.5", 0.5),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
        ("0x1p4", 16.0),
        ("1_000", None),
        (" 1", None),
        ("1 ", None),
        ("1e999", None),
        ("+nan", None),
        ("", None),
        ("5s", None),
        ("٣", None),
    ],
)
def test_float_of_a_label(text, value):
    assert literals.float_value(text) == value


def test_nan_of_a_label():
    assert math.isnan(literals.float_value("NaN"))


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1h2m3s", 3723 * S),
        ("-1.5s", -1_500_000_000),
        ("+2ms", 2_000_000),
        ("0", 0),
        ("-0", 0),
        ("2us3µs4μs", 9_000),
        ("1d", None),
        ("1w", None),
        ("1y", None),
        ("5", None),
        ("", None),
        ("-", None),
        ("1 s", None),
        ("9999999h", None),
    ],
)
def test_duration_of_a_label(text, ns):
    assert literals.duration_value(text) == ns


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512", 512),
        ("1.5B", 1),
        ("1,024 kib", 1_048_576),
        ("2 MB", 2_000_000),
        ("1e", 10**18),
        ("1 EiB", 2**60),
        ("3gi", 3 * 2**30),
        ("1.2.3", None),
        ("-5", None),
        ("kb", None),
        ("", None),
        (",", None),
        ("99 eb", None),
    ],
)
def test_bytes_of_a_label(text, size):
    assert literals.bytes_value(text) == size


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1us500ns"),
        (90 * S, "1m30s"),
        (D, "1d"),
        (7 * D, "1w"),
        (8 * D, "8d"),
        (365 * D, "1y"),
        (-90 * S, "-1m30s"),
        (36 * H, "1d12h"),
        (D + 1, "24h1ns"),
    ],
)
def test_write_duration(ns, text):
    assert literals.write_duration(ns) == text
    if ns > 0:
        assert literals.duration(text) == ns


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0B"), (999, "999B"), (1000, "1kB"), (1024, "1KiB"), (1500, "1500B"), (2**50, "1PiB")]
)
def test_write_bytes(size, text):
    assert literals.write_bytes(size) == text
    assert literals.byte_count(text) == size


@pytest.mark.parametrize("tail", ["", "s", "B", "kb", "ns", ".5s"])
def test_very_long_digits_are_no_number(tail):
    text = "9" * 5000 + tail
    readers = (
        literals.number,
        literals.range_duration,
        literals.duration,
        literals.byte_count,
        literals.float_value,
        literals.duration_value,
        literals.bytes_value,
    )
    assert [read(text) for read in readers] == [None] * 7
