"""Time stamps of the usual formats, to nanoseconds of Unix time.

Comes in: a column of text (or numbers) and the zone of stamps that name none. Goes out: Int64, exact to
the nanosecond, null where there is no such stamp or no such date. Refuses nothing: a wrong date is null.

The ways to write a time are the shapes of `stamp_shapes`. Those without a year get the latest year that does not put
them more than a day after the time of reading: logs are written before they are read, and clocks may differ by a zone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import polars as pl

from tailrace.parse import groups
from tailrace.parse.stamp_shapes import CLF, ISO, LEADING, SHAPES, Shape

__all__ = ["CLF", "ISO", "LEADING", "SHAPES", "Shape"]

_RANGE_US: Final = 2**63 // 1_000 - 2 * 86_400 * 10**6  # two days short, for offsets
_DAY_NS: Final = 86_400 * 10**9
_DISTINCT_ROWS: Final = 512  # from here on it pays to look for equal texts first
_LEAP_YEARS: Final = 8  # the widest gap between two 29ths of February
_WIDTHS: Final = (20, *range(22, 31))  # of RFC 3339 in UTC with `Z`: no fraction, or a point and 1 to 9 digits
_EPOCH: Final = r"^\[?(\d{9,10}(?:\.\d{1,9})?|\d{13}|\d{16}|\d{19})(?:[\]\s,;:|]|$)"


def zone_name(timezone: str) -> str:
    """Return the IANA name of a zone; `local` is the machine's."""
    if timezone != "local":
        return timezone
    named = os.environ.get("TZ", "").removeprefix(":")
    if not named:
        target = str(Path("/etc/localtime").resolve())
        named = target.partition("zoneinfo/")[2]
    try:
        pl.select(pl.datetime(2000, 1, 1).dt.replace_time_zone(named or None))
    except pl.exceptions.PolarsError:  # an old-fashioned rule such as `XYZ5`: no IANA name
        return "UTC"
    return named or "UTC"


def leading(text: pl.Series, observed_ns: pl.Series, timezone: str) -> pl.Series:
    """Return the times that stand at the start of texts, in any of the shapes.

    Each shape is tried on the rows that are still without a time, so a uniform file costs one pattern.
    """
    frame = pl.DataFrame({"text": text, "observed": observed_ns})
    found = pl.Series("ns", [None], dtype=pl.Int64).new_from_index(0, len(text))
    open_rows = pl.int_range(len(text), eager=True)
    for shape in SHAPES:
        part = frame if len(open_rows) == len(frame) else frame[open_rows]
        times = parse_shape(shape, part["text"], part["observed"], timezone)
        if times.null_count() == len(times):
            continue
        hit = times.is_not_null()
        found = times if len(open_rows) == len(frame) else found.scatter(open_rows.filter(hit), times.filter(hit))
        open_rows = open_rows.filter(~hit)
        if not len(open_rows):
            return found
    times = epoch_start(frame["text"][open_rows])
    hit = times.is_not_null()
    return found.scatter(open_rows.filter(hit), times.filter(hit)) if hit.any() else found


def epoch_start(text: pl.Series) -> pl.Series:
    """Return the times of digits since 1970 that texts begin with."""
    return epoch_text(text.str.extract(_EPOCH, 1))


def parse_shape(shape: Shape, text: pl.Series, observed_ns: pl.Series, timezone: str) -> pl.Series:
    """Return the times of texts that start with one shape, null for the others."""
    if len(text) >= _DISTINCT_ROWS and not shape.yearless:
        distinct = text.unique()
        if len(distinct) <= len(text) // 2:
            times = of_parts(shape, groups.extract(distinct, shape.pattern), distinct, timezone)
            return text.replace_strict(distinct, times, return_dtype=pl.Int64)
    return of_parts(shape, groups.extract(text, shape.pattern), observed_ns, timezone)


def of_parts(shape: Shape, parts: pl.DataFrame, observed_ns: pl.Series, timezone: str) -> pl.Series:
    """Return the times of the groups that a shape's pattern found, null where it did not fit."""
    base = parts["base"]
    if base.null_count() == len(parts):
        return base.cast(pl.Int64)
    none = pl.Series([None], dtype=pl.String).new_from_index(0, len(base))
    frac = parts["frac"] if "frac" in parts.columns else none
    if "ms" in parts.columns:
        frac = parts["ms"].str.pad_start(3, "0")
    if not shape.format:
        return epoch_text(base) + _fraction_ns(frac)
    keys = parts.select("base", *(name for name in ("zone", "year") if name in parts.columns))
    if shape.yearless:
        keys = keys.with_columns(observed_ns.alias("observed"))
    seconds = _seconds(shape, keys, timezone)
    if "place" in parts.columns and parts["place"].null_count() < len(parts):
        for place in parts["place"].drop_nulls().unique():
            rows = (parts["place"] == place).arg_true()
            seconds = seconds.scatter(rows, _seconds(shape, keys[rows], _known_zone(place, timezone)))
    return seconds + _fraction_ns(frac)


