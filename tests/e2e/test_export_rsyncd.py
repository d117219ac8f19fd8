"""A real rsync daemon, the exporter on its log, and a real Prometheus: every metric has the right value.

The exporter is killed once while the daemon goes on, and the log is rotated once. What is expected is counted by hand
from what the clients do; bytes are those of the daemon's own words, read by a pattern of this test's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from e2e.exporter import Exporter
from e2e.program import until
from e2e.prometheus import PROMETHEUS, Prometheus
from e2e.rsync_daemon import RSYNC, RsyncDaemon, has_ipv6

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(RSYNC is None, reason="rsync is not installed"),
    pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed"),
]

WAIT_S = 60.0
_END = re.compile(r"\[(\d+)\] sent (\d+) bytes  received (\d+) bytes  total size (\d+)$", re.MULTILINE)
_ERROR = re.compile(r"\[(\d+)\] rsync error: .* \(code (\d+)\) .*\[(\w+)=")
_REQUEST = re.compile(r"\[(\d+)\] rsync (?:on|to) (\w+)/")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RsyncDaemon]:
    running = RsyncDaemon(tmp_path / "rsync")
    running.start()
    yield running
    running.close()


@pytest.fixture
def exporter(tmp_path: Path, daemon: RsyncDaemon) -> Iterator[Exporter]:
    running = Exporter(daemon.log, tmp_path / "data", ("--profile", "rsyncd"))
    running.start()
    yield running
    running.close()


@pytest.fixture
def prometheus(tmp_path: Path, exporter: Exporter) -> Iterator[Prometheus]:
    running = Prometheus(tmp_path / "prometheus", exporter.address)
    running.start()
    yield running
    running.close()


def test_every_metric_is_right(daemon: RsyncDaemon, exporter: Exporter, prometheus: Prometheus) -> None:
    ipv6 = has_ipv6()
    _well_behaved(daemon, ipv6=ipv6)
    until(lambda: exporter.values()["rsync_connections_total"][""] >= 5, WAIT_S, "the first connections")
    exporter.kill()
    _badly_behaved(daemon)
    exporter.start()
    daemon.log.rename(daemon.root / "rsyncd.log.1")  # the daemon opens it by its name for each connection
    _interrupted(daemon)
    until(lambda: not sum(exporter.values().get("rsyncd_sessions_active", {"": 1}).values()), WAIT_S, "all ends")
    logged = "".join((daemon.root / name).read_text() for name in ("rsyncd.log.1", "rsyncd.log"))
    until(
        lambda: exporter.values()["rsyncd_exporter_lines_total"].get('result="matched"', 0) >= logged.count("\n") - 1,
        WAIT_S,
        "all lines",
    )
    until(lambda: sum(exporter.values().get("rsyncd_sessions_total", {}).values()) >= 8, WAIT_S, "all sessions")

    values = exporter.values()
    _check(values, logged, ipv6=ipv6)
    _check_prometheus(prometheus, values, logged)
    assert exporter.terminate() == 0
    exporter.start()
    again = exporter.values()
    for name, series in values.items():
        if name.startswith("rsync") and "_lag_" not in name:
            assert again[name] == series, name

    def rises() -> bool:
        assert daemon.run("-a", daemon.url("exercise"), str(daemon.root / "clients" / "6")) == 0
        return sum(prometheus.ask("rate(rsync_executions_total[1m])").values()) > 0

    until(rises, WAIT_S, "a rate", every_s=0.5)


def _well_behaved(daemon: RsyncDaemon, *, ipv6: bool) -> None:
    """One download over each protocol, a listing, an upload of a file with an odd name."""
    clients = daemon.root / "clients"
    assert daemon.run("-a", daemon.url("exercise"), str(clients / "1")) == 0
    assert daemon.run("-a", daemon.url("exercise", "[::1]" if ipv6 else "127.0.0.1"), str(clients / "2")) == 0
    assert daemon.run(f"rsync://127.0.0.1:{daemon.port}/") == 0
    upload = daemon.root / "upload"
    upload.mkdir()
    (upload / "x y from z.txt").write_text("hello" * 100)
    assert daemon.run("-a", f"{upload}/", daemon.url("incoming/")) == 0


def _badly_behaved(daemon: RsyncDaemon) -> None:
    """Refusals of each kind, one password that is right, an upload to where nothing may be written, and a deletion."""
    target = str(daemon.root / "clients" / "3")
    assert daemon.run("-a", daemon.url("closed"), target) != 0
    assert daemon.run("-a", daemon.url("nosuch"), target) != 0
    assert daemon.run("-a", daemon.url("secret", user="alice"), target, password="wrong") != 0
    assert daemon.run("-a", daemon.url("secret", user="alice"), target, password="right") == 0
    assert daemon.run("-a", f"{daemon.root / 'upload'}/", daemon.url("exercise/")) == 1
    assert daemon.run("-a", "--delete", f"{daemon.root / 'exercise'}/", daemon.url("incoming/")) == 0


def _interrupted(daemon: RsyncDaemon) -> None:
    """A module that is full, and a download that its client gives up."""
    slow = daemon.slow("-a", daemon.url("busy"), str(daemon.root / "clients" / "4"))
    until(lambda: daemon.log.exists() and "rsync on busy/" in daemon.log.read_text(), WAIT_S, "a slow download")
    assert daemon.run("-a", daemon.url("busy"), str(daemon.root / "clients" / "5")) != 0
    slow.terminate()
    slow.wait(WAIT_S)
    until(lambda: "rsync error" in daemon.log.read_text(), WAIT_S, "the end of the slow download")


def _check(values: dict[str, dict[str, float]], logged: str, *, ipv6: bool) -> None:
    """Compare all values with what was done. The test's own look at the port is a connection per address."""
    connections = {'family="ipv4"': 12.0, 'family="ipv6"': 2.0} if ipv6 else {'family="ipv4"': 13.0}
    assert values["rsyncd_connections_total"] == connections
    assert values["rsync_connections_total"] == {"": sum(connections.values())}
    assert values["rsync_executions_total"] == {"": 7.0}
    assert values["rsyncd_module_list_requests_total"] == {"": 1.0}
    assert values["rsyncd_starts_total"] == {"": 2.0 if ipv6 else 1.0}
    assert values["rsyncd_denied_total"] == {
        'module="closed",reason="acl"': 1.0,
        'reason="unknown_module"': 1.0,
        'module="secret",reason="auth"': 1.0,
        'module="busy",reason="max_connections"': 1.0,
    }
    assert values["rsyncd_sessions_total"] == {
        'direction="download",module="exercise",result="ok"': 2.0,
        'direction="download",module="secret",result="ok"': 1.0,
        'direction="download",module="busy",result="error"': 1.0,
        'direction="upload",module="exercise",result="error"': 1.0,
        'direction="upload",module="incoming",result="ok"': 2.0,
        'direction="list",result="ok"': 1.0,
    }
    given_up = 'module="busy",operation="send"'  # how many files it got before is a matter of luck
    assert {label: value for label, value in values["rsyncd_files_total"].items() if label != given_up} == {
        'module="exercise",operation="send"': 4.0,
        'module="secret",operation="send"': 2.0,
        'module="incoming",operation="recv"': 3.0,
        'module="incoming",operation="del"': 1.0,
    }
    assert values["rsyncd_file_bytes_total"]['module="exercise",operation="send"'] == 2 * 301_000
    assert values["rsyncd_file_bytes_total"]['module="incoming",operation="recv"'] == 500 + 301_000
    _check_ends(values, logged)
    durations = values["rsyncd_session_duration_seconds_count"]
    assert durations['direction="download",module="exercise"'] == 2
    assert durations['direction="upload",module="incoming"'] == 2
    refused = 'direction="upload",module="exercise"'  # its end is an error, without any sums
    assert durations[refused] == 1
    assert values["rsyncd_session_bytes_count"] == {key: durations[key] for key in durations if key != refused}
    assert set(values["rsyncd_last_success_timestamp_seconds"]) == {
        'direction="download",module="exercise"',
        'direction="download",module="secret"',
        'direction="upload",module="incoming"',
    }
    assert list(values["rsyncd_info"].values()) == [1.0]
    assert values["rsyncd_exporter_rotations_total"] == {"": 1.0}
    assert values["rsyncd_exporter_truncations_total"] == {"": 0.0}
    assert values["rsyncd_exporter_parse_errors_total"] == {"": 0.0}
    assert sum(values["rsyncd_exporter_lines_total"].values()) == logged.count("\n")


