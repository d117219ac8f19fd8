"""How numbers, durations and byte counts are written, as literals of a query and as values of labels.

The two follow different rules. A *literal* (`5m`, `2d`, `5KB`) is read by `number`, `duration`,
`range_duration` and `byte_count`; the text of a *label* is read by `float_value`, `duration_value` and
`bytes_value`, as Go's `ParseFloat`, `ParseDuration` and the usual byte humaniser do. All return None for
a text that is none. `write_*` are the inverses of the first group. Pure; durations are integers in
nanoseconds.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Final

NS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # micro sign
    "μs": 1_000,  # Greek mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 7 * 86_400_000_000_000,
    "y": 365 * 86_400_000_000_000,
}
"""Nanoseconds of each unit of time."""

MAX_INT64: Final = 2**63 - 1
_MAX_UINT64: Final = 2**64 - 1
_DIGITS: Final = 400  # a longer text is no number: beyond any float, and Python refuses to read far longer ones
_PROMETHEUS: Final = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII
)
_PROMETHEUS_UNITS: Final = ("y", "w", "d", "h", "m", "s", "ms")
_GO_PART: Final = re.compile(r"(\d+\.?\d*|\.\d+)([a-zµμ]+)", re.ASCII)
_GO_UNITS: Final = frozenset({"ns", "us", "µs", "μs", "ms", "s", "m", "h"})
_GO_INT: Final = re.compile(r"0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|0|[1-9](?:_?\d)*", re.ASCII)
_GO_FLOAT: Final = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_HEX_FLOAT: Final = re.compile(r"[+-]?0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*[pP][+-]?\d+", re.ASCII)
_LABEL_FLOAT: Final = re.compile(
    r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|infinity)|nan", re.ASCII | re.IGNORECASE
)
_BYTES_LITERAL: Final = re.compile(r"(\d+\.?\d*|\.\d+)(B|[kKMGTP]i?B?)", re.ASCII)
_BYTES_VALUE: Final = re.compile(r"([0-9.,]+)\s*([a-zA-Z]*)\s*", re.ASCII)
_POWERS: Final = "kmgtpe"


# --- literals ---------------------------------------------------------------------------------------


def number(text: str) -> float | None:
    """Read an unsigned Go integer or float; None when it is none or too large for a float.

    A leading zero alone does not make it octal: Loki reads `010` as ten.

    >>> number("5"), number(".5"), number("1e3"), number("0x10"), number("5m")
    (5.0, 0.5, 1000.0, 16.0, None)
    """
    if _GO_INT.fullmatch(text) and len(text) <= _DIGITS:
        try:
            return float(int(text, 0))
        except OverflowError:
            return None
    if _GO_FLOAT.fullmatch(text):
        value = float(text)
        return value if math.isfinite(value) else None
    return None


def range_duration(text: str) -> int | None:
    """Read a Prometheus duration: whole numbers, units y w d h m s ms, falling, each once.

    >>> range_duration("1h30m"), range_duration("1.5h"), range_duration("30m1h")
    (5400000000000, None, None)
    """
    if text == "0":
        return 0
    match = _PROMETHEUS.fullmatch(text) if len(text) <= _DIGITS else None
    if match is None or not text:
        return None
    total = sum(int(part) * NS[unit] for part, unit in zip(match.groups(), _PROMETHEUS_UNITS, strict=True) if part)
    return total if total <= MAX_INT64 else None


def _go_duration(text: str) -> int | None:
    if len(text) > _DIGITS:
        return None
    total, end = Fraction(0), 0
    while end < len(text):
        part = _GO_PART.match(text, end)
        if part is None or part[2] not in _GO_UNITS:
            return None
        total += Fraction(part[1].rstrip(".")) * NS[part[2]]
        end = part.end()
    return int(total) if text and total <= MAX_INT64 else None


def duration(text: str) -> int | None:
    """Read an unsigned duration literal: the Prometheus form first, then Go's (fractions, ns, us).

    >>> duration("2d"), duration("1.5h"), duration("10us"), duration("1.5d")
    (172800000000000, 5400000000000, 10000, None)
    """
    value = range_duration(text) if text != "0" else None
    return _go_duration(text) if value is None else value


def byte_count(text: str) -> int | None:
    """Read a byte literal, truncated to whole bytes; the `B` may be missing after a prefix.

    >>> byte_count("5KB"), byte_count("5Ki"), byte_count("1.5kB"), byte_count("5m")
    (5000, 5120, 1500, None)
    """
    match = _BYTES_LITERAL.fullmatch(text) if len(text) <= _DIGITS else None
    if match is None:
        return None
    size = int(Fraction(match[1].rstrip(".")) * _multiplier(match[2].lower()))
    return size if size <= MAX_INT64 else None


def _multiplier(unit: str) -> int:
    unit = unit.removesuffix("b")
    if not unit:
        return 1
    return int((1024 if unit.endswith("i") else 1000) ** (_POWERS.index(unit[0]) + 1))


def write_number(value: float) -> str:
    """Write a number so that `number` reads the same; a sign goes in front.

    >>> write_number(5.0), write_number(-0.5), write_number(1e300)
    ('5', '-0.5', '1e+300')
    """
    return repr(value).removesuffix(".0")


def write_duration(ns: int) -> str:
    """Write a duration in the Prometheus form, or in Go's when it has parts below a millisecond.

    >>> write_duration(5400000000000), write_duration(1500000), write_duration(-60000000000), write_duration(0)
    ('1h30m', '1ms500us', '-1m', '0s')
    """
    if ns <= 0:
        return "-" + write_duration(-ns) if ns else "0s"
    units: tuple[str, ...] = (
        ("w", "d", "h", "m", "s", "ms") if ns % NS["ms"] == 0 else ("h", "m", "s", "ms", "us", "ns")
    )
    if ns % NS["y"] == 0:
        return f"{ns // NS['y']}y"
    if ns % NS["w"]:
        units = tuple(unit for unit in units if unit != "w")
    text = ""
    for unit in units:
        count, ns = divmod(ns, NS[unit])
        text += f"{count}{unit}" if count else ""
    return text


def write_bytes(size: int) -> str:
    """Write a byte count with the unit that makes it shortest.

    >>> write_bytes(5000), write_bytes(5120), write_bytes(1234), write_bytes(0)
    ('5kB', '5KiB', '1234B', '0B')
    """
    texts = [f"{size}B"]
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB", "kB", "MB", "GB", "TB", "PB"):
        count, rest = divmod(size, _multiplier(unit.lower()))
        if count and not rest:
            texts.append(f"{count}{unit}")
    return min(texts, key=len)


# --- values of labels -------------------------------------------------------------------------------


def float_value(text: str) -> float | None:
    """Read a label as Go's `ParseFloat` does.

    >>> float_value("1e3"), float_value("-Inf"), float_value(" 5"), float_value("5ms")
    (1000.0, -inf, None, None)
    """
    if _LABEL_FLOAT.fullmatch(text):
        value = float(text)
        return None if math.isinf(value) and text[-1] not in "fFyY" else value
    if _HEX_FLOAT.fullmatch(text):
        try:
            return float.fromhex(text)
        except (ValueError, OverflowError):
            return None
    return None


def duration_value(text: str) -> int | None:
    """Read a label as Go's `ParseDuration` does, in nanoseconds: units ns to h; d, w and y are none.

    >>> duration_value("1h30m"), duration_value("-1.5s"), duration_value("1d"), duration_value("5"), duration_value("0")
    (5400000000000, -1500000000, None, None, 0)
    """
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    if unsigned == "0":
        return 0
    value = _go_duration(unsigned)
    return -value if value is not None and text[0] == "-" else value


def bytes_value(text: str) -> int | None:
    """Read a label as a byte count: unit in any case, commas skipped, truncated; a bare number is bytes.

    >>> bytes_value("1.5B"), bytes_value("1,024 kib"), bytes_value("5"), bytes_value("5 parsecs")
    (1, 1048576, 5, None)
    """
    match = _BYTES_VALUE.fullmatch(text) if len(text) <= _DIGITS else None
    if match is None:
        return None
    digits, unit = match[1].replace(",", ""), match[2].lower()
    if not _GO_FLOAT.fullmatch(digits) or not re.fullmatch(r"b?|[kmgtpe]i?b?", unit):
        return None
    size = int(Fraction(digits.rstrip(".")) * _multiplier(unit))
    return size if size <= _MAX_UINT64 else None
