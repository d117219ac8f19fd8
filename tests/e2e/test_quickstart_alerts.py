"""Puppylog's quick start in three terminals, with our commands: no server, the default alarm rings and recovers.

In the first terminal `metrics create --default` and `alerts observe`, in the second `collect test.log --watch`, in the
third `cat sample.log > test.log`. The sample's lines are 90 seconds old, so that the two minutes of the alarm's window
are over in half of one.
"""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from e2e.program import COMMAND, STOP_S, answered, rows_of, until
from tailrace.cli.app import execute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from e2e.program import Up

REQUESTS = 1_500  # over 120 seconds: 12.5 a second, and the default alarm rings above 10
EVERY_S, WINDOW_S = 10, 120  # of the default alarm
ARRIVE_S = 5  # at most, from the file to an evaluation; a look that is nearer is left to pass
RINGS_S = 120.0
"""Bound of what is expected within half a minute, on a machine that is busy with the rest of the tests."""


@contextmanager
def terminal(output: Path, *words: object) -> Iterator[Callable[[], str]]:
    """Run a command beside the test until it is left; give what returns the text that it has printed."""
    with output.open("wb") as file:
        process = subprocess.Popen([*COMMAND, *map(str, words)], stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def said() -> str:
        text = output.read_text()
        assert process.poll() is None, f"it ended with {process.poll()}:\n{text[-4000:]}"
        return text

    try:
        yield said
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_S)


def requests(count: int, at_s: float, path: str = "/shop/") -> str:
    """Return lines of an access log."""
    at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(at_s))
    return "".join(f'10.0.0.{n % 9} - - [{at}] "GET {path}{n}?q={n} HTTP/1.1" 200 {n}\n' for n in range(count))


def last(text: str, name: str) -> str:
    """Return the newest line about an alert, without the time of day."""
    lines = [line for line in text.splitlines() if line[9:].startswith(f"{name}: ")]
    return lines[-1][9:] if lines else ""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return what runs a command in this process, which has imported all already, and gives what it prints."""

    def call(*words: object) -> str:
        assert execute([str(word) for word in words]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return call


@pytest.mark.e2e
def test_the_default_alarm_rings_and_recovers(tmp_path: Path, run: Callable[..., str]) -> None:
    data, log, sample = tmp_path / "data", tmp_path / "test.log", tmp_path / "sample.log"
    log.touch()
    assert "alert totaltraffic: created" in answered("metrics", "create", "--default", "--data", data)
    with (
        terminal(tmp_path / "observe.txt", "alerts", "observe", "-rr", 1, "--data", data) as observed,
        terminal(tmp_path / "collect.txt", "collect", log, "--watch", "--data", data) as collected,
    ):
        until(lambda: "All good!!!" in last(observed(), "totaltraffic"), RINGS_S, "all good")
        until(lambda: collected() or any(data.glob("agents/*")), RINGS_S, "the log is followed")
        look_s = (time.time() + ARRIVE_S) // EVERY_S * EVERY_S
        sample.write_text(requests(REQUESTS, look_s - WINDOW_S + EVERY_S / 2))
        log.write_bytes(sample.read_bytes())  # cat sample.log > test.log
        until(lambda: "Ringing a bell!!!" in last(observed(), "totaltraffic"), RINGS_S, "the bell")
        assert last(observed(), "totaltraffic").endswith("Z: 12.5 (alert: above 10)")
        assert "alert totaltraffic: already created" in run("metrics", "create", "--default", "--data", data)
        (section,) = rows_of(run("metrics", "get", "sections", "-o", "jsonl", "--data", data))
        assert (section["labels"], section["value"]) == ({"section": "/shop"}, REQUESTS)
        until(lambda: "recovered" in last(observed(), "totaltraffic"), RINGS_S, "the end of the alarm")
        assert last(observed(), "totaltraffic").endswith("Z: 12.5 (alert: above 10)")
    history = run("alerts", "get", "totaltraffic", "--data", data).splitlines()
    assert history[0].endswith("Z: recovered")
    assert len(history) > 1
    assert all(line.endswith("Z: 12.5 (alert: above 10)") for line in history[1:])
    assert run("alerts", "meta", "totaltraffic", "--data", data).splitlines()[2].split() == ["state", "inactive"]


@pytest.mark.e2e
def test_custom_alerts_on_log_groups_in_a_server(
    tmp_path: Path, make_up: Callable[..., Up], run: Callable[..., str]
) -> None:
    """A log group is a source; the alert of one group says nothing of the other."""
    shop, bank, config = tmp_path / "shop.log", tmp_path / "bank.log", tmp_path / "tailrace.yaml"
    shop.touch()
    bank.touch()
    config.write_text(f"sources: [{{name: shop, paths: [{shop}]}}, {{name: bank, paths: [{bank}]}}]\n")
    up = make_up("--config", config)
    up.start()
    up.ready()
    where = ("--url", up.url)
    for group in ("shop", "bank"):
        run("metrics", "create", "-id", f"{group}_hits", "-pr", 1, "-g", group, *where)
        words = ("-id", group, "--metric", f"{group}_hits", "-s", "sum", "-w", 5, "-l", 10)
        run("alerts", "create", *words, "--label", "severity=page", *where)
    with terminal(tmp_path / "observe.txt", "alerts", "observe", "-rr", 1, "--wording", "plain", *where) as observed:
        until(lambda: last(observed(), "shop"), RINGS_S, "a first look")
        bank.write_text(requests(10, time.time()))  # not above 10
        shop.write_text(requests(11, time.time()))
        until(lambda: last(observed(), "shop").startswith("shop: firing"), RINGS_S, "the bell")
        until(lambda: last(observed(), "shop").startswith("shop: recovered"), RINGS_S, "the end of the alarm")
        assert last(observed(), "bank") == "bank: inactive"
    assert run("alerts", "get", "bank", *where) == ""
    lines = run("alerts", "get", "shop", *where).splitlines()
    assert lines[0].endswith("Z: recovered")
    assert lines[1].endswith("Z: 11 (alert: above 10)")
    assert run("alerts", "delete", "shop", *where) == "deleted shop\n"
    assert [row["name"] for row in rows_of(run("alerts", "list", "-o", "jsonl", *where))] == ["bank"]
