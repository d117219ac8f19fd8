"""One metric: rows in, the values of its series out.

A frame is filtered, measured and grouped in columns; Python sees one row per series (and bucket) of the result. Series
beyond the limit are counted together under `__other__` for what adds up, and left out for what does not, a gauge or a
delta; either way the rows are counted as refused. Values that are no finite number, or that would let a counter fall,
are refused.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.exposition import Exemplar, Family
from tailrace.reduce.metrics.columns import Value
from tailrace.reduce.metrics.series import SCHEMA, ZERO_THRESHOLD, Buckets, Series

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.reduce.metrics.settings import MetricSettings

OTHER: Final = "__other__"
"""The value of every label of the series that counts what is beyond the limit."""

_EXACT: Final = 2**53
_VALUE: Final = pl.col("value")


class Meter:
    """The series of one metric; `changed` names those that a mark, and `shown` those that an edition, does not know."""

    def __init__(self, settings: MetricSettings) -> None:
        self.settings = settings
        self.refused: dict[str, int] = {}
        self.refused_news = False
        self.changed: set[tuple[str, ...]] = set()
        self.shown: set[tuple[str, ...]] = set()
        self.series: dict[tuple[str, ...], Series] = {}
        self._names = tuple(settings.labels)
        self._columns = [f"label {name}" for name in self._names]
        self._adds = settings.type != "gauge" and settings.measure.kind != "delta"
        self._ttl_ns = None if settings.ttl is None else round(settings.ttl * 1e9)
        self._made_of = self._label_columns()

    # --- rows -----------------------------------------------------------------------------------

    def observe(self, frame: pl.DataFrame) -> None:
        """Count the rows of a frame."""
        rows = self._measured(frame)
        if len(rows):
            rows = self._limited(rows)
        if len(rows) and self.settings.measure.kind == "delta":
            rows = self._risen(rows)
        if len(rows):
            self._expire_before(rows)
            self._add(rows)

    def begin(self, now_ns: int) -> None:
        """Show a counter or a histogram without labels from the start on: its first rise is a rise then."""
        if not self._names and self._adds and not self.series:
            self._of((), now_ns, now_ns)

    def replace(self, rows: pl.DataFrame, now_ns: int) -> None:
        """Set a gauge of open sessions: one row each; series without any are 0."""
        if self.settings.condition is not None and len(rows):
            rows = rows.filter(self.settings.condition.mask(rows))
        read = pl.repeat(now_ns, len(rows), dtype=pl.Int64, eager=True).alias("o")
        counted = pl.DataFrame([*self._labels(rows), read])
        if len(counted):
            counted = self._limited(counted, refuse=False)  # they are looked at again and again
        counts = {row[:-1]: row[-1] for row in _grouped(counted, self._columns, [pl.len()]).iter_rows()}
        for labels in [*counts, *(labels for labels in self.series if labels not in counts)]:
            series = self._of(labels, now_ns, now_ns)
            if series.value != counts.get(labels, 0):
                series.value = counts.get(labels, 0)
                self._touch(labels)

    def expire(self, now_ns: int) -> None:
        """Forget the series that saw no row for longer than their `ttl`."""
        if self._ttl_ns is None:
            return
        for labels in [labels for labels, one in self.series.items() if now_ns - one.seen_ns > self._ttl_ns]:
            del self.series[labels]
            self._touch(labels)

    def _measured(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return labels, value, reading time and exemplar labels of the rows that count."""
        settings = self.settings
        if settings.condition is not None:
            frame = frame.filter(settings.condition.mask(frame))
        if not len(frame):
            return frame.clear()
        if self._made_of is not None:
            return self._gathered(frame, self._made_of)
        columns = [*self._labels(frame), self._values(frame), frame["_observed_ns"].alias("o")]
        for name, value in zip(settings.exemplar, settings.exemplar_values, strict=True):
            columns.append(value.text(frame).alias(f"exemplar {name}"))
        if settings.exemplar:
            columns.append(frame["_time_ns"].alias("exemplar time"))
        return self._finite(pl.DataFrame(columns))

    def _label_columns(self) -> frozenset[str] | None:
        """Return the columns that the labels are made of, if rows may be counted before they have labels."""
        settings = self.settings
        if settings.type != "counter" or settings.measure.kind not in {"lines", "bytes"} or settings.exemplar:
            return None
        values = [value for value in settings.label_values if isinstance(value, Value)]
        if settings.single or len(values) < len(settings.label_values):
            return None
        return frozenset(column for value in values for column in value.columns)

    def _gathered(self, frame: pl.DataFrame, made_of: frozenset[str]) -> pl.DataFrame:
        """Return one row for all whose labels are made of the same: making labels of each row costs most."""
        keys = [name for name in frame.columns if name in made_of]
        wanted = [pl.col("\0value").sum(), pl.len().alias("\0n")]
        wanted += [pl.col("_observed_ns").min().alias("\0o"), pl.col("_observed_ns").max().alias("\0o_max")]
        if "_stream" in frame.columns and "_stream" not in keys:
            if frame["_stream"].n_unique() > 1:
                keys.append("_stream")
            else:
                wanted.append(pl.col("_stream").first())
        few = _grouped(frame.with_columns(self._values(frame).alias("\0value")), keys, wanted)
        counted = few.select(value="\0value", n="\0n", o="\0o", o_max="\0o_max")
        return pl.DataFrame([*self._labels(few), *counted])

    def _labels(self, frame: pl.DataFrame) -> list[pl.Series]:
        values = zip(self._columns, self.settings.label_values, strict=True)
        return [value.text(frame).cast(pl.String).fill_null("").alias(name) for name, value in values]

    def _values(self, frame: pl.DataFrame) -> pl.Series:
        if self.settings.argument is not None:
            return self.settings.argument.number(frame).alias("value")
        if self.settings.measure.kind != "bytes":
            return pl.repeat(1, len(frame), dtype=pl.Int64, eager=True).alias("value")
        if "_in_bytes" in frame.columns:
            return frame["_in_bytes"].alias("value")
        return (frame["_line"].str.len_bytes().cast(pl.Int64) + 1).alias("value")

    def _finite(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Leave out rows without a value, and refuse values that cannot be counted."""
        rows = rows.filter(_VALUE.is_not_null())
        good = _VALUE.is_finite()
        if self.settings.type == "counter":
            good &= _VALUE >= 0
        kept = rows.filter(good)
        self._refuse("value", len(rows) - len(kept))
        return kept

    def _limited(self, rows: pl.DataFrame, *, refuse: bool = True) -> pl.DataFrame:
        """Return the rows with the labels of the series that they go to."""
        if not self._columns:
            return rows
        groups = rows.select(self._columns).unique(maintain_order=True)
        other = (OTHER,) * len(self._columns)
        room = self.settings.max_series - len(self.series) + (other in self.series)
        if len(groups) <= room:
            return rows
        known = pl.DataFrame(list(self.series), schema=dict.fromkeys(self._columns, pl.String), orient="row")
        new = groups.join(known, on=self._columns, how="anti", maintain_order="left")[max(room, 0) :]
        if not len(new):
            return rows
        marked = rows.join(new.with_columns(_over=True), on=self._columns, how="left", maintain_order="left")
        over = marked["_over"].fill_null(value=False)
        if refuse:
            lines = rows["n"].filter(over).sum() if "n" in rows.columns else over.sum()
            self._refuse("series", int(lines))
        if not self._adds:
            return rows.filter(~over)
        return rows.with_columns(pl.when(over).then(pl.lit(OTHER)).otherwise(pl.col(c)).alias(c) for c in self._columns)

    def _risen(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with the rise of their value since the row before of their series; the first has none."""
        keys = self._columns or ["all"]
        if not self._columns:
            rows = rows.with_columns(all=pl.lit(""))
        ends = rows.group_by(keys, maintain_order=True).agg(
            _VALUE.last(), pl.col("o").min(), pl.col("o").max().alias("o2")
        )
        newest = {row[:-3]: row[-3:] for row in ends.iter_rows()}
        past = [one.previous if (one := self.series.get(self._key(labels))) else None for labels in newest]
        table = pl.DataFrame(list(newest), schema=dict.fromkeys(keys, pl.String), orient="row")
        table = table.with_columns(past=pl.Series(past, dtype=pl.Float64 if _any_float(past) else pl.Int64))
        rows = rows.join(table, on=keys, how="left", maintain_order="left")
        rise = _VALUE - pl.coalesce(_VALUE.shift(1).over(keys), "past")
        if self.settings.type == "counter":  # a number that fell began again at 0
            rise = pl.when(rise < 0).then(_VALUE).otherwise(rise)
        for labels, (value, first_ns, last_ns) in newest.items():
            self._of(self._key(labels), first_ns, last_ns).previous = value
            self._touch(self._key(labels))
        return rows.with_columns(value=rise).filter(_VALUE.is_not_null()).drop("past")

    def _key(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        return labels if self._columns else ()

    # --- series ---------------------------------------------------------------------------------

    def _add(self, rows: pl.DataFrame) -> None:
        """Add the rows to their series, one group each."""
        value = _VALUE.last() if self.settings.type == "gauge" else _VALUE.sum()
        extra = [pl.col(name).last() for name in rows.columns if name.startswith("exemplar ")]
        wanted = [pl.len().alias("n"), value, _VALUE.last().alias("last"), pl.col("o").min().alias("o_min")]
        wanted += [pl.col("o_max" if "o_max" in rows.columns else "o").max().alias("o_max"), *extra]
        groups = _grouped(rows, self._columns, wanted)
        for group in groups.iter_rows(named=True):
            labels = tuple(group[name] for name in self._columns)
            series = self._of(labels, group["o_min"], group["o_max"])
            total = _plain(group["value"])
            match self.settings.type:
                case "counter":
                    series.value += total
                    self._note(series, 0, group, _plain(group["last"]))
                case "gauge":
                    series.value = total
                case _:
                    series.value += group["n"]
                    series.sum += total
            self._touch(labels)
        if self.settings.type == "histogram":
            self._add_buckets(rows)
        if self.settings.single:
            newest = tuple(rows[name][-1] for name in self._columns)
            for labels in [labels for labels in self.series if labels != newest]:
                del self.series[labels]
                self._touch(labels)

    def _add_buckets(self, rows: pl.DataFrame) -> None:
        bounds = pl.Series(self.settings.bounds, dtype=pl.Float64)
        if len(bounds):
            index = pl.lit(bounds).search_sorted(_VALUE.cast(pl.Float64), side="left").alias("bucket")
            extra = [pl.col(name).last() for name in rows.columns if name.startswith("exemplar ")]
            wanted = [pl.len().alias("n"), _VALUE.last().alias("last"), *extra]
            for group in _grouped(rows.with_columns(index), [*self._columns, "bucket"], wanted).iter_rows(named=True):
                series = self.series[tuple(group[name] for name in self._columns)]
                series.counts[group["bucket"]] += group["n"]
                self._note(series, group["bucket"], group, _plain(group["last"]))
        if self.settings.native:
            groups = _grouped(rows.with_columns(_native()), [*self._columns, "side", "bucket"], [pl.len().alias("n")])
            for group in groups.iter_rows(named=True):
                buckets = self.series[tuple(group[name] for name in self._columns)].native
                assert buckets is not None
                buckets.add(group["side"], group["bucket"], group["n"])

    def _note(self, series: Series, bucket: int, group: Mapping[str, object], value: float) -> None:
        if not self.settings.exemplar:
            return
        labels = {name: group[f"exemplar {name}"] for name in self.settings.exemplar}
        known = {name: text for name, text in labels.items() if isinstance(text, str) and text}
        time_ns = group["exemplar time"]
        exemplar = Exemplar(known, value, time_ns if isinstance(time_ns, int) else None)
        if known and exemplar.fits:
            series.exemplars[bucket] = exemplar

    def _of(self, labels: tuple[str, ...], first_ns: int, last_ns: int) -> Series:
        """Return a series, made if it is not there."""
        series = self.series.get(labels)
        if series is None:
            counts = [0] * (len(self.settings.bounds) + 1) if self.settings.bounds else []
            native = Buckets() if self.settings.native else None
            series = self.series[labels] = Series(labels, first_ns, last_ns, counts=counts, native=native)
            self._touch(labels)
        series.seen_ns = max(series.seen_ns, last_ns)
        return series

    def _expire_before(self, rows: pl.DataFrame) -> None:
        """Forget series whose `ttl` was over before these rows came, as if somebody had looked just then."""
        if self._ttl_ns is not None:
            self.expire(int(rows["o"].min()))  # type: ignore[arg-type]  # an Int64 column that is not empty

    def _touch(self, labels: tuple[str, ...]) -> None:
        self.changed.add(labels)
        self.shown.add(labels)

    def _refuse(self, why: str, count: int) -> None:
        if count:
            self.refused[why] = self.refused.get(why, 0) + count
            self.refused_news = True

    # --- marks, families ------------------------------------------------------------------------

    def mark(self) -> dict[str, object]:
        """Return the series that changed since the last mark, by their labels as JSON; null for forgotten ones."""
        changed, self.changed = self.changed, set()
        marks: dict[str, object] = {}
        for labels in changed:
            series = self.series.get(labels)
            key = json.dumps(dict(zip(self._names, labels, strict=True)), ensure_ascii=False, sort_keys=True)
            marks[key] = None if series is None else series.state()
        return marks

    def restore(self, key: str, state: object) -> bool:
        """Take one series of a state; false if it is not one of this metric as it is declared now."""
        try:
            labels = json.loads(key)
            if set(labels) != set(self._names):
                return False
            series = Series.of(tuple(str(labels[name]) for name in self._names), state)
        except (KeyError, TypeError, ValueError):
            return False
        expected = len(self.settings.bounds) + 1 if self.settings.bounds else 0
        if len(series.counts) != expected or (series.native is not None) != self.settings.native:
            return False
        self.series[series.labels] = series
        self.shown.add(series.labels)
        return True

    def family(self) -> Family:
        """Return the metric without any point."""
        return Family(self.settings.name, self.settings.type, self.settings.help, (), self.settings.unit)


def _grouped(rows: pl.DataFrame, keys: list[str], wanted: list[pl.Expr]) -> pl.DataFrame:
    return rows.group_by(keys, maintain_order=True).agg(wanted) if keys else rows.select(wanted)


def _native() -> list[pl.Expr]:
    """Return side and index of each value's native bucket.

    The logarithm may miss the bucket by one at its edge, so the edges themselves decide.
    """
    size = _VALUE.cast(pl.Float64).abs()
    zero = size <= ZERO_THRESHOLD
    per_power = 2.0**SCHEMA
    guess = (pl.when(zero).then(1.0).otherwise(size).log(2) * per_power).ceil()
    above = pl.lit(2.0).pow((guess - 1) / per_power) >= size
    below = pl.lit(2.0).pow(guess / per_power) < size
    index = guess - above.cast(pl.Float64) + below.cast(pl.Float64)
    side = pl.when(zero).then(0).when(_VALUE > 0).then(1).otherwise(-1)
    return [side.alias("side"), pl.when(zero).then(0).otherwise(index).cast(pl.Int64).alias("bucket")]


def _plain(value: float) -> float:
    """Return a whole number as one: sums of them are exact then, however large."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else value


def _any_float(values: list[float | None]) -> bool:
    return any(isinstance(value, float) for value in values)
