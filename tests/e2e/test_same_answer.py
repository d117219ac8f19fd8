"""One question, one answer: the folder, the server's address and the Loki API agree, while lines are being written."""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from e2e.program import Up, answered, rows_of, until
from e2e.writers import FORMATS, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

LINES = 4_000
STEP_NS = 10 * 10**9
FRAME = ("--limit", 0, "--direction", "forward")


@pytest.fixture
def live(make_up: Callable[..., Up], tmp_path: Path) -> Iterator[tuple[Up, int]]:
    """Run the program while writers write; yield it and the end of a past whose lines are all stored."""
    folder = tmp_path / "logs"
    folder.mkdir()
    up = make_up(folder)
    writers = [Writer(folder / f"{shape}.log", shape, 10**9, seed) for seed, shape in enumerate(FORMATS)]
    up.start()
    for writer in writers:
        writer.start()
        writer.allow(LINES)
    up.ready()
    until(lambda: all(writer.idle() for writer in writers), 30, "the past is written")
    until(lambda: up.count('{filename=~".+"}') >= len(writers) * LINES, 60, "the past is stored")
    past_ns = time.time_ns()  # lines without a time of their own have that of their reading: it is over as well
    until(lambda: time.time_ns() // 10**6 > past_ns // 10**6, 1, "a later millisecond", every_s=0.001)
    stopped = _keep_writing(writers)
    yield up, past_ns
    next(stopped)


def _keep_writing(writers: list[Writer]) -> Iterator[None]:
    """Let the writers go on, so many lines at once as a busy machine writes in a moment, until asked for the end."""
    for writer in writers:
        writer.allow(50 * LINES)

    def end() -> Iterator[None]:
        for writer in writers:
            writer.stop()
        for writer in writers:
            writer.join(30)
        yield

    return end()


def _loki_lines(data: dict[str, Any]) -> list[tuple[int, str, str]]:
    """Return (time, labels, line) of each entry of a streams answer, in a fixed order."""
    assert data["resultType"] == "streams"
    return sorted(
        (int(time_ns), json.dumps(stream["stream"], sort_keys=True), line)
        for stream in data["result"]
        for time_ns, line, *_ in stream["values"]
    )


def test_lines_agree(live: tuple[Up, int]) -> None:
    up, past_ns = live
    query = '{filename=~".+"} |~ "line=[0-9]*7 "'
    span = ("--from", past_ns - 3600 * 10**9, "--to", past_ns)
    folder = rows_of(answered("query", "--data", up.data, query, "--output", "jsonl", *span, *FRAME))
    server = rows_of(answered("query", "--url", up.url, query, "--output", "jsonl", *span, *FRAME))
    assert folder == server
    # numbers 0 to 3,999 that end in 7: 400 of each writer
    assert len(folder) == 400 * len(FORMATS)
    bounds = {"start": past_ns - 3600 * 10**9, "end": past_ns, "limit": 5000, "direction": "forward"}
    entries = _loki_lines(up.ask_range(query, **bounds))
    assert len(entries) == len(folder)
    assert sorted(line for _, _, line in entries) == sorted(row["line"] for row in folder)
    assert [time_ns for time_ns, _, _ in entries] == sorted(_ns(row["time"]) for row in folder)


def test_counts_agree(live: tuple[Up, int]) -> None:
    up, past_ns = live
    query = 'sum by (filename) (count_over_time({filename=~".+"}[1h]))'
    series = up.ask(query, time=past_ns)["result"]
    names = {entry["metric"]["filename"].rsplit("/", 1)[-1]: float(entry["value"][1]) for entry in series}
    assert names == {f"{shape}.log": float(LINES) for shape in FORMATS}
    # as in Loki, the last point is at `to` rounded up to a step: it has to be in the past as well
    end_ns = past_ns // STEP_NS * STEP_NS
    span = ("--from", end_ns - 60 * STEP_NS, "--to", end_ns, "--step", "10s", "--output", "jsonl")
    assert answered("query", "--data", up.data, query, *span) == answered("query", "--url", up.url, query, *span)


def test_an_answer_about_the_past_stays(live: tuple[Up, int]) -> None:
    """Compactions and commits go on meanwhile; a fixed past has one answer."""
    up, past_ns = live
    query = '{filename=~".+"} |= "line=1"'
    bounds = {"start": past_ns - 3600 * 10**9, "end": past_ns, "limit": 5000, "direction": "forward"}
    answers = [_loki_lines(up.ask_range(query, **bounds)) for _ in range(5)]
    assert len(answers[0]) == len(FORMATS) * (1 + 10 + 100 + 1000)
    assert all(one == other for one, other in itertools.pairwise(answers))


def _ns(stamp: str) -> int:
    """Return the nanoseconds of an RFC 3339 time in UTC with nine digits."""
    whole, fraction = stamp.removesuffix("Z").split(".")
    seconds = time.strptime(whole + " UTC", "%Y-%m-%dT%H:%M:%S %Z")
    from calendar import timegm

    return timegm(seconds) * 10**9 + int(fraction.ljust(9, "0"))
