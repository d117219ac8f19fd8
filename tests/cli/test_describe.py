"""The reference page follows the commands."""

from __future__ import annotations

from pathlib import Path

from tailrace.cli.describe import markdown

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), "run `make docs`"


def test_a_row_has_its_default_and_its_environment() -> None:
    assert "| `--limit N` | Lines at most; 0 is all. (default: 100) |" in markdown()
    assert "(environment: TAILRACE_CONFIG) |" in markdown()
    assert "tailrace query [OPTIONS] LOGQL" in markdown()
    assert "tailrace up [OPTIONS] [PATH…]" in markdown()
