"""The unit of the condenser: what it starts exists, and it restarts as its documentation says."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "tailrace-condense.service"


def settings() -> dict[str, str]:
    lines = [line for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines if not line.startswith("Environment="))


def test_the_command_and_its_flags_exist() -> None:
    from typer.testing import CliRunner

    from tailrace.cli.app import app

    _, *command = shlex.split(settings()["ExecStart"])
    shown = CliRunner().invoke(app, [*command[:2], "--help"], env={"COLUMNS": "200"}).output
    for word in command[2:]:
        assert not word.startswith("--") or word in shown


def test_it_restarts_after_ten_seconds() -> None:
    found = settings()
    assert (found["Restart"], found["RestartSec"], found["LimitNOFILE"]) == ("always", "10", "4096")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze verifies units")
def test_systemd_takes_it(tmp_path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/bin/tailrace", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert UNIT.name not in done.stderr