def _check_ends(values: dict[str, dict[str, float]], logged: str) -> None:
    """Compare bytes and errors with the daemon's own words."""
    modules = dict(_REQUEST.findall(logged))
    sent: dict[str, float] = {}
    received: dict[str, float] = {}
    size: dict[str, float] = {}
    for pid, *numbers in _END.findall(logged):
        label = f'module="{modules[pid]}"' if pid in modules else ""
        for totals, number in zip((sent, received, size), numbers, strict=True):
            totals[label] = totals.get(label, 0) + int(number)
    assert values["rsyncd_sent_bytes_total"] == sent
    assert values["rsyncd_received_bytes_total"] == received
    assert values["rsyncd_session_total_size_bytes_total"] == size
    assert values["rsync_data_sent_bytes_total"] == {"": sum(sent.values())}
    assert values["rsync_data_received_bytes_total"] == {"": sum(received.values())}
    assert values["rsync_exchange_data_bytes_total"] == {"": sum(sent.values()) + sum(received.values())}
    errors: dict[str, float] = {}
    codes: dict[str, float] = {}
    for _, code, role in _ERROR.findall(logged):
        errors[f'code="{code}",role="{role}"'] = errors.get(f'code="{code}",role="{role}"', 0) + 1
        codes[f'status_code="{code}"'] = codes.get(f'status_code="{code}"', 0) + 1
    assert values["rsyncd_errors_total"] == errors
    assert values["rsync_service_error_total"] == codes
    assert (
        len(errors) >= 2
    )  # one may also tell that the other was gone: the upload that was refused, and the download that was given up


def _check_prometheus(prometheus: Prometheus, values: dict[str, dict[str, float]], logged: str) -> None:
    """Ask Prometheus for the same, and for what only it can tell."""

    for name, series in values.items():
        if name.startswith("rsync") and "_lag_" not in name and not name.endswith(("_bucket", "_sum", "_count")):
            until(lambda n=name, s=series: prometheus.ask(n) == s, WAIT_S, f"a scrape of {name} as it is")
    assert prometheus.ask("up") == {"": 1.0}
    counts = values["rsyncd_session_bytes_count"]
    assert prometheus.ask("histogram_count(rsyncd_session_bytes)") == counts  # native: they came by protobuf
    sums = prometheus.ask("histogram_sum(rsyncd_session_bytes)")
    assert sums == values["rsyncd_session_bytes_sum"]
    median = prometheus.ask('histogram_quantile(0.5, rsyncd_session_bytes{module="exercise",direction="download"})')
    exact = next(int(a) + int(b) for _, a, b, _ in _END.findall(logged))
    assert next(iter(median.values())) == pytest.approx(exact, rel=0.1)
