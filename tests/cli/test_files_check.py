from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "d"
    (folder / "log").mkdir(parents=True)
    (folder / "a").write_text("one\n")
    (folder / "b").write_text("two\n")
    (folder / "log" / "x.log").write_text("line 1\n")
    return folder


BASE = ("-b", "b.baseline", "-k", "key")


@pytest.fixture
def made(run, place):
    done = run("files", "baseline", "init", place, *BASE, "--rule", "*.log growing", "--rule", "*.tmp ignore")
    assert done.code == 0, done.err
    assert done.err == "made the key key: keep it where the files are not\n5 paths written to b.baseline\n"
    return place


def append(path):
    with path.open("a") as log:
        log.write("line 2\n")


def check(run, *more):
    return run("files", "check", *BASE, *more)


def test_nothing_differs(run, made):
    done = check(run)
    assert (done.code, done.out, done.err) == (0, "5 paths: no difference\n", "")


@pytest.mark.parametrize(
    ("change", "code", "shows"),
    [
        (lambda d: (d / "n").write_text("x"), 1, "new      "),
        (lambda d: (d / "b").unlink(), 2, "removed  "),
        (lambda d: (d / "a").write_text("ONE\n"), 4, "changed  "),
        (lambda d: (d / "a").chmod(0o600), 4, "mode: 0644 -> 0600"),
        (lambda d: (d / "a").rename(d / "c"), 3, "/a -> "),
        (
            lambda d: [(d / "n").write_text("x"), (d / "b").unlink(), (d / "a").write_text("three\n")],
            7,
            "1 new, 1 removed, 1 changed",
        ),
        (lambda d: (d / "n.tmp").write_text("x"), 0, "no difference"),
        (lambda d: append(d / "log" / "x.log"), 0, "no difference"),
        (lambda d: (d / "log" / "x.log").write_text("LINE 1\nline 2\n"), 4, "hash: "),
        (lambda d: os.truncate(d / "log" / "x.log", 3), 4, "size: 7 -> 3"),
    ],
)
def test_exit_codes_are_bits(run, made, change, code, shows):
    (made / "a").chmod(0o644)
    run("files", "baseline", "update", *BASE)
    change(made)
    done = check(run)
    assert (done.code, shows in done.out) == (code, True), done.out


def test_an_update_is_the_next_baseline(run, made):
    (made / "n").write_text("x")
    append(made / "log" / "x.log")
    assert run("files", "baseline", "update", *BASE).code == 1
    assert check(run).code == 0
    (made / "log" / "x.log").write_text("line 1\nLINE 2\n")
    assert check(run).code == 4


def test_two_baselines_compared(run, made):
    Path("b.baseline").rename("monday")
    (made / "b").unlink()
    run("files", "baseline", "init", made, *BASE)
    done = run("files", "baseline", "compare", "monday", "b.baseline", "-k", "key", "-o", "jsonl")
    assert (done.code, [json.loads(line)["kind"] for line in done.out.splitlines()]) == (2, ["removed"])


def test_a_part_of_it(run, made):
    (made / "a").write_text("ONE\n")
    (made / "log" / "n").write_text("x")
    assert check(run, made / "log").code == 1
    assert check(run, made / "a").code == 4
    assert check(run, made / "none").code == 15


def test_the_form_of_aide(run, made):
    (made / "n").write_text("x")
    done = check(run, "-o", "aide")
    assert f"f+++++++++++++++++: {made}/n" in done.out


def test_errors_have_codes_of_their_own(run, made, tmp_path):
    assert run("files", "check", "-b", "none", "-k", "key").code == 18
    assert run("files", "check", "-b", "b.baseline").code == 17
    assert run("files", "baseline", "init", made / "none", *BASE).code == 15
    assert run("files", "baseline", "init", made, "-b", "x").code == 17
    assert run("files", "baseline", "init", made, *BASE, "--rule", "x y").code == 17
    assert run("files", "baseline", "init", made, "-b", "none/x", "-k", "key").code == 14
    data = bytearray((tmp_path / "b.baseline").read_bytes())
    data[-20] ^= 1
    (tmp_path / "b.baseline").write_bytes(data)
    done = check(run)
    assert (done.code, "signature does not fit" in done.err) == (18, True)
    (tmp_path / "b.baseline").write_bytes(b"tailrace-baseline 9\n")
    assert check(run).code == 19


def test_unsigned_on_demand(run, made):
    assert run("files", "baseline", "init", made, "-b", "u", "--unsigned").code == 0
    assert run("files", "check", "-b", "u").code == 0
    assert run("files", "check", "-b", "u", "-k", "key").code == 18


@pytest.mark.parametrize("words", [["check", "--bogus"], ["baseline", "check"], ["baseline", "init", "-b", "x"]])
def test_a_usage_mistake_is_no_removed_file(run, words):
    """Two means that files were removed."""
    assert run("files", *words).code == 15
    assert run("files", "ls", "--bogus").code == 2
