"""A configuration that changes under load: checked, swapped between two batches, without losing or doubling a line."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from agent.fakes import Memory, until
from tailrace.agent import Agent
from tailrace.agent.reload import FIXED, Reload, difference
from tailrace.agent.wiring import make_reducing, make_source
from tailrace.clock import SystemClock
from tailrace.config.load import parse, resolve
from tailrace.config.model import Config
from tailrace.sources.tail import survey
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.telemetry import Accounts

SOURCE = "sources: [{{name: app, paths: [{folder}], labels: {{turn: '{turn}'}}}}]\n"


class Running:
    """An agent with a configuration file, as `up` wires them."""

    def __init__(self, folder: Path, text: str) -> None:
        self.file = folder / "tailrace.yaml"
        self.file.write_text(text)
        self.said: list[str] = []
        self.accounts, self.sink, clock = Accounts(), Memory(), SystemClock()
        flags = {"data": folder / "data"}
        loaded = resolve(self.file, flags)
        config, reducing = loaded.config, make_reducing(loaded.config.spec, self.accounts)
        self.agent = Agent(
            [make_source(config, one, clock) for one in config.sources],
            self.sink,
            Checkpoint.open(folder / "agent", agent_name="t"),
            accounts=self.accounts,
            clock=clock,
            interval_s=0.0,
            linger=True,
            reduction=reducing.reduction,
        )
        self.reload = Reload(
            loaded,
            lambda: resolve(self.file, flags),
            reducing,
            self.agent.change,
            accounts=self.accounts,
            clock=clock,
            announce=self.said.append,
        )
        self._thread = threading.Thread(target=self.agent.run)
        self._thread.start()

    def metric(self, name: str) -> float:
        for line in self.accounts.render()[0].decode().splitlines():
            if line.startswith(name):
                return float(line.rpartition(" ")[2])
        raise AssertionError(name)

    def stop(self) -> None:
        self.reload.stop()
        self.agent.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def running(tmp_path):
    made: list[Running] = []

    def start(text: str) -> Running:
        made.append(Running(tmp_path, text))
        return made[-1]

    yield start
    for one in made:
        one.stop()


def config(text):
    return parse(text + "\ndata: /d\nhost: h\n")


def test_difference_names_what_comes_and_leaves():
    old = config("sources: [{name: a, paths: [/a]}, {name: b, paths: [/b]}, {name: c, paths: [/c]}]")
    new = config("sources: [{name: c, paths: [/c]}, {name: b, paths: [/x]}, {name: d, paths: [/d]}]")
    found = difference(old, new)
    assert found.leave == ("a", "b")
    assert [source.name for source in found.come] == ["b", "d"]
    assert found.fixed == ()
    assert not difference(old, old)


def test_another_host_changes_every_source():
    old = parse("{data: /d, host: h, sources: [{name: a, paths: [/a]}]}")
    new = parse("{data: /d, host: i, sources: [{name: a, paths: [/a]}]}")
    assert difference(old, new).leave == ("a",)


def test_a_hundred_reloads_under_load_lose_and_double_nothing(running, tmp_path):
    reload_under_load(running, tmp_path, 100)


def reload_under_load(running, tmp_path, reloads):
    """Read a configuration again and again, half of them wrong, while a log is written and rotated."""
    logs = tmp_path / "logs"
    logs.mkdir()
    live = logs / "app.log"
    live.write_text("")
    run = running(SOURCE.format(folder=logs, turn=0))
    stop, written = threading.Event(), [0]

    def write():
        while not stop.is_set():
            with live.open("a") as file:
                for _ in range(50):
                    written[0] += 1
                    file.write(f"line {written[0]}\n")
            if written[0] % 5_000 == 0:
                os.replace(live, f"{live}.{written[0]}")  # noqa: PTH105  rotated
            stop.wait(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    before = 0.0
    for turn in range(1, reloads + 1):
        good = turn % 2 == 0
        run.file.write_text(SOURCE.format(folder=logs, turn=turn) if good else "sources: [{name: app, pahts: [x]}]\n")
        assert run.reload.now() is good
        assert run.metric("tailrace_config_last_reload_successful") == good
        read = run.metric('tailrace_read_lines_total{source="app"}')
        assert read >= before
        before = read
        assert run.accounts.of("app").closed()
    stop.set()
    writer.join()
    until(lambda: run.accounts.of("app").lines["stored"] >= written[0], 60)
    lines = run.sink.lines()
    assert len(lines) == written[0]
    assert sorted(lines, key=lambda line: int(line.split()[1])) == [f"line {n}" for n in range(1, written[0] + 1)]
    turns = {stream for batch in run.sink.batches for stream in batch.frame["_stream"].unique()}
    assert len(turns) > 10  # the settings of many turns were in force
    assert run.accounts.of("app").lines["pending"] == 0


def test_what_is_in_a_file_without_a_name_is_not_lost_with_its_source(running, tmp_path):
    log = tmp_path / "app.log"
    log.write_text("one\n")
    run = running(SOURCE.format(folder=log, turn=0))
    until(lambda: run.sink.lines() == ["one"])
    with log.open("a") as file:
        log.unlink()
        run.file.write_text(SOURCE.format(folder=log, turn=1))
        assert run.reload.now()
        file.write("two\n")
        file.flush()
        until(lambda: run.sink.lines() == ["one", "two"])


def test_a_file_that_is_excluded_now_is_not_read_any_more_and_goes_on_when_it_is_wanted_again(running, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    kept, left = logs / "kept.log", logs / "left.log"
    kept.write_text("kept 1\n")
    left.write_text("left 1\n")
    text = f"sources: [{{name: app, paths: [{logs}], exclude: [%s]}}]"
    run = running(text % "")
    until(lambda: len(run.sink.lines()) == 2)
    run.file.write_text(text % "left.log")
    assert run.reload.now()
    left.write_text("left 1\nleft 2\n")
    kept.write_text("kept 1\nkept 2\n")
    until(lambda: "kept 2" in run.sink.lines())
    assert [item.path for item in run.agent.sources()[0].status()] == [str(kept)]
    until(lambda: states(tmp_path) == {"kept.log": "following", "left.log": "parked"})
    run.file.write_text(text % "")
    assert run.reload.now()
    until(lambda: "left 2" in run.sink.lines())
    assert sorted(run.sink.lines()) == ["kept 1", "kept 2", "left 1", "left 2"]
    assert states(tmp_path) == {"kept.log": "following", "left.log": "following"}


def states(folder):
    """Return the state of each file as the checkpoint tells it."""
    return {Path(row.path).name: row.state for row in survey.files("t", survey.position(folder / "agent"))}


def test_a_wrong_file_says_every_mistake_and_changes_nothing(running, tmp_path):
    log = tmp_path / "app.log"
    log.write_text("one\n")
    run = running(SOURCE.format(folder=log, turn=0))
    before = run.agent.sources()
    run.file.write_text("sources: [{name: app, pahts: [x]}]\nstroe: {}\n")
    assert not run.reload.now()
    assert run.agent.sources() == before
    assert "pahts" in run.said[-1]
    assert "stroe" in run.said[-1]
    assert run.metric("tailrace_config_last_reload_successful") == 0


def test_sources_with_the_same_settings_are_left_alone(running, tmp_path):
    run = running(f"sources: [{{name: a, paths: [{tmp_path}/a]}}, {{name: b, paths: [{tmp_path}/b]}}]")
    a, _ = run.agent.sources()
    run.file.write_text(f"sources: [{{name: a, paths: [{tmp_path}/a]}}, {{name: c, paths: [{tmp_path}/b]}}]")
    assert run.reload.now()
    assert run.agent.sources()[0] is a
    assert [source.name for source in run.agent.sources()] == ["a", "c"]
    assert run.said == ["configuration read again: new c; removed b"]


def test_a_source_that_comes_back_goes_on_where_it_stopped(running, tmp_path):
    log = tmp_path / "app.log"
    log.write_text("one\n")
    run = running(SOURCE.format(folder=log, turn=0))
    until(lambda: run.sink.lines() == ["one"])
    run.file.write_text("sources: []")
    assert run.reload.now()
    log.write_text("one\ntwo\n")
    run.file.write_text(SOURCE.format(folder=log, turn=0))
    assert run.reload.now()
    until(lambda: run.sink.lines() == ["one", "two"])


def test_what_only_the_next_start_takes_over_is_said_each_time(running, tmp_path):
    run = running("sources: []")
    run.file.write_text(
        "sources: []\nagent: other\nlisten: 127.0.0.1:1\nstore: {retry_s: 5}\ncontrol: postgresql://db/x\n"
    )
    assert run.reload.now()
    assert run.reload.now()
    fixed = [
        f"$.{key}: changed; a running program keeps the old value until its next start"
        for key in ("control", "listen", "agent", "store")
    ]
    same = "configuration read again: nothing changed"
    assert run.said == [*fixed, same, *fixed, same]


def test_every_key_is_taken_over_or_said():
    assert set(Config.model_fields) - set(FIXED) == {"host", "sources", "spec"}


def test_the_file_is_watched(running, tmp_path, monkeypatch):
    monkeypatch.setattr("tailrace.agent.reload.WATCH_S", 0.01)
    run = running("sources: []")
    run.reload.start()
    new = tmp_path / "new.yaml"
    new.write_text(SOURCE.format(folder=tmp_path / "x", turn=1))
    new.replace(run.file)
    until(lambda: [source.name for source in run.agent.sources()] == ["app"])


def test_a_request_reads_the_file_even_if_it_looks_the_same(running):
    run = running("sources: []")
    run.reload.start()
    run.reload.ask()
    until(lambda: run.said == ["configuration read again: nothing changed"])


def test_another_spec_is_in_force_between_two_batches(running, tmp_path):
    log = tmp_path / "app.log"
    log.write_text("keep 1\ndrop 1\n")
    sources = f"sources: [{{name: app, paths: [{log}]}}]\n"
    run = running(sources)
    until(lambda: len(run.sink.lines()) == 2)
    run.file.write_text(sources + "spec: {steps: [{type: drop, id: noise, where: line LIKE 'drop%'}]}\n")
    assert run.reload.now()
    assert run.said == ["configuration read again: the spec changed"]
    with log.open("a") as file:
        file.write("drop 2\nkeep 2\n")
    until(lambda: run.accounts.of("app").lines["reduced"] == 1)
    assert run.sink.lines() == ["keep 1", "drop 1", "keep 2"]
    assert run.accounts.of("app").closed()
    assert run.metric("tailrace_reduced_lines_total") == 1
    run.file.write_text(sources)
    assert run.reload.now()
    with log.open("a") as file:
        file.write("drop 3\n")
    until(lambda: "drop 3" in run.sink.lines())


def test_the_state_of_a_step_goes_over_to_the_spec_that_has_it_too(running, tmp_path):
    log = tmp_path / "app.log"
    log.write_text("same\n" * 3)
    sources = f"sources: [{{name: app, paths: [{log}]}}]\n"
    same = "{type: dedupe, id: once, key: [line], window_s: 86400, lateness_s: 86400, max_count: 4}"
    run = running(f"{sources}spec: {{steps: [{same}]}}\n")
    until(lambda: run.accounts.of("app").lines["reduced"] == 3)
    run.file.write_text(f"{sources}spec: {{steps: [{same}, {{type: drop, where: line LIKE 'x%'}}]}}\n")
    assert run.reload.now()
    with log.open("a") as file:
        file.write("same\n")
    until(run.sink.lines)
    assert run.sink.batches[0].frame["dedupe_count"].to_list() == [4]  # three before the change and one after it


def test_a_spec_in_a_file_of_its_own_is_watched_too(running, tmp_path, monkeypatch):
    monkeypatch.setattr("tailrace.agent.reload.WATCH_S", 0.01)
    spec = tmp_path / "spec.yaml"
    spec.write_text("steps: []\n")
    run = running(f"sources: []\nspec: {spec}\n")
    run.reload.start()
    spec.write_text("steps: [{type: drop, longer_than_bytes: 100}]\n")
    until(lambda: run.said == ["configuration read again: the spec changed"])


def test_channels_that_are_not_in_force_any_more_are_closed_after_their_last_rows(running, tmp_path):
    log, out = tmp_path / "app.log", tmp_path / "out"
    log.write_text("to the channel\n")
    sources = f"sources: [{{name: app, paths: [{log}]}}]\n"
    text = f"channels: [{{name: c, type: file, path: {out}}}], steps: [{{type: route, routes: [{{where: 'true', to: c}}]}}]"
    run = running(f"{sources}spec: {{{text}}}\n")
    until(lambda: run.accounts.of("app").lines["reduced"] == 1)
    run.file.write_text(sources)
    assert run.reload.now()
    until(lambda: out.exists() and "to the channel" in out.read_text())
    assert run.reload.reducing.channels == {}