def _known_zone(name: str, otherwise: str) -> str:
    try:
        pl.select(pl.datetime(2000, 1, 1).dt.replace_time_zone(name))
    except pl.exceptions.PolarsError:
        return otherwise
    return name


def _seconds(shape: Shape, keys: pl.DataFrame, timezone: str) -> pl.Series:
    """Return the times of whole seconds; a log has many lines a second, so each distinct one is read once."""
    if len(keys) >= _DISTINCT_ROWS:
        distinct = keys.unique()
        if len(distinct) <= len(keys) // 2:
            known = distinct.with_columns(_read_seconds(shape, distinct, timezone).alias("ns"))
            return keys.join(known, on=keys.columns, how="left", nulls_equal=True, maintain_order="left")["ns"]
    return _read_seconds(shape, keys, timezone)


def _read_seconds(shape: Shape, keys: pl.DataFrame, timezone: str) -> pl.Series:
    base = keys["base"]
    if "year" in keys.columns:
        base = base + keys["year"]
    if shape.name == "iso":
        base = base.str.replace("T", " ", literal=True)
    elif shape.name in {"after_word", "ruby"}:
        base = base.str.replace("  |T", " ")
    if shape.yearless:
        return _with_year(base, shape.format, keys["observed"], timezone)
    zone = keys["zone"] if "zone" in keys.columns else pl.Series([None], dtype=pl.String).new_from_index(0, len(keys))
    return _to_ns(base.str.to_datetime(shape.format, time_unit="us", strict=False), zone, timezone)


def regular_digits(text: pl.Series) -> int | None:
    """Return the digits of the fraction if all texts look like `2026-03-05T10:00:00.250Z`, with as many digits."""
    sizes = pl.col("t").str.len_bytes()
    look = text.to_frame("t").select(
        least=sizes.min(),
        most=sizes.max(),
        nulls=pl.col("t").is_null().any(),
        utc=pl.col("t").str.ends_with("Z").all(),
        point=(pl.col("t").str.slice(19, 1) == ".").all(),
    )
    least, most, nulls, utc, point = look.row(0)
    if nulls or not utc or least != most or most not in _WIDTHS:
        return None
    digits: int = max(0, most - _WIDTHS[0] - 1)
    return digits if point or not digits else None


def iso(text: pl.Series, timezone: str) -> pl.Series:
    """Return the times of ISO 8601 / RFC 3339 texts that are nothing but a time.

    The way of most JSON logs, all of one width and in UTC, costs no pattern: slices only.
    """
    digits = regular_digits(text)
    if digits is not None:
        return regular(text, digits)
    whole = text.str.extract(r"^\s*(.*?\d\d(?:[.,]\d+)?(?: ?(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?)\s*$", 1)
    return parse_shape(ISO, whole, text, timezone)


def regular(text: pl.Series, digits: int) -> pl.Series:
    """Return the times of texts of which `regular_digits` told the digits of the fraction."""
    base = pl.col("t").str.slice(0, 19).str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
    part = pl.col("t").str.slice(20, digits).str.to_integer(strict=False) * 10 ** (9 - digits)
    parts = text.to_frame("t").select(base=_ns(base), part=part if digits else pl.lit(0))
    return parts["base"] + parts["part"]


