"""`tailrace export` as a user runs it: its flags, its messages, and exact counts over kills and rotations."""

from __future__ import annotations

import gzip
import re
import subprocess
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics

from e2e.exporter import Exporter
from e2e.program import tailrace, until
from e2e.prometheus import PROMTOOL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

WAIT_S = 60.0
LINES = """\
2026/03/05 10:00:01 [20] connect from UNDETERMINED (192.0.2.1)
2026/03/05 10:00:01 [20] rsync on pub/ from UNDETERMINED (192.0.2.1)
2026/03/05 10:00:02 [20] sent 10 bytes  received 3 bytes  total size 99
something else
2026/03/05 10:00:03 [21] connect from UNDETERMINED (::1)
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Exporter]]:
    made: list[Exporter] = []

    def start(log: Path, *arguments: str) -> Exporter:
        made.append(Exporter(log, tmp_path / "data", arguments))
        made[-1].start()
        return made[-1]

    yield start
    for exporter in made:
        exporter.close()


def test_the_six_counters(tmp_path: Path, make: Callable[..., Exporter]) -> None:
    log = tmp_path / "rsyncd [1].log"
    log.write_text(LINES)
    exporter = make(log)
    until(lambda: exporter.values().get("rsync_connections_total") == {"": 2}, WAIT_S, "the lines")
    values = exporter.values()
    assert {name: series for name, series in values.items() if re.match("rsync_(?!exporter)", name)} == {
        "rsync_connections_total": {"": 2},
        "rsync_executions_total": {"": 1},
        "rsync_data_received_bytes_total": {"": 3},
        "rsync_data_sent_bytes_total": {"": 10},
        "rsync_exchange_data_bytes_total": {"": 13},
    }
    assert values["rsync_exporter_lines_total"] == {'result="matched"': 4, 'result="unmatched"': 1}
    assert exporter.get("/unmatched").strip().endswith("something else")
    text = exporter.get("/metrics", "application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")
    assert {family.name for family in read_openmetrics(text)} >= {"rsync_connections", "rsync_service_error"}
    if PROMTOOL is not None:
        told = subprocess.run(
            [PROMTOOL, "check", "metrics"], input=exporter.get("/metrics"), capture_output=True, text=True, check=False
        )
        assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_answers_are_compressed_when_asked(tmp_path: Path, make: Callable[..., Exporter]) -> None:
    (tmp_path / "x.log").write_text(LINES)
    exporter = make(tmp_path / "x.log")
    request = urllib.request.Request(f"http://{exporter.address}/metrics", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=10) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert b"# TYPE rsync_connections_total counter" in gzip.decompress(response.read())


def test_a_pattern_of_ones_own(tmp_path: Path, make: Callable[..., Exporter]) -> None:
    log, form = tmp_path / "x.log", tmp_path / "format.txt"
    log.write_text(LINES.replace("2026/03/05 ", "<2026/03/05> ").replace(" [", " #["))
    form.write_text(
        "<(?P<date>\\d+\\/\\d\\d\\/\\d\\d)>\\s(?P<timestamp>\\d\\d:\\d\\d:\\d\\d)\\s#(?P<pid>\\[\\d+\\])\\s(?P<description>.*)\nmore\n"
    )
    exporter = make(log, "-f", str(form), "--profile", "rsyncd")
    until(lambda: exporter.values().get("rsync_connections_total") == {"": 2}, WAIT_S, "the lines")
    values = exporter.values()
    assert values["rsync_executions_total"] == {"": 1}
    assert values["rsyncd_sent_bytes_total"] == {'module="pub"': 10}
    assert values["rsyncd_exporter_parse_errors_total"] == {"": 1}


@pytest.mark.parametrize("content", ["", "\n", "(?P<date>x", "no groups", "(?P<date>.*)", None])
def test_a_pattern_that_cannot_be_used_is_said(
    content: str | None, tmp_path: Path, make: Callable[..., Exporter]
) -> None:
    log, form = tmp_path / "x.log", tmp_path / "format.txt"
    log.write_text(LINES)
    if content is not None:
        form.write_text(content)
    exporter = make(log, "-f", str(form))
    until(lambda: exporter.values().get("rsync_connections_total") == {"": 2}, WAIT_S, "the lines")
    said = (exporter.data / "exporter.txt").read_text()
    assert str(form) in said
    assert "going on with the default pattern" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("-p", "{tmp}/none.log"), 1, "none.log: there is no such file"),
        (("-p", "{tmp}"), 1, "this is a folder"),
        ((), 2, "-p"),
        (("-p", "{tmp}/x.log", "--profile", "rsincd"), 2, "did you mean 'rsyncd'"),
        (("-p", "{tmp}/x.log", "--listen", "0.0.0.0"), 2, "--public"),
        (("-p", "{tmp}/x.log", "--from", "middle"), 2, "expected start or end"),
        (("-p", "{tmp}/x.log", "-x", "99999"), 2, "65535"),
    ],
)
def test_mistakes_are_messages(arguments: tuple[str, ...], code: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text(LINES)
    done = tailrace("export", *(word.format(tmp=tmp_path) for word in arguments), "--data", tmp_path / "data")
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert said in done.stderr


def test_a_port_that_is_taken_is_said(tmp_path: Path, make: Callable[..., Exporter]) -> None:
    (tmp_path / "x.log").write_text(LINES)
    (tmp_path / "y.log").write_text(LINES)
    port = make(tmp_path / "x.log").address.rpartition(":")[2]
    done = tailrace("export", "-p", tmp_path / "y.log", "-x", port, "--data", tmp_path / "data")
    assert (done.returncode, "cannot listen on" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_values_may_need_a_token(tmp_path: Path, make: Callable[..., Exporter]) -> None:
    (tmp_path / "x.log").write_text(LINES)
    (tmp_path / "token").write_text("secret\n")
    exporter = make(tmp_path / "x.log", "--token-file", str(tmp_path / "token"))
    for path in ("/metrics", "/unmatched"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            exporter.get(path)
        request = urllib.request.Request(f"http://{exporter.address}{path}", headers={"Authorization": "Bearer secret"})
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.status == 200


def test_a_log_that_is_not_read_is_no_health(tmp_path: Path, make: Callable[..., Exporter]) -> None:
    log = tmp_path / "x.log"
    log.write_text(LINES)
    exporter = make(log)
    log.unlink()
    log.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(5_000))
    until(lambda: _status(exporter, "/ready") == 503, WAIT_S, "the trouble")


def _status(exporter: Exporter, path: str) -> int:
    try:
        exporter.get(path)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


def test_from_the_end_counts_only_what_is_new(tmp_path: Path, make: Callable[..., Exporter]) -> None:
    log = tmp_path / "x.log"
    log.write_text(LINES)
    exporter = make(log, "--from", "end")
    until(lambda: exporter.values().get("rsync_exporter_lag_bytes") is not None, WAIT_S, "the file")
    until(lambda: "following" in (exporter.data / "exporter.txt").read_text(), WAIT_S, "the start")
    with log.open("a") as file:
        file.write(LINES)
    until(lambda: exporter.values().get("rsync_connections_total") == {"": 2}, WAIT_S, "the new lines")


@pytest.mark.slow
@pytest.mark.parametrize("rotation", ["rename", "copytruncate"])
def test_counts_are_exact_over_kills_and_rotations(
    rotation: str, tmp_path: Path, make: Callable[..., Exporter]
) -> None:
    log = tmp_path / "x.log"
    log.write_text("")
    exporter = make(log)
    rounds, each = 6, 500
    writing = threading.Thread(target=_write, args=(log, rounds, each, rotation, exporter))
    writing.start()
    for _ in range(3):
        seen = exporter.values().get("rsync_connections_total", {"": 0})[""]
        until(
            lambda s=seen: not writing.is_alive() or exporter.values().get("rsync_connections_total", {"": 0})[""] > s,
            WAIT_S,
            "news",
        )
        exporter.kill()
        exporter.start()
    writing.join()
    expected = float(rounds * each)
    until(lambda: exporter.values().get("rsync_connections_total") == {"": expected}, WAIT_S, "every line once")
    values = exporter.values()
    assert values["rsync_data_sent_bytes_total"] == {"": 7 * expected}
    kind = {"rename": "rotations", "copytruncate": "truncations"}[rotation]
    assert values[f"rsync_exporter_{kind}_total"] == {"": rounds - 1}
    assert values["rsync_exporter_lines_total"] == {'result="matched"': 2 * expected}


def _write(log: Path, rounds: int, each: int, rotation: str, exporter: Exporter) -> None:
    """Write lines in rounds, and rotate between them.

    A file is renamed when the exporter knows it, with lines in it that are not read yet: one that came and went while
    nobody looked has another name than the one that is followed. It is cut only when it is read: the rest would be lost.
    """
    for number in range(rounds):
        with log.open("a") as file:
            for line in range(each):
                stamp = f"2026/03/05 10:{number:02}:{line % 60:02} [{number * each + line + 2}]"
                file.write(f"{stamp} connect from UNDETERMINED (192.0.2.1)\n")
                file.write(f"{stamp} sent 7 bytes  received 3 bytes  total size 99\n")
                if line == each // 2:
                    file.flush()
                    known = number * each
                    until(lambda k=known: _connections(exporter) > k, WAIT_S, "the first lines of a file")
        if number == rounds - 1:
            return
        if rotation == "rename":
            log.rename(log.with_name(f"x.log.{number}"))
            log.touch()
        else:
            done = (number + 1) * each
            until(lambda d=done: _connections(exporter) == d, WAIT_S, "what is written")
            with log.open("r+b") as file:
                file.truncate(0)


def _connections(exporter: Exporter) -> float:
    try:
        return exporter.values().get("rsync_connections_total", {"": 0})[""]
    except OSError:  # it is being killed
        return -1
