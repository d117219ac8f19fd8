"""The aggregation spec of file-event traces with the real program: recorded events, live ones, and both channels."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from e2e.program import COMMAND, STOP_S, answered, tailrace, until
from tailrace.receiver import Receiver
from tailrace.sources.tail import survey

pytestmark = pytest.mark.e2e
EXAMPLE = Path(__file__).parents[1] / "data" / "traceleft" / "aggregator-spec.json"
S = 1_000_000_000


def event(path, **more):
    arguments = {"filename": path, "flags": 577, "mode": 420}
    return json.dumps({"name": "open", "pid": 7, "ret": 3, "args": arguments, **more}) + "\n"


def example(tmp_path, **grpc):
    """Return the example with places of this test; nothing else of it changes."""
    document = json.loads(EXAMPLE.read_text())
    document["channels"][0]["path"] = str(tmp_path / "alerts.log")
    document["channels"][1].update(grpc)
    return document


def counts(text):
    return [int(count) for count in re.findall(r"^COUNT: (\d+)$", text, re.MULTILINE)]


def test_a_recorded_stream_gives_an_alert_per_second(tmp_path):
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(example(tmp_path)))
    base = 1_790_000_000 * S
    events = tmp_path / "events.jsonl"
    # 300 events a second, every second one of the file: 150 a second, of which the 100th, 200th, … pass.
    events.write_text("".join(event("/tmp/a.txt" if n % 2 else "/x", time=base + n * S // 300) for n in range(900)))
    said = tailrace("collect", events, "--spec", spec, "--data", tmp_path / "data")
    assert said.returncode == 0, said.stderr
    assert "900 more were reduced by the spec" in said.stderr
    blocks = (tmp_path / "alerts.log").read_text().split("\n\n")
    assert counts("\n".join(blocks)) == [150, 150, 150]
    assert blocks[0].splitlines()[1] == (
        f"EVENT: {{Timestamp:{base + 199 * S // 300} ProgramID:0 Pid:7 Ret:3 Name:open Hash:8854793710970174635 Flags:0}} "
        'Filename "/tmp/a.txt" Flags 577 Mode 420 '
    )
    assert answered("query", '{service_name=~".+"}', "--data", tmp_path / "data") == ""


def test_a_live_stream_reaches_the_receiver_with_the_true_count(tmp_path):
    receiver = Receiver("127.0.0.1:0", keep=1000)
    receiver.start()
    document = example(tmp_path, path=f"127.0.0.1:{receiver.port}", insecure=True)
    document["events"].append(document["events"][0] | {"channel": "2", "function": {"id": "sigma"}})
    spec = tmp_path / "spec.yaml"
    spec.write_text(json.dumps(document))
    events, data = tmp_path / "events.jsonl", tmp_path / "data"
    events.touch()
    with subprocess.Popen([*COMMAND, "collect", events, "--watch", "--spec", spec, "--data", data]) as program:
        try:
            with events.open("a") as file:
                for _ in range(40):
                    file.writelines(event("/tmp/a.txt") for _ in range(10))
                    file.flush()
                    program.poll()
            until(lambda: receiver.top() == [("open", 400)], 30, "all events are told to the receiver")
        finally:
            program.send_signal(signal.SIGTERM)
            program.wait(STOP_S)
    assert sum(counts((tmp_path / "alerts.log").read_text())) == 400
    assert all(message.open.filename == b"/tmp/a.txt" for message in receiver.messages)
    receiver.stop()


def test_a_count_is_told_once_over_kills_and_stops(tmp_path):
    document = example(tmp_path)
    document["events"][0] |= {"function": {"id": "sigma"}, "output": {"metrics": "rate", "parameters": "window=86400"}}
    spec, events, data = tmp_path / "spec.json", tmp_path / "events.jsonl", tmp_path / "data"
    spec.write_text(json.dumps(document))
    state = data / "agents" / "collect"
    turns = [(500, 500, signal.SIGKILL), (500, 1000, signal.SIGKILL), (1, 1001, signal.SIGTERM), (2, 2, signal.SIGTERM)]
    for new, waiting, end in turns:
        with events.open("a") as file:
            file.writelines(event("/tmp/a.txt", time=1_790_000_000 * S + n) for n in range(new))
        with subprocess.Popen([*COMMAND, "collect", events, "--watch", "--spec", spec, "--data", data]) as program:
            try:
                until(partial(is_counted, state, waiting), 30, "all events are counted")
            finally:
                program.send_signal(end)
                program.wait(STOP_S)
    assert counts((tmp_path / "alerts.log").read_text()) == [1001, 2]


def is_counted(folder, wanted):
    """Tell whether so many events are in open windows, as the checkpoint says."""
    state = survey.position(folder).get("reduce", {}) if folder.exists() else {}
    windows = [value[1] for key, value in state.items() if key.count("/") == 1]
    return sum(window["received"] for window in windows if window) == wanted


def test_a_spec_with_mistakes_says_all_of_them_and_reads_nothing(tmp_path):
    document = example(tmp_path)
    document["channels"][0]["type"] = "fil"
    document["events"][0]["name"] = "opne"
    document["events"][0]["function"]["parameters"] = "frequency=often"
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(document, indent=2))
    (tmp_path / "events.jsonl").write_text(event("/tmp/a.txt"))
    said = tailrace("collect", tmp_path / "events.jsonl", "--spec", spec, "--data", tmp_path / "data")
    assert said.returncode == 2
    for text in ("did you mean 'file'", "did you mean 'open'", "must be a whole number"):
        assert text in said.stderr
    assert "Traceback" not in said.stderr


def test_a_declared_format_reads_an_import(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "parsers:\n  - name: timing\n    pattern: 'took <ms>ms for <what>'\n    types: {ms: int}\n"
        "steps:\n  - {type: drop, where: 'ms < 10'}\n"
    )
    log = tmp_path / "app.log"
    log.write_text('took 5ms for a\ntook 50ms for b\n{"msg": "other", "n": 1}\nneither\n')
    done = tailrace("collect", log, "--format", "json|timing", "--spec", spec, "--data", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    found = answered(
        "query", '{service_name="app"}', "--data", tmp_path / "data", "--output", "jsonl", "--direction", "forward"
    )
    rows = [json.loads(line) for line in found.splitlines()]
    assert [row["line"] for row in rows] == ["took 50ms for b", "other", "neither"]
    assert [row["fields"].get("ms") for row in rows] == ["50", None, None]
    wrong = tailrace("collect", log, "--format", "timin", "--spec", spec, "--data", tmp_path / "data")
    assert wrong.returncode == 2
    assert "did you mean 'timing'" in wrong.stderr
