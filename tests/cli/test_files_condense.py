from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from condense.conftest import INDEX
from condense.elastic_server import Elastic


@pytest.fixture
def elastic() -> Iterator[Elastic]:
    made = Elastic(basic=("elastic", "sesame"))
    made.index(INDEX)
    for size in range(3):
        event = {"action": ["updated"]}
        made.add(
            INDEX,
            {
                "@timestamp": "2026-03-05T00:00:00Z",
                "event": event,
                "file": {"path": "/a", "size": size},
                "host": {"name": "h"},
            },
        )
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("ES_", "CONDENSE_")):
            monkeypatch.delenv(name)


def test_a_dry_run_then_a_run(run, elastic: Elastic, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("ES_PASSWORD", "sesame")
    ask = ("files", "condense", "--elasticsearch", elastic.url, "--user", "elastic")
    done = run(*ask, "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "3 documents of 1 hosts: 2 to delete, 0 to move (a dry run)\n"
        "paths with more than one document: 1 before, 1 now\n"
    )
    assert len(elastic.sources()) == 3
    done = run(*ask, "-o", "jsonl")
    assert done.code == 0
    assert {**json.loads(done.out), "seconds": 0} == {
        "hosts": 1, "unchanged": 0, "documents": 3, "uncondensed_before": 1, "uncondensed": 0, "to_delete": 2,
        "to_move": 0, "deleted": 2, "moved": 0, "conflicts": 0, "failed": 0, "seconds": 0, "complete": True, "reasons": {},
    }  # fmt: skip
    assert [one["file"]["size"] for one in elastic.sources()] == [2]
    assert list(tmp_path.iterdir()) == []  # no log file unless it is wanted


def test_settings_from_an_env_file_and_a_log_file(run, elastic: Elastic, tmp_path) -> None:
    env = tmp_path / "condense.env"
    env.write_text(
        f"# seeds\nES_IP={elastic.url}\nexport ES_USER='elastic'\nES_PASSWORD=\"sesame\"\nCONDENSE_LOG_PATH=log\nRUST_LOG=debug\n"
    )
    done = run("files", "condense", "--env-file", env)
    assert done.code == 0, done.err
    assert "2 deleted" in done.out
    text = (tmp_path / "log" / "condense.log").read_text()
    assert "DEBUG h: 3 documents, 2 to delete, 0 to move" in text
    assert "sesame" not in text
    run("files", "condense", "--env-file", env)
    assert (tmp_path / "log" / "condense.log").read_text().startswith(text)


def test_a_failure_is_exit_code_1_and_shows_no_secret(run, elastic: Elastic, monkeypatch, tmp_path) -> None:
    (tmp_path / "key").write_text("open-barley\n")
    done = run("files", "condense", "--elasticsearch", elastic.url, "--api-key-file", tmp_path / "key")
    assert done.code == 1
    assert "401" in done.err
    assert "barley" not in done.err + done.out
    monkeypatch.setenv("ES_PASSWORD", "sesame")
    elastic.reject_items = {"d1": [400]}
    done = run("files", "condense", "--elasticsearch", elastic.url, "--user", "elastic")
    assert done.code == 1
    assert "1 failed: rejected execution of primary operation" in done.out


def test_mistakes_are_told_at_once(run, monkeypatch) -> None:
    monkeypatch.setenv("CONDENSE_PAGE_SIZE", "many")
    monkeypatch.setenv("CERT_PATH", "/none/ca.crt")
    done = run("files", "condense", "--service")
    assert done.code == 2
    for part in ("CONDENSE_PAGE_SIZE", "CERT_PATH", "ES_IP"):
        assert part in done.err


@pytest.mark.e2e
def test_the_service_runs_until_it_is_told_to_stop(elastic: Elastic, tmp_path) -> None:
    environment = {**os.environ, "ES_PASSWORD": "sesame", "ES_USER": "elastic", "CONDENSE_AGGREGATION_SLEEP": "1"}
    command = [
        sys.executable,
        "-m",
        "tailrace",
        "files",
        "condense",
        "--elasticsearch",
        elastic.url,
        "--service",
        "--metrics-port",
        "0",
    ]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stderr.readline()
            address = line.removeprefix("metrics at ").strip()
            limit = time.monotonic() + 60
            text = ""
            while "tailrace_condense_uncondensed_paths 0" not in text:
                assert time.monotonic() < limit, text
                text = httpx.get(address, trust_env=False).text
                time.sleep(0.05)
            assert "tailrace_condense_deleted_total 2" in text
            assert [one["file"]["size"] for one in elastic.sources()] == [2]
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert "2 deleted" in (tmp_path / "log" / "condense.log").read_text()
