"""`tailrace files ls|du|diff|history|usage|health|condense` in a folder, and over HTTP."""

from __future__ import annotations

import json

import pytest

from tailrace.twin.keeper import take
from twin.world import World, event, folder, made, served


@pytest.fixture
def world(tmp_path):
    found = World(tmp_path / "data")
    found.happen(
        folder("created", "/d"), made("created", "/d/a", 2, size=3, mode="0640", mtime="2025-03-04T09:15:02.5Z")
    )
    found.happen(made("created", "/d/b\nc", 3, size=1_234_567, process_name="cp", process_pid=7, user_name="ann"))
    found.happen(event("deleted", "/d/a", 9))
    return found


def rows(done):
    assert (done.code, done.err) == (0, "")
    return [json.loads(line) for line in done.out.splitlines()]


def test_ls_as_text_and_as_json_lines(run, world):
    done = run("files", "ls", "/d", "-R", "--data", world.data)
    assert done.out.splitlines() == [
        "dir         - ann                  4,096 -                              web-1:/d",
        "file        - ann              1,234,567 -                              web-1:/d/b\\nc",
    ]
    found = rows(run("files", "ls", "/d", "-o", "jsonl", "--data", world.data))
    assert [(row["path"], row["type"], row["size"], row["mtime"], row["owner"]) for row in found] == [
        ("/d/b\nc", "file", 1_234_567, None, "ann")
    ]


def test_ls_as_it_was(run, world):
    found = rows(run("files", "ls", "/d", "-o", "jsonl", "--as-of", "1700000002", "--data", world.data))
    assert [(row["path"], row["mode"], row["mtime"]) for row in found] == [("/d/a", "0640", "2025-03-04T09:15:02.5Z")]


def test_du(run, world):
    assert run("files", "du", "/d", "--data", world.data).out == "          1,238,663           1 files  /d\n"
    assert rows(run("files", "du", "/d", "-o", "jsonl", "--no-dirs", "--data", world.data)) == [
        {"path": "/d", "bytes": 1_234_567, "allocated": 4096, "files": 1, "dirs": 0}
    ]
    assert run("files", "du", "/", "--by", "extension", "--data", world.data).out.splitlines() == [
        "          1,238,663           1 files  (unknown)"
    ]


def test_diff_and_history_name_who(run, world):
    done = run("files", "diff", "/d", "--from", "1700000001", "--to", "1700000005", "--data", world.data)
    assert done.out == "         +1,234,570          +2 files  /d  by cp ann\n"
    lines = run("files", "history", "/d/b\nc", "--data", world.data).out.splitlines()
    assert lines == ["2023-11-14T22:13:23Z           created              web-1:/d/b\\nc 1,234,567 bytes  by cp 7 ann"]


def test_usage_takes_and_shows(run, world):
    (first, second) = rows(run("files", "usage", "--take", "--depth", "1", "-o", "jsonl", "--data", world.data))
    assert (first["path"], first["bytes_tree"], second["path"], second["files"]) == ("/", 1_238_663, "/d", 1)
    assert run("files", "usage", "/d", "--data", world.data).out.endswith("  1 files  web-1:/d\n")


def test_condense_then_healthy(run, world):
    (done,) = rows(run("files", "condense", "-o", "jsonl", "--data", world.data))
    assert (done["records"], done["uncondensed"]) == (4, 0)
    (found,) = rows(run("files", "health", "-o", "jsonl", "--data", world.data))
    assert (found["paths"], found["records"]) == (2, 2)


def test_health_fails_while_a_gap_is_open(run, world):
    world.happen(event("gap", "/d", event_kind="state", event_start="2026-01-01T00:00:00Z"))
    done = run("files", "health", "--data", world.data)
    assert done.code == 1
    assert "open_gaps      1" in done.out.splitlines()
    assert "1 gaps are open" in run("files", "ls", "/", "--data", world.data).err


def test_relative_paths_and_names_that_are_no_utf8(run, world, monkeypatch):
    monkeypatch.chdir("/")
    assert run("files", "ls", "d", "-o", "jsonl", "--data", world.data).out.count("\n") == 1
    world.happen(made("created", "/d/\\xff"))
    assert rows(run("files", "ls", "/d/\udcff", "-o", "jsonl", "--data", world.data))[0]["path"] == "/d/\\xff"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("ls", "--as-of", "soon"), 2, "as_of='soon' is no time"),
        (("ls", "--data", "/nowhere"), 1, "there is no table in /nowhere"),
        (("ls", "--url", "http://127.0.0.1:1", "--data", "x"), 2, "--data and --url name two tables"),
    ],
)
def test_mistakes_are_said(run, world, arguments, code, said):
    data = () if "--data" in arguments else ("--data", world.data)
    done = run("files", *arguments, *data)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


@pytest.fixture
def url(world):
    with served(world.twin) as client:
        yield str(client.base_url)


def test_the_same_over_http(run, world, url):
    take(world.twin.files, world.logs, world.twin.engine)
    for arguments in (("ls", "/d", "-R"), ("du", "/d"), ("du", "/", "--by", "host", "--host", "web-1"), ("health",)):
        here = run("files", *arguments, "-o", "jsonl", "--data", world.data)
        there = run("files", *arguments, "-o", "jsonl", "--url", url)
        assert (there.code, there.err) == (here.code, here.err)
        assert sorted(there.out.splitlines()) == sorted(here.out.splitlines())  # a listing comes in pieces of any order
    assert rows(run("files", "condense", "-o", "jsonl", "--url", url))[0]["records"] == 4
