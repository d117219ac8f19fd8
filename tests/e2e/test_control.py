"""The running program is told what to do: another configuration, a stop, and where it stands."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from e2e.program import COMMAND, Up, answered, rows_of, tailrace, until

pytestmark = pytest.mark.e2e


class Configured(Up):
    """`tailrace up` with a configuration file."""

    def configure(self, text: str) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.file)

    @property
    def file(self) -> Path:
        return self.data.parent / "tailrace.yaml"

    def start(self) -> None:
        words = [*COMMAND, "up", "--data", str(self.data), "--listen", self.address, "--config", str(self.file)]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def metric(self, name: str) -> float:
        _, body = self.get("/metrics")
        return next(float(line.rpartition(" ")[2]) for line in body.splitlines() if line.startswith(name))


@pytest.fixture
def up(tmp_path):
    made = Configured(tmp_path / "data", (), tmp_path / "up.log")
    yield made
    made.close()


def test_a_configuration_is_taken_over_by_watching_and_at_a_signal_and_a_wrong_one_is_not(up, tmp_path):
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    first.write_text("one\n")
    second.write_text("two\n")
    up.configure(f"sources: [{{name: a, paths: [{first}]}}]\n")
    up.start()
    up.ready()
    until(lambda: up.count('{source="a"}') == 1, 30, "the first source is read")

    up.configure(f"sources: [{{name: a, paths: [{first}]}}, {{name: b, paths: [{second}]}}]\n")
    until(lambda: up.count('{source="b"}') == 1, 30, "the second source is read, after a look at the file")

    up.configure("sources: [{name: a, pahts: [x]}]\n")
    until(lambda: up.metric("tailrace_config_last_reload_successful") == 0, 30, "the mistake is seen")
    assert "unknown key 'pahts'" in up.said()
    with first.open("a") as file:
        file.write("three\n")
    until(lambda: up.count('{source="a"}') == 2, 30, "the old configuration stays in force")

    up.configure(f"sources: [{{name: a, paths: [{first}], labels: {{env: prod}}}}]\n")
    assert up.process is not None
    up.process.send_signal(signal.SIGHUP)
    until(lambda: up.metric("tailrace_config_last_reload_successful") == 1, 30, "the correction is taken over")
    with first.open("a") as file:
        file.write("four\n")
    until(lambda: up.count('{env="prod"}') == 1, 30, "with its new label, and from where it was")
    assert up.metric('tailrace_lag_bytes{source="a"}') >= 0
    assert up.terminate()[0] == 0
    rows = rows_of(answered("query", '{source=~"a|b"}', "--data", up.data, "--output", "jsonl"))
    assert sorted(row["line"] for row in rows) == ["four", "one", "three", "two"]


def test_a_second_agent_on_the_same_state_is_refused(up, tmp_path):
    up.configure("sources: []\n")
    up.start()
    up.ready()
    done = tailrace("up", "--data", up.data, "--listen", "127.0.0.1:0", tmp_path / "x")
    assert done.returncode == 2
    assert up.process is not None
    assert f"agent 'local' is already running as process {up.process.pid}" in done.stderr
    assert up.terminate()[0] == 0


def test_a_stop_ends_soon_with_everything_durable(up, tmp_path):
    """A stop in the middle of a large backlog: what was read is stored, the rest is read by the next life."""
    log = tmp_path / "app.log"
    with log.open("w") as file:
        file.writelines(f"line {n} {'x' * 100}\n" for n in range(500_000))
    up.configure(f"sources: [{{name: a, paths: [{log}]}}]\n")
    up.start()
    up.ready()
    until(lambda: up.account().get("a", {}).get("read_lines", 0) > 0, 30, "it reads")
    code, seconds = up.terminate()
    assert code == 0
    assert seconds < 20
    up.start()
    up.ready()
    until(lambda: up.count('{source="a"}') == 500_000, 60, "the rest is read")
    assert up.terminate()[0] == 0


def test_standard_input_and_a_pipe(tmp_path):
    data = tmp_path / "data"
    words = [*COMMAND, "collect", "-", "--data", str(data)]
    done = subprocess.run(words, input="one\ntwo", capture_output=True, text=True, timeout=60, check=True)
    assert "imported 2 lines" in done.stderr
    rows = rows_of(answered("query", '{service_name="stdin"}', "--data", data, "--output", "jsonl"))
    assert sorted(row["line"] for row in rows) == ["one", "two"]


def test_the_journal_of_this_machine_or_why_not(up, tmp_path):
    up.configure("sources: [{type: journald}]\n")
    up.start()
    up.ready()
    items = until(lambda: json.loads(up.get("/status")[1])["followed"], 10, "the source tells its state")
    assert items[0]["path"] == "journal"
    assert items[0]["state"] in {"following", "unreadable"}
    began = time.monotonic()
    assert up.terminate()[0] == 0
    assert time.monotonic() - began < 10
