from __future__ import annotations

import polars as pl
import pytest

from tailrace.drift.rules import ATTRIBUTES, Rule, chosen, parse
from tailrace.errors import ConfigError


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/var/log/**", "/var/log/a/b.log", True),
        ("/var/log/**", "/var/log", False),
        ("/var/log/*", "/var/log/a/b", False),
        ("/a?c", "/abc", True),
        ("/a?c", "/a/c", False),
        ("*.tmp", "/x/y/z.tmp", True),
        ("*.tmp", "/x/z.tmp/y", False),
        ("**", "/any\nthing", True),
        ("/a.b", "/axb", False),
        ("/a[1]", "/a[1]", True),
        ("/a b", "/a b", True),
    ],
)
def test_patterns(pattern, path, fits):
    assert chosen(pl.Series([path]), [Rule(pattern, "all")]).to_list() == [int(fits)]


def test_the_last_rule_that_fits_counts():
    rules = [Rule("/a/**", "all"), Rule("*.log", "growing"), Rule("/a/b/**", "ignore")]
    assert chosen(pl.Series(["/a/x", "/a/x.log", "/a/b/x.log", "/c"]), rules).to_list() == [1, 2, 3, 0]


@pytest.mark.parametrize(
    ("group", "has", "lacks"),
    [
        ("all", "hash", "blocks"),
        ("all+blocks", "blocks", "?"),
        ("all-mtime-ctime", "hash", "mtime"),
        ("permissions+hash", "hash", "size"),
        ("content-permissions", "size", "type"),
        ("ignore", None, "type"),
    ],
)
def test_groups(group, has, lacks):
    attributes = Rule("**", group).attributes()
    assert has is None or has in attributes
    assert lacks not in attributes
    assert list(attributes) == [name for name in ATTRIBUTES if name in attributes]


def test_only_a_growing_rule_grows():
    assert Rule("**", "growing-inode").grows
    assert not Rule("**", "all+size").grows


def test_lines_of_a_file():
    lines = ["# what counts", "", "/etc/my file  permissions", "  *.log growing-inode"]
    assert parse(lines, "f") == [Rule("/etc/my file", "permissions"), Rule("*.log", "growing-inode")]


def test_all_mistakes_at_once():
    with pytest.raises(ConfigError) as caught:
        parse(["all", "/a growin", "/b all-hush", "/c ALL"], "f")
    for part in ("3:", "growin", "growing", "hush", "'ALL' is no group", "expected PATTERN GROUP"):
        assert part in str(caught.value)
