"""Commands as a test runs them: in this process, with exit code, answer and what was said beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tailrace.cli.app import execute

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    def call(*arguments: object) -> Done:
        code = execute([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return call


LINES = [
    '{"time":"2026-01-02T03:00:00Z","level":"info","message":"start","status":200}',
    '{"time":"2026-01-02T03:00:30Z","level":"error","message":"broken","status":500}',
    '{"time":"2026-01-02T03:01:30Z","level":"info","message":"grün ✓","status":204}',
]


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that holds the three lines of one file."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "app.log").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    data = folder / "data"
    assert execute(["collect", str(folder / "app.log"), "--data", str(data)]) == 0
    return Path(data)