def epoch_number(value: pl.Series) -> pl.Series:
    """Return the times of numbers since 1970: seconds, ms, µs or ns by their size (1973 to 2286)."""
    if value.dtype == pl.Float64:
        # A double holds 2^53: seconds keep about a tenth of a microsecond, so round to µs and no finer.
        scale = _scale(value)
        whole = value.floor()
        part = ((value - whole) * 1e6).round() * 1e3
        ns = whole.cast(pl.Int64, strict=False) * scale
        return ns + (part.cast(pl.Int64, strict=False) * scale // 10**9)
    return value * _scale(value)


def epoch_text(value: pl.Series) -> pl.Series:
    """Return the times of digits since 1970, with up to nine digits of fraction behind seconds."""
    parts = groups.extract(value, r"^(?P<whole>\d{9,19})(?:\.(?P<frac>\d{1,9}))?$")
    whole = parts["whole"].str.to_integer(strict=False)
    return epoch_number(whole) + _fraction_ns(parts["frac"])


def _scale(value: pl.Series) -> pl.Series:
    """Return the nanoseconds of one unit of each number, null where it is no plausible time."""
    frame = value.alias("v").to_frame()
    v = pl.col("v")
    return frame.select(
        pl.when(v.is_between(10**8, 10**10, closed="left"))
        .then(10**9)
        .when(v.is_between(10**11, 10**13, closed="left"))
        .then(10**6)
        .when(v.is_between(10**14, 10**16, closed="left"))
        .then(10**3)
        .when(v.is_between(10**17, 9_200_000_000_000_000_000))
        .then(1)
        .cast(pl.Int64)
    ).to_series()


def _fraction_ns(digits: pl.Series) -> pl.Series:
    """Return digits behind a point as nanoseconds; none are zero."""
    if digits.null_count() == len(digits):
        return pl.Series([0], dtype=pl.Int64).new_from_index(0, len(digits))
    return digits.str.pad_end(9, "0").str.to_integer(strict=False).fill_null(0)


def _to_ns(naive: pl.Series, zone: pl.Series, timezone: str) -> pl.Series:
    """Return wall-clock times as Unix time: by their own offset, else in the given zone."""
    frame = naive.to_frame("naive")
    wall = frame.select(_ns(pl.col("naive"))).to_series()
    offset = _offset_ns(zone)
    if offset.null_count() == 0:
        return wall - offset
    name = zone_name(timezone)
    if name == "UTC":
        return wall - offset.fill_null(0)
    # An hour that comes twice is read as its first; an hour that a change of clocks leaves out is no time.
    local = _ns(pl.col("naive").dt.replace_time_zone(name, ambiguous="earliest", non_existent="null"))
    return frame.select(pl.coalesce(pl.lit(wall) - pl.lit(offset), local)).to_series()


def _ns(time: pl.Expr) -> pl.Expr:
    """Return datetimes in µs as nanoseconds, null outside of what 64 bits hold (1678 to 2262): they would wrap."""
    micros = time.dt.epoch("us")
    return pl.when(micros.abs() < _RANGE_US).then(micros * 1_000)


def _offset_ns(zone: pl.Series) -> pl.Series:
    """Return zone texts as nanoseconds east of UTC, null where there is none."""
    if zone.null_count() == len(zone):
        return zone.cast(pl.Int64)
    if zone.null_count() == 0 and (zone == "Z").all():
        return pl.Series([0], dtype=pl.Int64).new_from_index(0, len(zone))
    frame = zone.alias("z").to_frame()
    digits = pl.col("z").str.replace(":", "", literal=True)
    hours = digits.str.slice(1, 2).str.to_integer(strict=False)
    minutes = digits.str.slice(3, 2).str.to_integer(strict=False).fill_null(0)
    sign = pl.when(digits.str.starts_with("-")).then(-1).otherwise(1)
    utc = pl.col("z").is_in(["Z", "UTC", "GMT"])
    return frame.select(
        pl.when(utc).then(0).otherwise(sign * (hours * 60 + minutes) * 60 * 10**9).cast(pl.Int64)
    ).to_series()


def _with_year(base: pl.Series, form: str, observed_ns: pl.Series, timezone: str) -> pl.Series:
    """Return times without a year in the latest year that leaves them at most a day after their reading."""
    none = pl.Series([None], dtype=pl.String).new_from_index(0, len(base))
    latest = observed_ns + _DAY_NS
    year = latest.cast(pl.Datetime("ns")).dt.year()
    result = pl.Series([None], dtype=pl.Int64).new_from_index(0, len(base))
    for back in range(_LEAP_YEARS + 1):
        text = (year - back).cast(pl.String) + " " + base
        times = _to_ns(text.str.to_datetime(form, time_unit="us", strict=False), none, timezone)
        frame = pl.DataFrame({"new": times, "old": result, "latest": latest})
        fits = pl.when(pl.col("new") <= pl.col("latest")).then(pl.col("new"))
        result = frame.select(pl.coalesce("old", fits)).to_series()
        if (result.is_null() & base.is_not_null()).sum() == 0 or (
            back > 1 and not base.str.contains("0229|Feb 29").any()
        ):
            break
    return result


def no_time(lines: pl.DataFrame) -> list[pl.Series]:
    """Return the column `_time_ns` without times, or none if the lines have one: the stamp of a container runtime."""
    if "_time_ns" in lines.columns:
        return []
    return [pl.Series("_time_ns", [None], dtype=pl.Int64).new_from_index(0, len(lines))]


def leading_time(lines: pl.DataFrame, text: pl.Series, timezone: str) -> list[pl.Series]:
    """Return the column `_time_ns` from the start of texts, or none if the lines have one already."""
    if "_time_ns" in lines.columns:
        return []
    return [leading(text, lines["_observed_ns"], timezone).alias("_time_ns")]
