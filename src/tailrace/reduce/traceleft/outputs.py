"""Output functions: one alert for each window in which something passed, with the true number of events.

Comes in: rows of one filter that fulfil its rule, in order, their times, which rise, and which of them passed. Goes
out: an alert per window, with `_count` (events received in it), `_passed`, the last event that passed, and maybe
`_value`. A window ends with the first event of another, or by the time; windows in which nothing passed give nothing.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import polars as pl

from tailrace.reduce.rows import as_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tailrace.reduce.rows import Row

SAMPLES: Final = 10_000
"""Distinct values that one window of `topk`, `distinct` or `quantile` holds; `_value` says when there were more."""

_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Output:
    """What an output function needs, and what it makes of the values of a window."""

    name: str
    needs_field: bool = False

    def check(self, values: Mapping[str, str]) -> Iterator[str]:
        """Yield what is wrong with parameters: one is missing, or no number."""
        if self.needs_field and not values.get("field"):
            yield f"{self.name} needs a field: write parameters: 'field=count'"
        for key, least, most in (("k", 1, 1000), ("window", 1, 86_400), ("q", 0, 1)):
            whole = key != "q"
            try:
                number = float(values.get(key, "1"))
                good = least <= number <= most and (number.is_integer() or not whole)
            except ValueError:
                good = False
            if not good or (whole and not values.get(key, "1").isdecimal()):
                what = "a whole number" if whole else "a number"
                yield f"{key!r} must be {what} from {least} to {most}, not {values[key]!r}"

    def value(self, window: Window, values: Mapping[str, str]) -> object:
        """Return the value of a window; None for `alerts_per_sec`, which only counts."""
        match self.name:
            case "rate":
                return window.received / int(values.get("window", "1"))
            case "sum":
                return window.total
            case "distinct":
                return len(window.counts)
            case "topk":
                best = sorted(window.counts.items(), key=lambda item: (-item[1], item[0]))
                return dict(best[: int(values.get("k", "10"))])
            case "quantile":
                return _quantile(window.counts, float(values.get("q", "0.5")))
        return None


OUTPUTS: Final = {
    "alerts_per_sec": Output("alerts_per_sec"),
    "rate": Output("rate"),
    "sum": Output("sum", needs_field=True),
    "topk": Output("topk", needs_field=True),
    "distinct": Output("distinct", needs_field=True),
    "quantile": Output("quantile", needs_field=True),
}


@dataclass(slots=True)
class Window:
    """The open window of one filter."""

    second: int
    received: int = 0
    passed: int = 0
    observed_ns: int = 0
    event: Row | None = None  # the last that passed
    total: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    more: int = 0  # values beyond `SAMPLES`

    def state(self) -> dict[str, object]:
        """Return the window as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


class Windows:
    """The windows of one filter, one open at a time."""

    def __init__(self, output: Output, values: Mapping[str, str]) -> None:
        self._output = output
        self._values = values
        self._width_s = int(values.get("window", "1"))
        self._open: Window | None = None

    def take(self, rows: pl.DataFrame, times: pl.Series, passing: pl.Series, values: pl.Series | None) -> list[Row]:
        """Take rows in order, with `_observed_ns`, and their times; returns the alerts of windows that ended."""
        alerts: list[Row] = []
        numbered = pl.DataFrame({"window": times // (_SECOND_NS * self._width_s), "pass": passing})
        numbered = numbered.with_row_index("row").with_columns(run=pl.col("window").rle_id())
        grouped = numbered.group_by("run", "window", maintain_order=True).agg(
            pl.col("row").first().alias("first"),
            pl.len().alias("received"),
            pl.col("pass").sum().alias("passed"),
            pl.col("row").filter("pass").last().alias("last"),
        )
        for second, first, received, passed, last in grouped.drop("run").iter_rows():
            if self._open is not None and self._open.second != second:
                alerts += self.end()
            window = self._open = self._open or Window(second)
            window.received += received
            window.passed += passed
            window.observed_ns = rows["_observed_ns"][first + received - 1]
            if last is not None:
                window.event = as_json(rows.row(last, named=True))
            if values is not None:
                self._add(window, values[first : first + received])
        return alerts

    def _add(self, window: Window, values: pl.Series) -> None:
        numbers = values.cast(pl.Float64, strict=False).drop_nulls()
        window.total += float(numbers.sum())
        if self._output.name == "sum":
            return
        counted = values.cast(pl.String).drop_nulls().rename("value").value_counts(sort=True)
        for value, count in counted.iter_rows():
            if value in window.counts or len(window.counts) < SAMPLES:
                window.counts[value] = window.counts.get(value, 0) + count
            else:
                window.more += count

    def due(self, now_ns: int) -> list[Row]:
        """Return the alert of a window that nothing was added to for its width."""
        if self._open is None or now_ns - self._open.observed_ns < self._width_s * _SECOND_NS:
            return []
        return self.end()

    def end(self) -> list[Row]:
        """End the open window; returns its alert, none if nothing passed."""
        window, self._open = self._open, None
        if window is None or not window.passed or window.event is None:
            return []
        value = self._output.value(window, self._values)
        if window.more:
            value = {"value": value, "not_counted": window.more}
        shown = None if value is None else value if isinstance(value, int | float) else json.dumps(value)
        return [
            {**window.event, "_count": window.received, "_passed": window.passed}
            | ({} if shown is None else {"_value": str(shown)})
        ]

    def mark(self) -> object:
        """Return the open window as JSON, None if there is none."""
        return None if self._open is None else self._open.state()

    def restore(self, state: object) -> None:
        """Go on with an open window."""
        self._open = None if state is None else Window(**cast("dict[str, Any]", state))  # JSON of `mark`


def _quantile(counts: Mapping[str, int], q: float) -> float | None:
    """Return the smallest value that at least the share `q` of all values does not exceed."""
    numbers = sorted((float(value), count) for value, count in counts.items() if _is_number(value))
    wanted = math.ceil(q * sum(count for _, count in numbers))
    for number, count in numbers:
        wanted -= count
        if wanted <= 0:
            return number
    return None


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
