"""Which paths are meant."""

import pytest

from tailrace.sources.file_events.scope import Scope


@pytest.mark.parametrize(
    ("exclude", "path", "wanted"),
    [
        ((), b"/srv", True),
        ((), b"/srv/.hidden", True),
        ((), b"/srvice", False),
        (("*.tmp",), b"/srv/a.tmp", False),
        (("*.tmp",), b"/srv/.tmp", False),
        (("*.tmp",), b"/srv/d.tmp/below", False),
        (("a/b",), b"/srv/x/a/b", False),
        (("a/b",), b"/srv/x/a/c", True),
        (("/srv/cache",), b"/srv/cache", False),
        (("/srv/cache",), b"/srv/cache2", True),
        (("/srv/cache/*",), b"/srv/cache", True),
        (("/srv/cache/*",), b"/srv/cache/x/y", False),
        (("/srv/**/log",), b"/srv/a/b/log/1", False),
        (("/srv/**/log",), b"/srv/log", False),
        (("[!a]?",), b"/srv/bb", False),
        (("[!a]?",), b"/srv/ab", True),
        (("a.b",), b"/srv/axb", True),
        (("x\udcff",), b"/srv/x\xff", False),
        (("srv",), b"/srv/a", True),  # a root is asked for by name: nothing above or at it leaves it out
    ],
)
def test_wanted(exclude, path, wanted):
    assert Scope((b"/srv",), exclude).wants(path) is wanted


def test_own_folders_are_left_out_with_all_below():
    scope = Scope((b"/srv",), own=(b"/srv/data",))
    assert not scope.wants(b"/srv/data")
    assert not scope.wants(b"/srv/data/logs/x")
    assert scope.wants(b"/srv/database")
    assert not scope.patterns
    assert not scope.everything


def test_the_longest_root_counts():
    scope = Scope((b"/", b"/srv/a"), ("srv",))
    assert scope.root_of(b"/srv/a/b") == b"/srv/a"
    assert scope.wants(b"/srv/a/b")
    assert not scope.wants(b"/srv/b")
