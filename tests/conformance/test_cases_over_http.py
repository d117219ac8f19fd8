"""Cases of `tests/cases/query/run` as a client has them: lines are pushed as JSON, the question goes to Loki's API.

Left out are cases about what only lines of files have: typed fields, a format that ingest knew. What the server adds to
every pushed stream (`service_name`, `detected_level`) is not part of a case.
"""

from __future__ import annotations

import functools
import json
import math
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tailrace.batch import stream_labels
from web.conftest import House, _house

FOLDER = Path(__file__).parents[1] / "cases" / "query" / "run"
S = 1_000_000_000
SERVICE = {"service_name": "any"}  # else each stream gets one of its own
ADDED = {"service_name", "detected_level"}
FLAG = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}


def pushable(rows) -> bool:
    """Tell whether rows could have been pushed: each field a text."""
    return all(
        isinstance(value, str) and value and not name.startswith("_") and "__" not in name
        for row in rows
        for name, value in row.items()
        if name not in ("t", "line", "stream")
    ) and all(row["t"] >= 0 for row in rows)


def _cases() -> Iterator[object]:
    for path in sorted(FOLDER.glob("*.toml")):
        document = tomllib.loads(path.read_text())
        for case in document["case"]:
            found = {"rows": document.get("rows", []), **case}
            if pushable(found["rows"]):
                yield pytest.param(found, id=f"{path.stem}: {case['name']}")


@pytest.fixture(scope="module")
def server() -> Iterator[Callable[[str], httpx.Client]]:
    """Return what gives a client of a server that holds some rows; cases with the same rows share it."""
    made: list[Iterator[House]] = []
    with ExitStack() as stack:

        @functools.cache
        def holding(rows: str) -> httpx.Client:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            houses = _house(folder, None)
            house: House = next(houses)
            made.append(houses)
            streams = [
                {"stream": stream_labels(row.get("stream", '{app="a"}')) | SERVICE, "values": [entry(row)]}
                for row in json.loads(rows)
            ]
            if streams:
                answer = house.client.post("/loki/api/v1/push", json={"streams": streams})
                assert answer.status_code == 204, answer.text
            return house.client

        yield holding
        with ThreadPoolExecutor(16) as pool:  # a server takes a moment to end: all at once
            list(pool.map(lambda houses: next(houses, None), made))


def entry(row) -> list[object]:
    fields = {name: value for name, value in row.items() if name not in ("t", "line", "stream")}
    return [str(round(row["t"] * S)), row.get("line", ""), fields]


def nanoseconds(seconds: float) -> str:
    """Write a time so that it is read as nanoseconds: with more than ten digits."""
    return f"{round(seconds * S):011}"


def ask(case, client: httpx.Client) -> httpx.Response:
    bounds = {"start": nanoseconds(case.get("start", 0)), "end": nanoseconds(case.get("end", 100))}
    ranged = "step" in case or "lines" in case or "fields" in case or "streams" in case
    if "error" in case:
        ranged = "step" in case or case["query"].lstrip().startswith("{")
    if not ranged:
        return client.get("/loki/api/v1/query", params={"query": case["query"], "time": bounds["end"]}, headers=FLAG)
    step = {"step": str(case["step"])} if "step" in case else {}
    limit = {"limit": str(case.get("limit", 0) or 5000), "direction": case.get("direction", "forward")}
    given = {"query": case["query"], **bounds, **step, **limit}
    return client.get("/loki/api/v1/query_range", params=given, headers=FLAG)


def shown(labels) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name not in ADDED}


def check_lines(case, data) -> None:
    assert data["resultType"] == "streams"
    found = [
        (int(time), line, shown({**third.get("structuredMetadata", {}), **third.get("parsed", {})}), stream["stream"])
        for stream in data["result"]
        for time, line, third in stream["values"]
    ]
    backward = case.get("direction") == "backward"
    found.sort(key=lambda one: -one[0] if backward else one[0])
    if len({time for time, *_ in found}) < len(found):  # streams came apart: who stands first at one time is lost
        wanted = case.get("lines")
        assert wanted is None or sorted(line for _, line, *_ in found) == sorted(wanted)
        return
    if "lines" in case:
        assert [line for _, line, *_ in found] == case["lines"]
    if "fields" in case:
        assert [fields for _, _, fields, _ in found] == case["fields"]
    if "streams" in case:
        assert [shown(stream) for *_, stream in found] == case["streams"]


def check_series(case, data) -> None:
    assert data["resultType"] == case.get("kind", "matrix" if "step" in case else "vector")
    if data["resultType"] == "scalar":
        result = [({}, [data["result"]])]
    else:
        result = [(shown(one["metric"]), one["values"] if "step" in case else [one["value"]]) for one in data["result"]]
    if "sort" not in case["query"]:
        result.sort(key=lambda one: sorted(one[0].items()))  # `service_name` may have stood between
    assert [labels for labels, _ in result] == [one["labels"] for one in case["series"]]
    for (_, points), one in zip(result, case["series"], strict=True):
        wanted = one["values"] if "values" in one else [[case.get("end", 100), one["value"]]]
        assert [time for time, _ in points] == [pytest.approx(time, abs=0.001) for time, _ in wanted]
        for (_, got), (_, value) in zip(points, wanted, strict=True):
            assert isinstance(got, str)
            assert math.isnan(float(got)) if math.isnan(value) else float(got) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("case", list(_cases()))
def test_case(case, server) -> None:
    answer = ask(case, server(json.dumps(case["rows"])))
    if "error" in case:
        assert answer.status_code == 400
        assert "\n" not in answer.text.rstrip("\n")
        return
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["status"] == "success"
    if "series" in case:
        check_series(case, body["data"])
    else:
        check_lines(case, body["data"])
