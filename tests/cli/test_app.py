"""Exit codes, usage mistakes, help, and what starts quickly."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import typer

import tailrace
from tailrace.cli.app import app
from tailrace.cli.describe import _commands as commands
from tailrace.errors import ConfigError, DataError, QueryError, TableError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Done

NAMES = [" ".join(words[1:]) for words, _ in commands(("tailrace",), typer.main.get_command(app))]


def test_every_command_of_the_design_is_here() -> None:
    assert sorted(NAMES) == sorted(
        [
            "up",
            "agent",
            "server",
            "token create",
            "token list",
            "token revoke",
            "audit",
            *(f"dead-letters {name}" for name in ("list", "show", "replay", "drop")),
            "collect",
            "query",
            "tail",
            "explain",
            "doctor",
            "version",
            "export",
            "receive",
            "trace",
            "watch",
            "files follow",
            "files ls",
            "files du",
            "files diff",
            "files history",
            "files usage",
            "files health",
            "files condense",
            "files check",
            "files baseline init",
            "files baseline check",
            "files baseline update",
            "files baseline compare",
            "table info",
            "table compact",
            "table retain",
            "table verify",
            "table delete",
            "check config",
            "check query",
            "check rules",
            "check spec",
            "config show",
            "config schema",
            *(f"metrics {name}" for name in ("list", "get", "meta", "create", "delete")),
            *(f"alerts {name}" for name in ("list", "get", "meta", "observe", "create", "delete", "silence", "check")),
            "alerts test",
            "alerts parked",
            "alerts test-receiver",
            "alerts backtest",
        ]
    )


@pytest.mark.parametrize("name", NAMES)
def test_help_has_an_example_and_exit_code_0(run: Callable[..., Done], name: str) -> None:
    done = run(*name.split(), "--help")
    assert done.code == 0
    assert f"tailrace {name}" in done.out.split("For example:")[1]
    assert run(*name.split(), "-h").out == done.out


@pytest.mark.parametrize("words", [(), ("table",), ("check",), ("config",)])
def test_nothing_asked_shows_the_help_and_is_a_usage_mistake(run: Callable[..., Done], words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.code == 2
    assert "Commands" in done.out
    assert done.err == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("verson",), "error: No such command 'verson'. Did you mean 'version'?"),
        (("query",), "error: Missing argument 'LOGQL'."),
        (
            ("query", "{a='b'}", "--limit", "-1"),
            "error: Invalid value for '--limit': Input should be greater than or equal to 0",
        ),
        (("query", "{}", "--outptu", "raw"), "error: No such option: --outptu"),
        (("metrics", "get"), "error: Missing argument 'METRIC'."),
    ],
)
def test_usage_mistakes(run: Callable[..., Done], words: tuple[str, ...], said: str) -> None:
    done = run(*words)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith(said)
    assert "--help' for examples." in done.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("wrong"), 2),
        (QueryError("wrong"), 2),
        (DataError("wrong"), 1),
        (TransientError("wrong"), 1),
        (TableError("wrong"), 1),
    ],
)
def test_failures_by_family(
    run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("tailrace.cli.version.parts", fail)
    done = run("version", "--json")
    assert (done.code, done.out, done.err) == (code, "", "error: wrong\n")


def test_ctrl_c_is_quiet(run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tailrace.cli.version.parts", interrupt)
    done = run("version", "--json")
    assert (done.code, done.out, done.err) == (130, "", "")


def test_a_bug_keeps_its_traceback(run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    def bug() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tailrace.cli.version.parts", bug)
    with pytest.raises(ZeroDivisionError):
        run("version", "--json")


# --- the real program -------------------------------------------------------------------------------


def program(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tailrace", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environ})


def test_version_flag() -> None:
    done = program("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"tailrace {tailrace.__version__}\n", "")


def test_usage_mistake_of_the_program() -> None:
    done = program("query")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_nothing_heavy_is_imported_for_help() -> None:
    code = "import sys; from tailrace.cli.app import execute; execute(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert "tailrace.cli.query" in loaded
    assert not loaded & {"polars", "deltalake", "pydantic", "fastapi", "httpx", "yaml", "narwhals", "sqlite3"}


def test_settings_are_read_without_what_asks_and_evaluates() -> None:
    code = "import sys, tailrace.config.model; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "tailrace.alerts.notify.settings" in loaded
    assert not loaded & {"tailrace.query.parser", "deltalake", "fastapi", "sqlalchemy", "apprise", "httpx", "narwhals"}


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_ends_the_query_quietly(table: Path, unbuffered: str) -> None:
    words = ["query", '{filename=~".+"}', "--data", str(table), "--output", "jsonl"]
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "tailrace", *words]
    environ = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False, env=environ)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")
