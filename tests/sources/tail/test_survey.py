"""Followed files as commands see them: from the checkpoint and the disk, without touching either."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tailrace.clock import SystemClock
from tailrace.sources.tail import TailSettings, TailSource, survey
from tailrace.sources.tail.checkpoint import Checkpoint


class Agent:
    """A source of files and its checkpoint."""

    def __init__(self, folder: Path, *paths: Path) -> None:
        self.folder = folder / "data" / "agents" / "local"
        self.checkpoint = Checkpoint.open(self.folder, agent_name="local")
        self.checkpoint.recover(None)
        settings = TailSettings(paths=tuple(map(str, paths)))
        self.source = TailSource(settings, name="files", clock=SystemClock(), host="h")

    def read(self) -> None:
        """Read what is there; its plan is open until `settle`."""
        self.source.read(1 << 20, 0.0)
        self.position = self.checkpoint.plan({"files": self.source.mark()})

    def settle(self) -> None:
        self.checkpoint.settle(self.position.number)

    def rows(self) -> list[survey.FollowedFile]:
        return survey.files("local", survey.position(self.folder))

    def close(self) -> None:
        self.source.close()
        self.checkpoint.close()


@pytest.fixture
def agent(tmp_path):
    made = Agent(tmp_path, tmp_path / "logs")
    yield made
    made.close()


@pytest.fixture
def logs(tmp_path):
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


def test_offset_size_and_lag_while_the_agent_runs(logs, agent):
    log = logs / "a.log"
    log.write_text("one\n")
    agent.read()
    log.write_text("one\ntwo\n")
    (row,) = agent.rows()
    assert (row.agent, row.source, row.path, row.name) == ("local", "files", str(log), str(log))
    assert (row.state, row.offset, row.size, row.lag_bytes) == ("following", 4, 8, 4)
    found = log.stat()
    assert row.identity.startswith(f"{found.st_dev:x}.{found.st_ino:x}.")
    agent.settle()
    agent.close()
    assert agent.rows() == [row]


def test_what_became_of_files(logs, agent):
    for name in ("gone", "replaced", "away"):
        (logs / f"{name}.log").write_text(f"{name}\n")
    agent.read()
    (logs / "gone.log").unlink()
    (logs / "new").write_text("other\n")
    (logs / "new").rename(logs / "replaced.log")
    assert {Path(row.path).stem: row.state for row in agent.rows()} == {
        "gone": "gone",
        "replaced": "replaced",
        "away": "following",
    }


def test_the_same_file_under_another_name(logs, agent, tmp_path):
    (logs / "a.log").write_text("a\n")
    agent.read()
    os.link(logs / "a.log", tmp_path / "hard")
    (tmp_path / "soft").symlink_to(logs / "a.log")
    rows = agent.rows()
    for name in ("hard", "soft", "logs/a.log"):
        assert survey.same_file(str(tmp_path / name), rows) == rows
    assert survey.same_file(str(tmp_path / "none"), rows) == []


def test_folders_without_a_checkpoint_say_nothing(tmp_path):
    assert survey.agents(tmp_path) == []
    assert survey.position(tmp_path) == {}
    (tmp_path / "checkpoint.log").write_bytes(b"garbage")
    assert survey.position(tmp_path) == {}


def test_batches_that_never_happened_are_left_out(tmp_path):
    folder = tmp_path / "agents" / "a"
    first = Checkpoint.open(folder, agent_name="a")
    first.plan({"files": {"k": 1}})
    first.settle(0)
    first.plan({"files": {"k": 2}})
    first.close()
    second = Checkpoint.open(folder, agent_name="a")
    second.recover(0)
    second.plan({"other": {"x": 1}})
    assert survey.position(folder) == {"files": {"k": 1}, "other": {"x": 1}}
    second.close()


def test_reasons(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    settings = TailSettings(paths=(str(logs),), exclude=("*.old",))

    def why(name: str, content: bytes | None = b"text\n") -> tuple[bool, str]:
        path = logs / name
        if content is not None:
            path.write_bytes(content)
        found = survey.reason(str(path), "files", settings)
        return found.followed, found.why

    assert why("a.log") == (True, f"it matches {logs}")
    assert why("a.old") == (False, f"it matches {logs}, and is excluded by '*.old'")
    assert why("none.log", None) == (False, "there is no such file; it is read when it appears")
    assert why("wtmp") == (False, "it is refused: login records, not text")
    assert why("db", b"SQLite format 3\x00") == (False, "it is refused: an SQLite database")
    assert why(".hidden") == (
        False,
        "none of its paths matches; names that begin with a dot are only followed when written out",
    )
    os.mkfifo(logs / "pipe")
    assert why("pipe", None) == (False, "it is a named pipe, not a file")
    assert survey.reason("/elsewhere/a.log", "files", settings) == survey.Reason(
        "files", followed=False, why="none of its paths matches"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("x\n")
    log.chmod(0)
    found = survey.reason(str(log), "files", TailSettings(paths=(str(log),)))
    assert (found.followed, found.why) == (False, "it cannot be read: Permission denied")
