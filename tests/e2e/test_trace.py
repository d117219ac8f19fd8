"""`tailrace trace` with the real program: lines, JSON, alerts with true counts, the table, refusals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.program import COMMAND, STOP_S, answered, tailrace, until
from ebpf.needs import bpf
from sources.trace.traced import Actor

pytestmark = [pytest.mark.e2e, bpf]
EXAMPLE = Path(__file__).parents[1] / "data" / "traceleft" / "aggregator-spec.json"
OPENS = """
import time
end = time.monotonic() + 2.5
made = {}
while time.monotonic() < end:
    for n in range(100): os.close(os.open(sys.argv[1], os.O_RDONLY))
    time.sleep(0.005)
    second = int(time.time()); made[second] = made.get(second, 0) + 100
print(sum(made.values()))
"""


@contextmanager
def traced(*words):
    """Run a trace; what it is given back is the program, which traces by now. Ends it, if it did not end itself."""
    with subprocess.Popen(
        [*COMMAND, "trace", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        try:
            while "tracing" not in (said := program.stderr.readline()):
                assert said, "it ended"
            yield program
        finally:
            if program.poll() is None:
                program.send_signal(signal.SIGTERM)


def ended(program):
    """End a trace; returns what it showed and said."""
    program.send_signal(signal.SIGTERM)
    shown, said = program.communicate(timeout=STOP_S)
    assert program.returncode == 0, said
    return shown, said


def test_lines_have_the_form_of_the_tracer(tmp_path):
    actor = Actor("os.close(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY, 0o640))", tmp_path / 'a "b"')
    with traced(f"5:{actor.pid}:open", f"{actor.pid}:close") as program:
        actor.act()
        shown, said = ended(program)
    lines = [re.sub(r"hash \d+", "hash H", line) for line in shown.splitlines()]
    name = str(tmp_path / 'a "b"').replace('"', '\\"')
    assert (
        lines[0]
        == f'name open pid {actor.pid} program id 5 return value 3 hash H Filename "{name}" Flags 524353 Mode 416'
    )
    assert lines[1] == f'name close pid {actor.pid} program id 0 return value 0 hash H Fd 3<{tmp_path}/a "b">'
    assert "seen " in said


def test_documents_say_who_and_where(tmp_path):
    actor = Actor("os.chdir(sys.argv[1]); os.mkdir('d')", tmp_path)
    with traced(f"{actor.pid}:mkdir", "-o", "jsonl") as program:
        actor.act()
        shown, _ = ended(program)
    (event,) = map(json.loads, shown.splitlines())
    assert event["args"] == {"pathname": "d", "mode": 511}
    assert (event["arg1"], event["path"], event["cwd"]) == ("d", f"{tmp_path}/d", str(tmp_path))
    assert event["exe"] == os.path.realpath(sys.executable)
    assert event["message"].startswith('mkdir Pathname "d" Mode 511 = 0 by ')
    assert (event["uid"], event["ppid"], event["pid"]) == (os.getuid(), os.getpid(), actor.pid)


def test_a_spec_tells_an_alert_per_second_with_the_true_count(tmp_path):
    document = json.loads(EXAMPLE.read_text())
    document["channels"][0]["path"] = str(tmp_path / "alerts.log")
    target = tmp_path / "a.txt"
    target.touch()
    document["events"][0]["rule"] = f"arg1 == '{target}'"
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(document))
    actor = Actor(OPENS, target)
    with traced("open", "--spec", spec, "--collector-insecure") as program:
        made = int(actor.act())
        shown, _ = ended(program)
    alerts = (tmp_path / "alerts.log").read_text()
    counts = [int(count) for count in re.findall(r"^COUNT: (\d+)$", alerts, re.MULTILINE)]
    assert len(counts) in (3, 4)  # 2.5 seconds touch so many
    # The last second counts if the hundredth of its events passed, which it did unless it was very short.
    assert made - 100 <= sum(counts) <= made
    assert f'Filename "{target}" ' in alerts
    assert shown == ""


def test_calls_are_counted(tmp_path):
    actor = Actor("for n in range(1234): os.write(1, b'abc')")
    with traced(f"{actor.pid}:write", "--count", "-o", "jsonl") as program:
        actor.act()
        shown, _ = ended(program)
    rows = [json.loads(line) for line in shown.splitlines()]
    assert sum(row["count"] for row in rows) == 1234
    assert sum(row["bytes"] for row in rows) == 3702
    assert {(row["call"], row["pid"]) for row in rows} == {("write", actor.pid)}


def test_events_of_a_spec_alone_are_traced(tmp_path):
    said = tailrace("trace", "--spec", EXAMPLE, "--collector-insecure", "--for", "0.2")
    assert said.returncode == 0
    assert "tracing open" in said.stderr


def test_a_spec_of_our_own_decides_what_is_shown(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(f"steps:\n  - {{type: keep, where: \"arg1 = '{tmp_path}/yes' and arg2 = 524288\"}}\n")
    (tmp_path / "yes").touch()
    (tmp_path / "no").touch()
    actor = Actor("for name in ('no', 'yes'): os.close(os.open(sys.argv[1] + '/' + name, os.O_RDONLY))", tmp_path)
    with traced("open", "--spec", spec) as program:
        actor.act()
        shown, _ = ended(program)
    assert [re.search(r'Filename "([^"]*)"', line)[1] for line in shown.splitlines()] == [f"{tmp_path}/yes"]


def test_events_are_stored_and_found(tmp_path):
    actor = Actor("os.close(os.open(sys.argv[1], os.O_CREAT)); os.unlink(sys.argv[1])", tmp_path / "f")
    data = tmp_path / "data"
    with traced(f"{actor.pid}:open", f"{actor.pid}:unlink", "--data", data) as program:
        actor.act()
        question = ("query", '{source="trace"} | name="unlink"', "--data", data, "--output", "jsonl")
        until(lambda: answered(*question), 30, "the events are stored")
        _, said = ended(program)
    assert "stored 2 events" in said
    found = answered(*question)
    (row,) = map(json.loads, found.splitlines())
    assert row["fields"]["path"] == str(tmp_path / "f")
    assert row["fields"]["arg1"] == str(tmp_path / "f")
    assert row["line"].startswith(f'unlink Pathname "{tmp_path}/f" = 0 by ')


def test_a_source_of_up_traces_too(tmp_path):
    actor = Actor("os.close(os.open(sys.argv[1], os.O_CREAT))", tmp_path / "f")
    config = tmp_path / "tailrace.yaml"
    config.write_text(
        f"data: {tmp_path}/data\nlisten: 127.0.0.1:0\nsources:\n  - type: trace\n    events: ['{actor.pid}:open']\n"
    )
    with subprocess.Popen([*COMMAND, "up", "--config", str(config)], stderr=subprocess.PIPE, text=True) as program:
        try:
            while "following" not in (said := program.stderr.readline()):
                assert said, "it ended"
            actor.act()
            question = ("query", '{source="trace"}', "--data", tmp_path / "data")
            until(lambda: f"{tmp_path}/f" in answered(*question), 30, "the event is stored")
        finally:
            program.send_signal(signal.SIGTERM)
            program.communicate(timeout=STOP_S)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["opne"], 2, "did you mean 'open'"),
        ([], 2, "there is no event to trace"),
        (["x:open"], 2, "is no number"),
        (["open", "--count", "--path", "/etc"], 2, "leave out --data, --spec and --path"),
        (["sys_open", "--backend", "nothing"], 2, "nothing"),
    ],
)
def test_mistakes_are_told(words, code, said):
    done = tailrace("trace", *words)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_list_names_all_events():
    shown = answered("trace", "--list")
    assert re.search(
        r"^open +filename flags mode +\(open, openat, openat2, creat, open_by_handle_at\)$", shown, re.MULTILINE
    )
    assert re.search(r"^network += connect_v4", shown, re.MULTILINE)


def test_a_user_without_rights_is_refused_in_words(tmp_path):
    script = (
        "import os, sys; from tailrace.cli.app import execute; import tailrace.agent.trace, tailrace.ebpf.watched, "
        "tailrace.sources.trace.source, tailrace.config.load; os.setgid(65534); os.setuid(65534); "
        "sys.exit(execute(['trace', 'open', '--for', '1']))"
    )
    if os.getuid():
        pytest.skip("only root can become somebody else")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 1
    assert "it needs the rights of root, or CAP_BPF and CAP_PERFMON; this is user 65534" in done.stderr
    assert "Traceback" not in done.stderr
