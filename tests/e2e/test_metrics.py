"""Metrics in the running program: whatever happens to lines and to the program, they say what the lines say."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from e2e.program import answered, tailrace, until
from tailrace.engines.polars import PolarsEngine
from tailrace.query.run import Request, run
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from e2e.program import Up

pytestmark = pytest.mark.e2e

NS = 10**9
MINUTE = 60 * NS
EXPR = 'sum by (host) (count_over_time({app="shop"}[1m]))'


def post(up: Up, path: str, body: object = None) -> int:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(up.url + path, data, headers, method="POST")
    with urllib.request.urlopen(request, timeout=30) as response:
        return int(response.status)


def push(up: Up, host: str, first_ns: int, count: int, step_ns: int = NS) -> None:
    """Push lines, one after the other in time."""
    values = [[str(first_ns + number * step_ns), f"{host} {number}"] for number in range(count)]
    assert (
        post(up, "/loki/api/v1/push", {"streams": [{"stream": {"app": "shop", "host": host}, "values": values}]}) == 204
    )


def numbers(result: list[dict[str, Any]]) -> dict[str, dict[int, float]]:
    """The values of an answer by host and time."""
    return {one["metric"]["host"]: {int(at_s): float(text) for at_s, text in one["values"]} for one in result}


def of_lines(up: Up, start_ns: int, end_ns: int) -> dict[str, dict[int, float]]:
    """The same, from the lines of the data folder."""
    found = run(Request(EXPR, start_ns, end_ns, MINUTE), LogTable.open(up.data), PolarsEngine())
    answer: dict[str, dict[int, float]] = {}
    for number, time_ns, value in found.frame.iter_rows():
        answer.setdefault(found.labels[number]["host"], {})[time_ns // NS] = value
    return answer


def test_a_metric_says_what_the_lines_say_after_late_lines_a_deletion_and_a_kill(
    make_up: Callable[..., Up], tmp_path: Path
):
    up = make_up(tmp_path / "no.log")
    up.start()
    up.ready()
    start_ns = (time.time_ns() // MINUTE - 30) * MINUTE
    end_ns = start_ns + 20 * MINUTE
    metric = {"name": "hits", "expr": EXPR, "backfill_s": None}
    push(up, "a", start_ns + 1, 600)
    assert post(up, "/api/v1/metrics", metric) == 201
    again = tailrace("metrics", "create", "-id", "hits", "--expr", EXPR, "--url", up.url)
    assert (again.returncode, again.stdout) == (1, "hits: already created\n")
    push(up, "b", start_ns + 5 * MINUTE, 120)
    push(up, "a", start_ns + MINUTE // 2, 30, step_ns=7)  # late, between others
    some = ("--from", str(start_ns + 3 * MINUTE), "--to", str(start_ns + 5 * MINUTE))
    answered("table", "delete", '{host="a"}', *some, "--yes", "--data", up.data)
    asked = {"start": start_ns, "end": end_ns, "step": 60}
    before = numbers(up.ask_range(EXPR, **asked)["result"])
    assert sum(before["a"].values()) == 600 + 30 - 120
    assert sum(before["b"].values()) == 120

    up.kill()
    assert of_lines(up, start_ns, end_ns) == before
    up.start()
    up.ready()
    until(lambda: json.loads(up.get("/api/v1/metrics/hits")[1])["health"]["state"] == "kept", 30, "numbers are kept")
    push(up, "c", start_ns + 10 * MINUTE, 5)
    answer = up.ask_range(EXPR, **asked)
    assert numbers(answer["result"]) == before | {"c": {start_ns // NS + 660: 4.0, start_ns // NS + 600: 1.0}}
    assert numbers(answer["result"]) == of_lines(up, start_ns, end_ns)
    assert answer["stats"]["tailrace"]["bucketsRead"] > 0
