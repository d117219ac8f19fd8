"""However rows are split into frames, and wherever a pipeline starts again from its marks, the reduction is the same."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reduce.frames import frame, run

if TYPE_CHECKING:
    from collections.abc import Sequence

SPECS = {
    "rules": """
steps:
  - {type: drop, where: status >= 500 and app = 'web'}
  - {type: keep, where: "not user = 'c' or level = 'error'"}
  - {type: rename, fields: {user: login}}
""",
    "route": """
steps:
  - type: route
    match: all
    routes:
      - {where: level == 'error', to: store}
      - {where: status < 300, to: drop}
    unmatched: store
""",
    "sample": """
steps:
  - {type: sample, rate: 3, key: [user]}
  - {type: sample, rate: 2, keep: null}
""",
    "throttle": """
steps:
  - {type: throttle, rate_per_s: 0.7, burst: 2, key: [app, user], summary_s: 5}
""",
    "throttle bounded": """
steps:
  - {type: throttle, rate_per_s: 3, max_keys: 1, key: [user], summary_s: 3}
""",
    "dedupe": """
steps:
  - {type: dedupe, window_s: 4, lateness_s: 2, ignore: [status]}
""",
    "dedupe by count": """
steps:
  - {type: dedupe, window_s: 7, key: [user], max_count: 2, emit: at_once, max_keys: 2, ignore_numbers: true}
""",
    "aggregate": """
steps:
  - type: aggregate
    window_s: 6
    slide_s: 2
    lateness_s: 3
    by: [user, status]
    max_keys: 3
    fields: {n: count, low: min(size), high: max(size), all: sum(size), mean: avg(size), one: first(line), end: last(line)}
  - {type: drop, where: "n = 1 and one = 'two'"}
""",
    "sketches": """
steps:
  - type: aggregate
    window_s: 9
    lateness_s: 0
    by: [app]
    where: not status = 404
    pass_rows: true
    fields: {users: distinct(user), top: "topk(line, 1)", p: "quantile(size, 0.75)", q: "quantile(size, 0)"}
  - {type: redact, patterns: {digits: "[0-9]"}, columns: [line], hash: [user], key: 0123456789abcdef}
""",
    "aggregate drops what is late": """
steps:
  - {type: aggregate, window_s: 4, lateness_s: 0, fields: {n: count}, late: drop}
""",
}

# A failing example is shown as it was found: making it smaller runs for minutes.
QUICK = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)

ROWS = st.lists(
    st.fixed_dictionaries(
        {"t": st.integers(0, 240).map(lambda quarter: quarter / 4)},
        optional={
            "app": st.sampled_from(["web", "db"]),
            "user": st.sampled_from(["a", "b", "c"]),
            "status": st.sampled_from([200, 404, 503]),
            "size": st.integers(-8, 400).map(lambda number: number / 4),
            "level": st.sampled_from(["info", "error"]),
            "line": st.sampled_from(["one", "two", "three 3"]),
        },
    ),
    min_size=1,
    max_size=40,
)
NEARLY_SORTED = st.tuples(ROWS, st.booleans()).map(
    lambda pair: sorted(pair[0], key=lambda row: row["t"] // 3) if pair[1] else pair[0]
)


def split(whole: pl.DataFrame, cuts: Sequence[int]) -> list[pl.DataFrame]:
    """Return the rows in pieces, each with only the columns that it fills, as a parser would make it."""
    borders = [0, *sorted({cut % (len(whole) + 1) for cut in cuts}), len(whole)]
    pieces = [whole[first:last] for first, last in pairwise(borders) if last > first]
    return [piece.drop(_empty(piece)) for piece in pieces]


def _empty(piece: pl.DataFrame) -> list[str]:
    return [name for name in piece.columns if not name.startswith("_") and piece[name].null_count() == len(piece)]


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@QUICK
@given(rows=NEARLY_SORTED, cuts=st.lists(st.integers(0, 40), max_size=6))
def test_any_split_gives_the_same(spec: str, rows: list[dict], cuts: list[int]) -> None:
    whole = frame(rows)
    expected = run(spec, [whole])
    assert run(spec, split(whole, cuts)) == expected
    assert run(spec, split(whole, cuts), restart=True) == expected


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@QUICK
@given(rows=NEARLY_SORTED)
def test_every_line_and_byte_comes_out_or_is_counted(spec: str, rows: list[dict]) -> None:
    whole = frame(rows)
    out, dropped = run(spec, [whole])
    for unit, name in enumerate(("_in_lines", "_in_bytes")):
        assert sum(row[name] for row in out) + sum(count[unit] for count in dropped.values()) == whole[name].sum()
