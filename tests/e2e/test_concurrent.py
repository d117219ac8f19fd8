"""Two hundred queries at once over a table that grows: every one is answered, and each answer is a true one."""

from __future__ import annotations

import json
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest

from e2e.program import until

pytestmark = pytest.mark.e2e

QUERIES = 200
LINES = 2_000
ALL = '{filename=~".+"}'


def _line(number: int) -> str:
    return json.dumps({"level": "error" if number % 4 == 0 else "info", "message": f"number {number}", "n": number})


def test_two_hundred_queries_while_lines_arrive(make_up, tmp_path):
    log = tmp_path / "app.log"
    log.write_text("".join(f"{_line(number)}\n" for number in range(LINES)))
    up = make_up(log)
    up.start()
    up.ready()

    def ask(path: str, query: str, **parameters: object):
        text = urllib.parse.urlencode({"query": query, **parameters})
        status, body = up.get(f"/loki/api/v1/{path}?{text}", timeout_s=60)
        assert status == 200, body[:500]
        return json.loads(body)["data"]["result"]

    def count() -> int:
        found = ask("query", f"sum(count_over_time({ALL}[1h]))")
        return int(found[0]["value"][1]) if found else 0

    until(lambda: count() == LINES, 30, "all lines are stored")
    written, stop = [LINES], threading.Event()

    def write() -> None:
        with log.open("a") as file:
            while not stop.wait(0.02):
                file.write("".join(f"{_line(number)}\n" for number in range(written[0], written[0] + 500)))
                file.flush()
                written[0] += 500

    def last(_: int) -> None:
        lines = [entry[1] for one in ask("query_range", ALL, limit=100) for entry in one["values"]]
        assert len(lines) == 100
        numbers = sorted(int(line.removeprefix("number ")) for line in lines)
        assert numbers[-1] - numbers[0] < written[0]
        assert len(set(numbers)) == 100

    def errors(_: int) -> None:
        lines = [entry[1] for one in ask("query_range", f'{ALL} | level="error"', limit=50) for entry in one["values"]]
        assert all(int(line.removeprefix("number ")) % 4 == 0 for line in lines)

    def counted(_: int) -> None:
        assert LINES <= count() <= written[0]

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with ThreadPoolExecutor(QUERIES) as clients:
            asked = [clients.submit((last, errors, counted, last)[place % 4], place) for place in range(QUERIES)]
            for one in asked:
                one.result(60)
    finally:
        stop.set()
        writer.join()
    until(lambda: count() == written[0], 60, "all lines are found")
