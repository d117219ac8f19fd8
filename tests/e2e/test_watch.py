"""`tailrace watch` as people run it: shown, stored, killed and started again."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tailrace.cli.app import execute

BACKENDS = ["auto", "inotify", "poll"]
POLL = ("--poll", "0.1")


class Watch:
    """A running `tailrace watch`; `said` are the lines that it printed."""

    def __init__(self, folder, *words):
        self.error = folder / "said"
        self.output = folder / "shown"
        with self.output.open("wb") as shown, self.error.open("wb") as said:
            command = [sys.executable, "-m", "tailrace", "watch", *map(str, words)]
            self.process = subprocess.Popen(command, stdout=shown, stderr=said)
        self.until(lambda: "watching" in self.error.read_text())

    def until(self, condition, patience_s=60):
        end_s = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > end_s or self.process.poll() is not None:
                code = self.process.poll()
                self.process.kill()
                self.process.wait()
                pytest.fail(f"in vain, {code}: {self.error.read_text()} {self.output.read_text()[-2000:]}")
            time.sleep(0.05)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def tailrace(capsys):
    """Run another command beside it, here: a process for each question would take longer than what is asked about."""

    def run(*words):
        code = execute([str(word) for word in words])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return run


@pytest.fixture
def top(tmp_path):
    made = tmp_path / "top"
    (made / "a").mkdir(parents=True)
    (made / "a/old").write_text("old")
    return made


@pytest.mark.e2e
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_happens_is_shown(top, tmp_path, backend):
    words = ("--backend", backend, *POLL, "--hash", "xxh3", "-o", "jsonl", "--exclude", "*.tmp")
    watch = Watch(tmp_path, top, *words)
    (top / "a/no.tmp").write_text("x")

    def shown():
        (top / "a/new").write_text("hello")  # again: the first round of polling takes what it finds as known
        return '"size":5' in watch.output.read_text()

    watch.until(shown)
    (top / "a/new").rename(top / "b")
    watch.until(lambda: f'"{top}/b"' in watch.output.read_text())
    assert watch.end(signal.SIGINT) == 0
    events = [json.loads(line) for line in watch.output.read_text().splitlines()]
    assert not [event for event in events if event["file"]["path"].endswith(".tmp")]
    made = next(event for event in events if event["file"]["path"] == f"{top}/a/new" and event["file"].get("size") == 5)
    assert "created" in made["event"]["action"] or "updated" in made["event"]["action"]
    assert made["event"]["module"] == "file_integrity"


@pytest.mark.e2e
def test_who_did_it_is_shown(top, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root learns who did it")
    watch = Watch(tmp_path, top)
    subprocess.run(["touch", top / "by-touch"], check=True)
    watch.until(lambda: "by-touch" in watch.output.read_text())
    watch.end()
    line = next(line for line in watch.output.read_text().splitlines() if "by-touch" in line)
    if "by touch[" not in line:
        pytest.skip("eBPF is not allowed, and the process was gone before /proc was asked")
    assert line.endswith(" root")


@pytest.mark.e2e
@pytest.mark.parametrize("backend", BACKENDS)
def test_killed_and_started_again_it_knows_what_is_there(top, tmp_path, backend, tailrace):
    data = tmp_path / "data"

    def listed():
        lines = tailrace("files", "ls", top, "--recursive", "--output", "jsonl", "--data", data).splitlines()
        return {row["path"]: row["size"] for row in map(json.loads, lines) if row["type"] == "file"}

    first = Watch(tmp_path, top, "--backend", backend, *POLL, "--data", data)
    (top / "a/one").write_text("1")
    first.until(lambda: (data / "logs").exists() and f"{top}/a/one" in listed())
    first.end(signal.SIGKILL)
    (top / "a/old").unlink()
    (top / "a").rename(top / "z")
    (top / "z/two").write_text("22")

    second = Watch(tmp_path, top, "--backend", backend, *POLL, "--data", data)
    second.until(lambda: listed() == {f"{top}/z/one": 1, f"{top}/z/two": 2})
    (top / "z/three").write_text("333")
    second.until(lambda: listed().get(f"{top}/z/three") == 3)
    assert second.end() == 0
    gaps = tailrace(
        "query", '{source="file_events"} | event_action = "gap"', "--data", data, "-o", "jsonl"
    ).splitlines()
    fields = [json.loads(line)["fields"] for line in gaps]
    assert {field["event_reason"] for field in fields} == {"restart"}
    assert [("event_end" in field) for field in fields].count(True) == 1


@pytest.mark.e2e
def test_what_is_not_there_is_not_watched(tmp_path):
    command = [sys.executable, "-m", "tailrace", "watch", str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no such file or folder (nothing is watched)" in done.stderr
