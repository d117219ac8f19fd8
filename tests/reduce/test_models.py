"""Steps against what their manual says, done row by row in plain Python."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reduce.frames import SECOND, T0, frame, run
from reduce.test_properties import QUICK, ROWS

Rows = list[dict[str, Any]]


def rising(rows: Rows) -> list[tuple[dict[str, Any], float, float]]:
    """Return each row with the watermark before and after it."""
    newest, found = -math.inf, []
    for row in rows:
        before, newest = newest, max(newest, row["t"])
        found.append((row, before, newest))
    return found


def lines_of(rows: Rows) -> Counter[Any]:
    return Counter(row.get("line", "x") for row in rows)


@QUICK
@given(rows=ROWS)
def test_keep_drop_and_route(rows: Rows) -> None:
    spec = """
steps:
  - {type: drop, where: "status >= 500 and app = 'web'"}
  - {type: keep, where: "not user = 'c' or level is null"}
  - type: route
    routes: [{where: size < 10, to: drop}, {where: "line like 'three%'", to: store}]
    unmatched: drop
"""

    def stays(row: dict[str, Any]) -> bool:
        if row.get("status", 0) >= 500 and row.get("app", "web") == "web":
            return False
        if not (row.get("user", "c") != "c" or "level" not in row):
            return False
        return not row.get("size", 10) < 10 and row.get("line", "x").startswith("three")

    out, dropped = run(spec, [frame(rows)])
    assert [row["_line"] for row in out] == [row["line"] for row in rows if stays(row)]
    assert sum(lines for lines, _ in dropped.values()) == len(rows) - len(out)


@QUICK
@given(rows=ROWS, rate=st.sampled_from([0.5, 1, 2.5]), burst=st.integers(1, 3))
def test_throttle(rows: Rows, rate: float, burst: int) -> None:
    spec = f"steps: [{{type: throttle, rate_per_s: {rate}, burst: {burst}, key: [user], summary_s: 0}}]"
    tick_s = min(1.0, burst / rate)
    buckets: dict[Any, tuple[float, int]] = {}
    kept = []
    for row in rows:
        tick = (T0 + round(row["t"] * SECOND)) // round(tick_s * SECOND)
        tokens, then = buckets.get(row.get("user"), (float(burst), tick))
        tick = max(tick, then)
        tokens = min(float(burst), tokens + rate * round(tick_s * SECOND) / SECOND * (tick - then))
        if tokens >= 1:
            kept.append(row)
            tokens -= 1
        buckets[row.get("user")] = (tokens, tick)
    out, dropped = run(spec, [frame(rows)])
    assert [row["_line"] for row in out] == [row.get("line", "x") for row in kept]
    assert sum(lines for lines, _ in dropped.values()) == len(rows) - len(kept)


@QUICK
@given(rows=ROWS, width=st.sampled_from([2, 7]), lateness=st.sampled_from([0, 1.5]))
def test_dedupe(rows: Rows, width: int, lateness: float) -> None:
    spec = f"steps: [{{type: dedupe, key: [user, line], window_s: {width}, lateness_s: {lateness}}}]"
    held: dict[Any, list[float]] = defaultdict(list)
    expected: Counter[Any] = Counter()
    for row, before, _ in rising(rows):
        window = (T0 // SECOND + row["t"]) // width
        if (window + 1) * width + lateness <= before + T0 // SECOND:
            expected[row.get("line", "x"), None] += 1
        else:
            held[window, row.get("user"), row.get("line", "x")].append(row["t"])
    for (_, _, line), times in held.items():
        expected[line, (len(times), min(times), max(times)) if len(times) > 1 else None] += 1
    out, dropped = run(spec, [frame(rows)])
    found = Counter(
        (
            row["_line"],
            (row["dedupe_count"], *((row[f"dedupe_{end}_ns"] - T0) / SECOND for end in ("first", "last")))
            if "dedupe_count" in row
            else None,
        )
        for row in out
    )
    assert found == expected
    late = sum(count for (_, more), count in expected.items() if more is None) - sum(len(t) == 1 for t in held.values())
    assert sum(lines for lines, _ in dropped.values()) == len(rows) - late


@QUICK
@given(rows=ROWS, panes=st.integers(1, 3), slide=st.sampled_from([1, 4]), lateness=st.sampled_from([0, 2.5]))
def test_aggregate(rows: Rows, panes: int, slide: int, lateness: float) -> None:
    spec = f"""
steps:
  - type: aggregate
    window_s: {panes * slide}
    slide_s: {slide}
    lateness_s: {lateness}
    by: [user]
    fields: {{n: count, total: sum(size), last: last(line)}}
"""
    start, length = T0 // SECOND, panes * slide
    counted: Rows = []
    late: Rows = []
    for row, before, _ in rising(rows):
        pane = (start + row["t"]) // slide * slide
        (late if pane + slide + lateness <= start + before else counted).append(row)
    expected: Counter[Any] = Counter()
    ends = {(start + row["t"]) // slide * slide + slide * n for row in counted for n in range(1, panes + 1)}
    for end in ends:
        groups: dict[Any, Rows] = defaultdict(list)
        for row in counted:
            if end - length <= start + row["t"] < end:
                groups[row.get("user")].append(row)
        for user, group in groups.items():
            sizes = [row["size"] for row in group if "size" in row]
            last = max(reversed(group), key=lambda row: row["t"]).get("line", "x")
            expected[end - length, user, len(group), sum(sizes) if sizes else None, last] += 1
    out, dropped = run(spec, [frame(rows)])
    made = [row for row in out if row["_format"] == "aggregate"]
    found = Counter(
        (row["_time_ns"] // SECOND, row.get("user"), row["n"], row.get("total"), row["last"]) for row in made
    )
    assert found == expected
    assert lines_of([{"line": row["_line"]} for row in out if row["_format"] != "aggregate"]) == lines_of(late)
    assert sum(lines for lines, _ in dropped.values()) == len(counted)
