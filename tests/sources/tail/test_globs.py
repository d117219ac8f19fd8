from __future__ import annotations

import pytest

from tailrace.sources.tail.globs import Pattern, Scope, excluded, matches, pattern_of


def takes(text: str, path: str, *, is_folder: bool = False) -> bool:
    pattern = pattern_of(text, is_folder=is_folder)
    assert path.startswith(pattern.base.rstrip("/") + "/")
    *folders, name = path[len(pattern.base.rstrip("/")) + 1 :].split("/")
    places = pattern.start
    for folder in folders:
        places = pattern.step(places, folder)
        if not pattern.enters(places):
            return False
    return pattern.takes(places, name)


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("/var/log/*.log", "/var/log/a.log", True),
        ("/var/log/*.log", "/var/log/a/b.log", False),
        ("/var/log/*.log", "/var/log/.a.log", False),
        ("/var/log/**/*.log", "/var/log/a.log", True),
        ("/var/log/**/*.log", "/var/log/a/b/c.log", True),
        ("/var/log/**/*.log", "/var/log/a/b/c.txt", False),
        ("/var/log/**", "/var/log/a/b/c.txt", True),
        ("/var/**/nginx/*.log", "/var/log/nginx/a.log", True),
        ("/var/**/nginx/*.log", "/var/a/b/nginx/a.log", True),
        ("/var/**/nginx/*.log", "/var/a/b/apache/a.log", False),
        ("/var/log/*/[ab].log", "/var/log/x/b.log", True),
        ("/var/log/*/[ab].log", "/var/log/x/c.log", False),
        ("/var/log/app.log", "/var/log/app.log", True),
        ("/var/log/app.log", "/var/log/app.log.1", False),
    ],
)
def test_patterns(text: str, path: str, expected: bool) -> None:
    assert takes(text, path) is expected


def test_a_folder_stands_for_everything_below_it_but_hidden_names() -> None:
    assert takes("/d", "/d/a/b/c", is_folder=True)
    assert not takes("/d", "/d/.git/config", is_folder=True)
    assert not takes("/d", "/d/.swp", is_folder=True)


def test_a_walk_enters_only_what_can_hold_matches() -> None:
    pattern = pattern_of("/l/*/x/*.log", is_folder=False)
    inside = pattern.step(pattern.start, "any")
    assert pattern.enters(inside)
    assert not pattern.enters(pattern.step(inside, "y"))
    assert pattern.fixed is False
    assert pattern_of("/l/app.log", is_folder=False) == Pattern("/l", ("app.log",))


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("/l/a.gz", "*.gz", True),
        ("/l/a.log", "*.gz", False),
        ("/l/x/a.log", "/l/x", True),
        ("/l/x/a.log", "/l/x/**", True),
        ("/l/x/a.log", "x/*.log", True),
        ("/l/y/a.log", "/l/x/**", False),
        ("/l/x/a.log", "/l/*/a.log", True),
    ],
)
def test_excludes(path: str, pattern: str, expected: bool) -> None:
    assert excluded(path, (pattern,)) is expected


def test_a_written_out_name_may_be_hidden() -> None:
    assert matches(".hidden", ".hidden")
    assert matches(".hidden", ".h*")
    assert not matches(".hidden", "*")


@pytest.mark.parametrize(
    ("path", "paths", "expected"),
    [
        ("/l/a.log", ["/l"], "/l"),
        ("/l/x/y/a.log", ["/other", "/l"], "/l"),
        ("/l/a.log", ["/l/a.log"], "/l/a.log"),
        ("/l/a.log", ["/l/*.txt", "/l/*.log"], "/l/*.log"),
        ("/l/x/a.log", ["/l/*.log"], None),
        ("/l/x/a.log", ["/l/**/*.log"], "/l/**/*.log"),
        ("/l/.a.log", ["/l"], None),
        ("/l/.a.log", ["/l/.a.log"], "/l/.a.log"),
        ("/lx/a.log", ["/l"], None),
        ("/a.log", ["/"], "/"),
    ],
)
def test_the_path_by_which_a_file_is_wanted(path: str, paths: list[str], expected: str | None) -> None:
    assert Scope(paths, []).wanting(path) == expected
    assert Scope(paths, []).wants(path) == (expected is not None)


@pytest.mark.parametrize(
    ("path", "wanted", "patterns", "expected"),
    [
        ("/l/a.gz", "/l", ["*.gz"], "*.gz"),
        ("/l/tmp/a.log", "/l", ["*.gz", "tmp"], "tmp"),
        ("/l/tmp/a.log", "/l", ["/l/tmp/**"], "/l/tmp/**"),
        ("/tmp/l/a.log", "/tmp/l", ["tmp"], None),  # a folder above the wanted one is not entered, so never left out
        ("/tmp/l/a.log", "/tmp/l", ["l"], None),
        ("/l/a.log", "/l/a.log", ["a.*"], "a.*"),
        ("/l/a.log", "/l", ["*.gz"], None),
    ],
)
def test_the_pattern_that_leaves_a_file_out(path: str, wanted: str, patterns: list[str], expected: str | None) -> None:
    scope = Scope([wanted], patterns)
    assert scope.excluding(path) == expected
    assert scope.wants(path) == (expected is None)
