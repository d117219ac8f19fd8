"""Sessions: lines of one key, from a line that starts something to the line that ends it.

Comes in: frames in order. Goes out: the same rows, on which the carried columns know what earlier lines of their
session said; and one row per session that is over, with the carried columns and `duration_seconds` (null if its start
was never seen), `session_lines` and `outcome`: `end`, `replaced` by a new start of the key or after a long silence,
`timeout`, `evicted`.

A session that has ended is counted a moment later (`settle`), since its last line may not be its end: an error may
follow the sums. What is open is bounded, is a mark, and does not depend on how rows were split into frames.

Cost: one pass of window expressions over the rows that have a key; the open sessions that these rows touch are rows of
the same pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.reduce.metrics.settings import SessionSettings

_NS: Final = 1_000_000_000
_LATE_NS: Final = _NS  # rows that were read before now may still be on their way: time alone ends a session later
_STEP_SLACK_NS: Final = 60 * _NS  # what may really have passed when the clock jumped
_CARRIED: Final = "carried "  # in front of a carried column, in the open sessions
_OPEN: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "_key": pl.String,
    "_started": pl.Boolean,
    "_ended": pl.Boolean,
    "_t": pl.Int64,  # event time of the last line
    "_o": pl.Int64,  # when it was read
    "_elapsed": pl.Int64,
    "_end_t": pl.Int64,  # the same three of the last line that ended it
    "_end_o": pl.Int64,
    "_end_elapsed": pl.Int64,
    "_lines": pl.Int64,
    "_stream": pl.String,
}


class Sessions:
    """The open sessions of one declaration."""

    def __init__(self, settings: SessionSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._settle_ns = round(settings.settle * _NS)
        self._timeout_ns = round(settings.timeout * _NS)
        self._types = _OPEN | {_CARRIED + name: pl.Null for name in settings.carry}
        self._open = pl.DataFrame(schema=self._types)
        self._changed: set[str] = set()

    # --- rows -----------------------------------------------------------------------------------

    def follow(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the rows with what their sessions carry, and the sessions that these rows ended."""
        rows = self._rows(frame)
        if not len(rows):
            return frame, self._closed(self._open.clear(), "end")
        known = self._open.join(rows.select("_key").unique(), on="_key", how="semi")
        joined = self._numbered(pl.concat([known, rows], how="diagonal_relaxed"))
        groups = self._grouped(joined)
        newest = pl.col("_n") == pl.col("_n").max().over("_key")
        over, current = groups.filter(~newest), groups.filter(newest)
        if not self._settle_ns:
            over = pl.concat([over, current.filter("_ended")])
            current = current.filter(~pl.col("_ended"))
        self._keep(current.filter(self._worth_keeping(current)), rows["_key"].unique())
        closed = [self._closed(over.filter(pl.col("_ended") | pl.col("_started")), None), self._evict()]
        return self._filled(frame, joined), pl.concat(closed, how="diagonal_relaxed")

    def due(self, now_ns: int) -> pl.DataFrame:
        """Return the sessions that are over by the time alone."""
        settled = pl.col("_ended") & (now_ns - pl.col("_end_o") > self._settle_ns + _LATE_NS)
        silent = now_ns - pl.col("_o") > self._timeout_ns + _LATE_NS
        over = self._open.filter(settled | silent)
        if len(over):
            self._changed.update(over["_key"])
            self._open = self._open.filter(~(settled | silent))
        return self._closed(over.filter(pl.col("_ended") | pl.col("_started")), "timeout")

    def open(self) -> pl.DataFrame:
        """Return the sessions that have started and not ended, one row each, with the carried columns."""
        return self._named(self._open.filter(pl.col("_started") & ~pl.col("_ended")))

    def _rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows that have a key, as the state of a session of one line each."""
        settings = self._settings
        carried = [_column(frame, name).alias(_CARRIED + name) for name in settings.carry]
        return (
            pl.DataFrame(
                [
                    settings.key_value.text(frame).alias("_key"),
                    settings.starts.mask(frame).alias("_started"),
                    settings.ends.mask(frame).alias("_ended"),
                    frame["_time_ns"].alias("_t"),
                    frame["_observed_ns"].alias("_o"),
                    _column(frame, "_stream").cast(pl.String),
                    *carried,
                ]
            )
            .with_columns(_lines=pl.lit(1, pl.Int64))
            .with_row_index("_row")
            .filter(pl.col("_key").is_not_null() & (pl.col("_key") != ""))
        )

    def _numbered(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with the number of their session in their key, the time since its start, and the carry."""
        line = pl.col("_row").is_not_null()  # else it is an open session
        end_o = pl.when(line).then(pl.when("_ended").then("_o").when("_started").then(0)).otherwise("_end_o")
        ended_o = end_o.forward_fill().shift(1).over("_key")
        late = (ended_o > 0) & ((pl.col("_o") - ended_o > self._settle_ns) | (self._settle_ns == 0))
        rows = rows.with_columns(_late=line & late.fill_null(value=False))
        # Only the first line that comes too late for an end begins something new; the next ones go on with it.
        rows = rows.with_columns(
            pl.col("_ended").shift(1).over("_key").alias("_after_end"),
            pl.col("_late").shift(1).over("_key").alias("_more"),
        )
        first = pl.col("_late") & (pl.col("_after_end").fill_null(value=True) | ~pl.col("_more").fill_null(value=False))
        silent = pl.col("_o") - pl.col("_o").shift(1).over("_key") > self._timeout_ns
        new = line & (pl.col("_started") | first | silent.fill_null(value=False))
        rows = rows.with_columns(_n=new.cast(pl.Int64).cum_sum().over("_key")).drop("_late", "_after_end", "_more")
        gap = pl.col("_t") - pl.col("_t").shift(1).over("_key", "_n")
        passed = pl.when(line).then(self._without_steps(gap).fill_null(0)).otherwise("_elapsed")
        rows = rows.with_columns(_elapsed=passed.cum_sum().over("_key", "_n"))
        ends = line & pl.col("_ended")
        carried = [name for name in rows.columns if name.startswith(_CARRIED)]
        return rows.with_columns(
            pl.when(ends).then("_t").otherwise("_end_t").alias("_end_t"),
            pl.when(ends).then("_o").otherwise("_end_o").alias("_end_o"),
            pl.when(ends).then("_elapsed").otherwise("_end_elapsed").alias("_end_elapsed"),
            *(pl.col(name).forward_fill().over("_key", "_n") for name in carried),
        )

    def _without_steps(self, gap: pl.Expr) -> pl.Expr:
        """Return the time between two lines without jumps of the clock; time never runs backwards."""
        if self._settings.clock_step is None:
            return gap.clip(0)
        step = round(self._settings.clock_step * _NS)
        rest = gap % step  # from 0 on, for jumps backwards too
        jumped = ((gap < 0) | (gap >= step)) & (rest <= _STEP_SLACK_NS)
        return pl.when(jumped).then(rest).otherwise(gap.clip(0))

    def _grouped(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return one row per key and session."""
        newest = [name for name in rows.columns if name.startswith((_CARRIED, "_end_")) or name == "_stream"]
        return rows.group_by("_key", "_n", maintain_order=True).agg(
            pl.col("_started", "_ended").any(),
            pl.col("_t", "_o", "_elapsed").last(),
            pl.col("_lines").sum(),
            *(pl.col(name).drop_nulls().last() for name in newest),
        )

    def _worth_keeping(self, groups: pl.DataFrame) -> pl.Expr:
        """Tell which sessions are remembered: not every key that ever had a line."""
        carried = [pl.col(name).is_not_null() for name in groups.columns if name.startswith(_CARRIED)]
        return pl.any_horizontal("_started", "_ended", *carried)

    def _filled(self, frame: pl.DataFrame, joined: pl.DataFrame) -> pl.DataFrame:
        """Return the frame with the carried columns filled in."""
        carried = [f"{_CARRIED}{name}" for name in self._settings.carry]
        if not carried:
            return frame
        told = joined.filter(pl.col("_row").is_not_null()).select("_row", *carried)
        frame = frame.with_row_index("_row").join(told, on="_row", how="left", maintain_order="left")
        filled = [
            (pl.coalesce(name, f"{_CARRIED}{name}") if name in frame.columns else pl.col(f"{_CARRIED}{name}")).alias(
                name
            )
            for name in self._settings.carry
        ]
        return frame.with_columns(filled).drop("_row", *carried)

    # --- what is open ---------------------------------------------------------------------------

    def _keep(self, current: pl.DataFrame, touched: pl.Series) -> None:
        rest = self._open.join(touched.to_frame(), on="_key", how="anti")
        self._open = pl.concat([rest, current.drop("_n")], how="diagonal_relaxed")
        self._changed.update(touched)

    def _evict(self) -> pl.DataFrame:
        excess = len(self._open) - self._settings.max_open
        if excess <= 0:
            return self._closed(self._open.clear(), "evicted")
        ordered = self._open.sort("_o", maintain_order=True)
        self._open = ordered[excess:]
        self._changed.update(ordered[:excess]["_key"])
        return self._closed(ordered[:excess].filter(pl.col("_ended") | pl.col("_started")), "evicted")

    def _closed(self, groups: pl.DataFrame, otherwise: str | None) -> pl.DataFrame:
        """Return the rows of sessions that are over; `otherwise` is the outcome of those without an end."""
        outcome = pl.when("_ended").then(pl.lit("end")).otherwise(pl.lit(otherwise or "replaced"))
        return self._named(groups.with_columns(outcome=outcome))

    def _named(self, groups: pl.DataFrame) -> pl.DataFrame:
        passed = pl.coalesce("_end_elapsed", "_elapsed")
        seconds = (passed // _NS).cast(pl.Float64) + (passed % _NS).cast(
            pl.Float64
        ) / _NS  # Polars' 15e9 / 1e9 is not 15
        carried = [pl.col(name).alias(name.removeprefix(_CARRIED)) for name in groups.columns if _is_carried(name)]
        return groups.select(
            pl.coalesce("_end_t", "_t").alias("_time_ns"),
            pl.coalesce("_end_o", "_o").alias("_observed_ns"),
            pl.col("_stream"),
            pl.when("_started").then(seconds).alias("duration_seconds"),
            pl.col("_lines").alias("session_lines"),
            *([pl.col("outcome")] if "outcome" in groups.columns else []),
            *carried,
        )

    # --- marks ----------------------------------------------------------------------------------

    def mark(self) -> dict[str, object]:
        """Return the sessions that changed since the last mark, by key; null for those that are over."""
        changed, self._changed = self._changed, set()
        if not changed:
            return {}
        kept = self._open.filter(pl.col("_key").is_in(list(changed)))
        marks: dict[str, object] = dict.fromkeys(changed)
        for row in kept.iter_rows(named=True):
            marks[row["_key"]] = {name: value for name, value in row.items() if value is not None and name != "_key"}
        return marks

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on with the sessions of a state; what cannot be understood is left out and forgotten."""
        rows: list[dict[str, object]] = []
        for key, value in state.items():
            if isinstance(value, dict) and isinstance(value.get("_o"), int) and isinstance(value.get("_t"), int):
                rows.append({"_key": key, **value})
            else:
                self._changed.add(key)
        if rows:
            types = {name: dtype for name, dtype in _OPEN.items() if name != "_key"}
            frame = pl.DataFrame(rows, infer_schema_length=None)
            missing = [pl.lit(None, self._types[name]).alias(name) for name in self._types if name not in frame.columns]
            self._open = frame.with_columns(missing).with_columns(
                pl.col(name).cast(dtype) for name, dtype in types.items()
            )


def _column(frame: pl.DataFrame, name: str) -> pl.Series:
    return frame[name] if name in frame.columns else pl.repeat(None, len(frame), eager=True).alias(name)


def _is_carried(name: str) -> bool:
    return name.startswith(_CARRIED)
