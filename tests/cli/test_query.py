"""Answers from a folder, in every format."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import polars as pl

from tailrace.cli.app import execute

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from cli.conftest import Done

ALL = '{filename=~".+"}'


def test_all_lines_newest_first(run: Callable[..., Done], table: Path) -> None:
    done = run("query", ALL, "--data", table, "-o", "raw")
    assert (done.code, done.out, done.err) == (0, "grün ✓\nbroken\nstart\n", "")


def test_oldest_first_and_a_limit(run: Callable[..., Done], table: Path) -> None:
    assert (
        run("query", ALL, "--data", table, "-o", "raw", "--direction", "forward", "--limit", 2).out == "start\nbroken\n"
    )


def test_json_lines(run: Callable[..., Done], table: Path) -> None:
    done = run("query", ALL + " | status = 500", "--data", table, "--output", "jsonl")
    (row,) = map(json.loads, done.out.splitlines())
    assert row["time"] == "2026-01-02T03:00:30.000000000Z"
    assert row["labels"]["filename"].endswith("/app.log")
    assert row["line"] == "broken"
    assert row["fields"]["status"] == "500"


def test_csv_and_text(run: Callable[..., Done], table: Path) -> None:
    rows = run("query", ALL, "--data", table, "-o", "csv").out.splitlines()
    assert len(rows) == 4
    assert rows[0].startswith("time,")
    text = run("query", ALL, "--data", table, "--limit", 1).out
    assert text == "2026-01-02T03:01:30.000Z info  grün ✓\n"


def test_parquet(table: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert execute(["query", ALL, "--data", str(table), "-o", "parquet"]) == 0
    frame = pl.read_parquet(io.BytesIO(capsysbinary.readouterr().out))
    assert frame["line"].to_list() == ["grün ✓", "broken", "start"]


def test_the_start_is_in_the_range_and_the_end_is_not(run: Callable[..., Done], table: Path) -> None:
    bounds = ("--from", "2026-01-02T03:00:00Z", "--to", "2026-01-02T03:01:30Z")
    assert run("query", ALL, "--data", table, "-o", "raw", *bounds).out == "broken\nstart\n"


def test_numbers(run: Callable[..., Done], table: Path) -> None:
    query = f"sum by (level) (count_over_time({ALL}[10m]))"
    bounds = ("--from", "2026-01-02T03:00:00Z", "--to", "2026-01-02T03:05:00Z")
    done = run("query", query, "--data", table, "-o", "jsonl", *bounds)
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert {row["labels"]["level"]: row["value"] for row in rows} == {"info": "2", "error": "1"}
    assert {row["time"] for row in rows} == {"2026-01-02T03:05:00.000000000Z"}


def test_nothing_found_is_an_answer(run: Callable[..., Done], table: Path) -> None:
    done = run("query", '{filename="no"}', "--data", table)
    assert (done.code, done.out, done.err) == (0, "", "")


def test_a_wrong_query_has_a_caret_even_without_a_table(run: Callable[..., Done], tmp_path: Path) -> None:
    done = run("query", '{a="b"} | statuss >', "--data", tmp_path)
    assert done.code == 2
    assert done.out == ""
    assert done.err.splitlines()[1] == '  {a="b"} | statuss >'
    assert done.err.splitlines()[2].strip() == "^"


def test_no_table(run: Callable[..., Done], tmp_path: Path) -> None:
    done = run("query", ALL, "--data", tmp_path)
    assert done.code == 1
    assert done.err.startswith(f"error: there is no table in {tmp_path} (")


def test_a_folder_and_a_server_at_once(run: Callable[..., Done], table: Path) -> None:
    done = run("query", ALL, "--data", table, "--url", "http://127.0.0.1:1")
    assert (done.code, done.err) == (2, "error: --data and --url name two tables (give one of them)\n")


def test_a_person_is_told_the_range_and_the_cost(
    run: Callable[..., Done], table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tailrace.cli.output.is_terminal", lambda: True)
    said = run("query", ALL, "--data", table, "--limit", 2).err.splitlines()
    assert said[0] == "searching all times"
    assert said[1].startswith("2 rows (the limit: --limit 0 gives all); read ")


def test_explain(run: Callable[..., Done], table: Path) -> None:
    done = run("explain", ALL + ' |= "broken"', "--data", table)
    assert done.code == 0
    assert "broken" in done.out
