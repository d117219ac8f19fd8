"""The example of the page on reduction: what it shows is what the command prints."""

from __future__ import annotations

from typer.testing import CliRunner

from docs.pages import ROOT, fences
from tailrace.cli.app import app

PAGE = ROOT / "docs/howto/reduce.md"


def test_the_example_prints_what_the_page_shows(tmp_path, monkeypatch):
    found = list(fences(PAGE))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tailrace.yaml").write_text(next(each.body for each in found if each.kind == "yaml"))
    (tmp_path / "app.log").write_text(next(each.body for each in found if each.kind == "text"))
    command, shown = next(each.body for each in found if each.note == "reduce").split("\n", 1)
    done = CliRunner().invoke(app, command.removeprefix("$ tailrace ").split())
    assert done.exit_code == 0
    assert done.stdout == shown
