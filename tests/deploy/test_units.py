"""The units of systemd: systemd takes them, they may do little, and their commands are there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from tailrace.cli.app import app

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
NAMES = ["tailrace.service", "tailrace-agent.service", "tailrace-server.service"]
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze verifies units")


def analyzed(*words: str) -> str:
    done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@needs_systemd
@pytest.mark.parametrize("name", NAMES)
def test_systemd_takes_it(name: str, tmp_path: Path) -> None:
    unit = tmp_path / name
    unit.write_text((UNITS / name).read_text().replace("/usr/bin/tailrace", "/bin/true"))
    assert name not in analyzed("verify", str(unit))


@needs_systemd
@pytest.mark.parametrize("name", NAMES)
def test_it_may_do_little(name: str) -> None:
    said = analyzed("security", "--offline=true", str(UNITS / name))
    if "Overall exposure" not in said:
        pytest.skip("this systemd does not look at files")
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert exposure is not None
    assert float(exposure[1]) <= 2.0


@pytest.mark.parametrize("name", NAMES)
def test_its_command_is_there(name: str) -> None:
    command = re.search(r"^ExecStart=/usr/bin/tailrace (\w+) (.*)$", (UNITS / name).read_text(), re.MULTILINE)
    assert command is not None
    found = typer.main.get_command(app).commands[command[1]]  # type: ignore[attr-defined]  # it is a group
    known = {option for parameter in found.params for option in parameter.opts}
    assert {word for word in command[2].split() if word.startswith("--")} <= known


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_as_the_user_of_sysusers_without_capabilities(name: str) -> None:
    text = (UNITS / name).read_text()
    assert "User=tailrace\n" in text
    assert re.search(r"^u tailrace ", (UNITS.parent / "sysusers.d" / "tailrace.conf").read_text(), re.MULTILINE)
    assert "\nCapabilityBoundingSet=\n" in text
