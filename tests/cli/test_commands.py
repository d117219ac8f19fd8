"""The commands that are not queries: configuration, checks, tables, imports, doctor."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tailrace.cli.probes import Finding
from tailrace.config.load import parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Done

ALL = '{filename=~".+"}'


@pytest.fixture
def own(table: Path, tmp_path: Path) -> Path:
    """A copy of the table that a test may change."""
    return shutil.copytree(table, tmp_path / "own")


# --- version, config, check -------------------------------------------------------------------------


def test_version(run: Callable[..., Done]) -> None:
    versions = json.loads(run("version", "--json").out)
    assert {"tailrace", "python", "polars", "deltalake"} <= set(versions)
    assert run("version").out.startswith(f"tailrace {versions['tailrace']}\n")


def test_config_show_is_a_configuration(run: Callable[..., Done], tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("host: a\nsources: [{paths: [/x]}]\n")
    done = run("config", "show", "--config", file, "--data", tmp_path, "--listen", "127.0.0.1:1")
    assert done.code == 0
    config = parse(done.out)
    assert (config.host, config.data, config.listen) == ("a", tmp_path, "127.0.0.1:1")
    told = json.loads(run("config", "show", "--config", file, "--json").out)
    assert told["origins"]["$.host"] == "file line 1"


def test_the_configuration_may_be_named_by_the_environment(
    run: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.yaml").write_text("host: from-a-file\n")
    monkeypatch.setenv("TAILRACE_CONFIG", str(tmp_path / "t.yaml"))
    assert "host: from-a-file" in run("config", "show").out


def test_config_schema(run: Callable[..., Done]) -> None:
    assert json.loads(run("config", "schema").out)["title"] == "Tailrace configuration"


def test_check_config(run: Callable[..., Done], tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(f"sources: [{{paths: [{tmp_path}, {tmp_path}/none, '{tmp_path}/*.log', '{tmp_path}/*.yaml']}}]\n")
    done = run("check", "config", file)
    assert (done.code, done.out) == (0, f"{file}: good, 1 source\n")
    assert done.err.splitlines() == [
        f"warning: $.sources[0].paths: {tmp_path}/none does not exist; it is read when it appears",
        f"warning: $.sources[0].paths: {tmp_path}/*.log does not exist; it is read when it appears",
    ]
    assert len(json.loads(run("check", "config", file, "--json").out)["warnings"]) == 2


def test_check_config_with_mistakes(run: Callable[..., Done], tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("host: 5\nlisten: x\n")
    done = run("check", "config", file)
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[0] == "2 problems"
    told = json.loads(run("check", "config", file, "--json").out)
    assert told["ok"] is False
    assert told["problems"][0] == {
        "where": "$.host",
        "what": "expected text, got 5",
        "hint": "quote it",
        "line": 1,
        "column": 7,
    }


def test_check_config_of_nothing(run: Callable[..., Done], tmp_path: Path) -> None:
    done = run("check", "config", tmp_path / "none.yaml")
    assert (done.code, done.err) == (2, f"error: {tmp_path}/none.yaml: there is no such file\n")


def test_check_query(run: Callable[..., Done]) -> None:
    done = run("check", "query", 'sum(rate({a="b"}|="x"[5m]))by(host)')
    assert (done.code, done.out) == (0, 'sum by (host) (rate({a="b"} |= "x" [5m]))\n')
    done = run("check", "query", '{a="b"')
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[1:] == ['  {a="b"', "        ^"]
    told = json.loads(run("check", "query", '{a="b"', "--json").out)
    assert (told["ok"], told["line"], told["column"]) == (False, 1, 7)


# --- table ------------------------------------------------------------------------------------------


def test_table_info(run: Callable[..., Done], table: Path) -> None:
    told = json.loads(run("table", "info", "--data", table, "--json").out)
    assert (told["rows"], told["streams"], told["files"]) == (3, 1, 1)
    lines = run("table", "info", "--data", table).out.splitlines()
    assert ["rows", "3"] in [line.split() for line in lines]
    assert ["min", "time", "2026-01-02T03:00:00Z"] in [line.split() for line in lines]
    assert any(line.split()[:4] == ["2026-01-02", "1", "3", f"{told['bytes'] / 1024:.1f}"] for line in lines)


def test_table_verify(run: Callable[..., Done], own: Path) -> None:
    done = run("table", "verify", "--data", own)
    assert done.code == 0, done.out
    (segment,) = own.glob("logs/_date=*/*.parquet")
    segment.write_bytes(segment.read_bytes()[:-50])
    done = run("table", "verify", "--data", own, "--json")
    assert done.code == 1
    assert segment.name in json.loads(done.out)["faults"][0]["path"]


def test_table_compact_and_retain(run: Callable[..., Done], own: Path, tmp_path: Path) -> None:
    assert run("table", "compact", "--data", own).code == 0
    settings = tmp_path / "t.yaml"
    settings.write_text("store: {grace_s: 0, retention: {days: 1.0e-9}}\n")  # everything is older
    done = run("table", "retain", "--data", own, "--json", "--config", settings)
    assert json.loads(done.out)["rows"] == 3
    assert done.err.startswith("freed ")
    assert run("query", ALL, "--data", own).out == ""
    assert list(own.glob("logs/_date=*/*.parquet")) == []


def test_table_delete_counts_first(run: Callable[..., Done], own: Path) -> None:
    words = ("table", "delete", ALL, "--data", own, "--to", "2026-01-02T03:01:00Z")
    done = run(*words, "--json")
    assert (done.code, json.loads(done.out)["rows"], done.err) == (0, 2, "nothing was deleted; --yes does it\n")
    assert len(run("query", ALL, "--data", own).out.splitlines()) == 3
    assert json.loads(run(*words, "--json", "--yes").out)["rows"] == 2
    assert run("query", ALL, "--data", own, "-o", "raw").out == "grün ✓\n"


def test_table_delete_of_what_is_not_there(run: Callable[..., Done], own: Path) -> None:
    done = run("table", "delete", '{filename="none"}', "--data", own, "--yes", "--json")
    assert (done.code, json.loads(done.out)["rows"]) == (0, 0)


@pytest.mark.parametrize("command", ["info", "compact", "retain", "verify"])
def test_no_table(run: Callable[..., Done], tmp_path: Path, command: str) -> None:
    done = run("table", command, "--data", tmp_path)
    assert (done.code, done.out) == (1, "")
    assert f"there is no table in {tmp_path}" in done.err


# --- collect ----------------------------------------------------------------------------------------


def test_collect_says_what_it_imported_and_imports_once(run: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("one\ntwo\n")
    words = ("collect", tmp_path / "a.log", "--data", tmp_path / "d")
    done = run(*words)
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("imported 2 lines (8 B) from 1 file in ")
    assert run(*words).err.startswith("imported 0 lines (0 B) ")
    assert run(*words, "--group", "again").err.startswith("imported 2 lines (8 B) ")


def test_collect_of_a_relative_path_names_the_stream_by_the_whole_path(
    run: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.log").write_text("one\n")
    assert run("collect", "./a.log", "--data", "d").code == 0
    found = json.loads(run("query", ALL, "--data", "d", "-o", "jsonl").out)
    assert found["labels"]["filename"] == str(tmp_path / "a.log")


def test_collect_in_the_spelling_of_puppylog(run: Callable[..., Done], tmp_path: Path) -> None:
    log = tmp_path / "test.log"
    log.write_text("one\ntwo\n")
    done = run("collect", "-s", log, "-n", "-r", "--data", tmp_path / "data")
    assert done.code == 0
    assert "-r is not needed" in done.err
    assert "imported 2 lines" in done.err
    refused = run("collect", "--data", tmp_path / "data")
    assert (refused.code, refused.out) == (2, "")
    assert "there is nothing to import" in refused.err


def test_collect_with_a_bar(run: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.cli.output.is_terminal", lambda: True)
    (tmp_path / "a.log").write_text("one\n")
    assert "imported 1 line" in run("collect", tmp_path / "a.log", "--data", tmp_path / "d").err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("none.log",), 1, "none.log: there is no such file or folder (nothing was imported)"),
        (("--group", "../x", "."), 2, "--group: '../x' cannot be a name (use letters, digits, '.', '_' and '-')"),
    ],
)
def test_collect_refuses(
    run: Callable[..., Done], tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = run("collect", *words, "--data", tmp_path / "d")
    assert done.code == code
    assert done.err.rstrip("\n").endswith(said)
    assert not (tmp_path / "d").exists()


# --- up, doctor -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--listen", "0.0.0.0"), "error: --listen: '0.0.0.0' is no address with a port"),
        (("--config", "none.yaml"), "error: none.yaml: there is no such file"),
    ],
)
def test_up_refuses(run: Callable[..., Done], tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = run("up", "--data", tmp_path / "d", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(said)
    assert not (tmp_path / "d").exists()


def findings(monkeypatch: pytest.MonkeyPatch, *found: Finding) -> None:
    monkeypatch.setattr("tailrace.cli.doctor.examine", lambda *_: found)


def test_doctor_is_content_with_warnings(run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    findings(monkeypatch, Finding("a", "ok", "fine"), Finding("long", "warn", "[not] markup", "do this"))
    done = run("doctor")
    assert done.code == 0
    assert done.out == "ok    a     fine\nwarn  long  [not] markup\n            → do this\n"


def test_doctor_fails(run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    findings(monkeypatch, Finding("a", "fail", "broken", "mend it"))
    done = run("doctor", "--json")
    assert done.code == 1
    assert json.loads(done.out) == [{"name": "a", "state": "fail", "what": "broken", "do": "mend it"}]


def test_doctor_looks_at_this_machine(run: Callable[..., Done], table: Path) -> None:
    names = {finding["name"] for finding in json.loads(run("doctor", "--data", table, "--json").out)}
    assert {"python", "packages", "storage", "data folder", "table", "logs", "inotify", "port", "clock"} <= names
