"""The example of the page on rule tests: what it shows is what the command prints."""

from __future__ import annotations

from typer.testing import CliRunner

from docs.pages import ROOT, fences
from tailrace.cli.app import app

PAGE = ROOT / "docs/howto/test-rules.md"


def test_the_example_prints_what_the_page_shows(tmp_path, monkeypatch):
    found = list(fences(PAGE))
    monkeypatch.chdir(tmp_path)
    for fence in found:
        if fence.note.startswith("file "):
            (tmp_path / fence.note.removeprefix("file ")).write_text(fence.body)
    command, shown = next(each.body for each in found if each.note == "run").split("\n", 1)
    done = CliRunner().invoke(app, command.removeprefix("$ tailrace ").split())
    assert done.stdout.rstrip("\n") == shown.rstrip("\n")
    assert done.exit_code == 0
