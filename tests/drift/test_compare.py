"""Two states of files, by hand: what differs, what is a rename, what counts, and the summary of AIDE."""

from __future__ import annotations

import polars as pl
import pytest

from tailrace.drift import report
from tailrace.drift.compare import LETTERS, compare
from tailrace.drift.rules import ATTRIBUTES, Rule

BASE = {
    "file_type": "file",
    "file_size": 10,
    "file_allocated": 4096,
    "file_mode": "0644",
    "file_uid": "0",
    "file_gid": "0",
    "file_mtime": "2026-01-01T00:00:00Z",
    "file_ctime": "2026-01-01T00:00:00Z",
    "file_links": 1,
    "file_device": "d",
    "file_hash_sha256": "aa",
    "file_acl": "",
    "file_xattr": "",
    "file_selinux": "",
    "file_flags": "0",
    "file_capabilities": "",
    "file_target_path": None,
}
NUMBERS = ("file_size", "file_allocated", "file_links")


def files(**paths):
    """Return a state: path (`a` is `/a`) to what differs from `BASE`; the inode is the name unless it is given."""
    rows = [
        {**BASE, "file_inode": name, "file_path": "/" + name.replace("__", "/"), **given}
        for name, given in paths.items()
    ]
    columns = ["file_path", "file_device", *ATTRIBUTES.values()]
    return pl.DataFrame(rows, schema={name: pl.Int64 if name in NUMBERS else pl.String for name in columns})


def rows(drift):
    return drift.rows.select("kind", "path", "old_path", "attributes", "summary").rows()


def test_nothing_differs():
    drift = compare(files(a={}, b={}), files(b={}, a={}))
    assert (rows(drift), drift.bits, drift.entries) == ([], 0, 2)


@pytest.mark.parametrize(
    ("old", "new", "bits", "expected"),
    [
        ({}, {"a": {}}, 1, ("new", "/a", None, "", "f+++++++++++++++++")),
        ({"a": {"file_type": "dir"}}, {}, 2, ("removed", "/a", None, "", "d-----------------")),
        ({"a": {}}, {"a": {"file_hash_sha256": "bb"}}, 4, ("changed", "/a", None, "hash", "f.= ... ....H.....")),
        ({"a": {}}, {"a": {"file_size": 11}}, 4, ("changed", "/a", None, "size", "f.> ... ..........")),
        ({"a": {}}, {"a": {"file_size": 9}}, 4, ("changed", "/a", None, "size", "f.< ... ..........")),
        ({"a": {}}, {"a": {"file_mode": "0600"}}, 4, ("changed", "/a", None, "mode", "f.= p.. ..........")),
        (
            {"a": {}},
            {"a": {"file_uid": "1", "file_gid": "1", "file_mtime": "x", "file_ctime": "x"}},
            4,
            ("changed", "/a", None, "uid,gid,mtime,ctime", "f.= .ug mc........"),
        ),
        (
            {"a": {}},
            {"a": {"file_inode": "9", "file_links": 2, "file_flags": "10"}},
            4,
            ("changed", "/a", None, "inode,links,flags", "f.= ... ..in....E."),
        ),
        ({"a": {}}, {"a": {"file_acl": "01"}}, 4, ("changed", "/a", None, "acl", "f.= ... .....+....")),
        ({"a": {"file_xattr": "1"}}, {"a": {}}, 4, ("changed", "/a", None, "xattr", "f.= ... ......-...")),
        (
            {"a": {"file_selinux": "1", "file_capabilities": "1"}},
            {"a": {"file_selinux": "2", "file_capabilities": "2"}},
            4,
            ("changed", "/a", None, "selinux,capabilities", "f.= ... .......S.C"),
        ),
        (
            {"a": {"file_type": "symlink", "file_target_path": "/x", "file_hash_sha256": None}},
            {"a": {"file_type": "symlink", "file_target_path": "/y", "file_hash_sha256": None}},
            4,
            ("changed", "/a", None, "link", "ll= ... .........."),
        ),
        (
            {"a": {}},
            {"a": {"file_type": "fifo", "file_hash_sha256": None}},
            4,
            ("changed", "/a", None, "type", "!.= ... .........."),
        ),
    ],
)
def test_one_difference(old, new, bits, expected):
    drift = compare(files(**old), files(**new))
    assert (rows(drift), drift.bits) == ([expected], bits)
    assert len(expected[-1]) == len(LETTERS) == 18


def test_a_directory_is_not_changed_by_its_entries():
    old = {"file_type": "dir", "file_hash_sha256": None}
    new = {**old, "file_size": 99, "file_links": 3, "file_mtime": "x", "file_ctime": "x", "file_allocated": 0}
    assert compare(files(a=old), files(a=new)).bits == 0
    assert compare(files(a=old), files(a={**new, "file_mode": "0777"})).bits == 4


def test_what_could_not_be_read_says_nothing():
    assert compare(files(a={}), files(a={"file_hash_sha256": None, "file_acl": None})).bits == 0


def test_a_rename_is_found_by_its_inode_and_is_a_new_and_a_removed_path():
    drift = compare(files(a={}, b={}), files(c={"file_inode": "a", "file_ctime": "x"}, b={}))
    assert [row[:4] for row in rows(drift)] == [("renamed", "/c", "/a", "")]
    assert drift.bits == 3


def test_a_rename_is_found_by_its_content_over_file_systems():
    drift = compare(files(a={"file_hash_sha256": "only"}), files(c={"file_hash_sha256": "only", "file_device": "e"}))
    assert [row[:4] for row in rows(drift)] == [("renamed", "/c", "/a", "inode")]
    assert drift.bits == 7


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"a": {}, "b": {}}, {"c": {"file_inode": "x"}, "d": {"file_inode": "y"}}),  # two of the same content
        ({"a": {"file_size": 0}}, {"b": {"file_size": 0}}),  # all empty files have the same content
        ({"a": {}}, {"b": {"file_inode": "a", "file_device": "e", "file_hash_sha256": "z"}}),
        ({"a": {}}, {"b": {"file_inode": "a", "file_type": "dir", "file_hash_sha256": None}}),
    ],
)
def test_what_may_be_a_coincidence_is_no_rename(old, new):
    assert set(compare(files(**old), files(**new)).rows["kind"]) == {"new", "removed"}


def test_rules_say_what_counts():
    rules = [
        Rule("/log/**", "growing"),
        Rule("*.tmp", "ignore"),
        Rule("/p", "permissions"),
        Rule("/e", "exists"),
        Rule("/n", "all-mtime-ctime"),
    ]
    old = files(log__a={}, log__b={}, x={"file_size": 1}, p={}, e={}, n={})
    later = {"file_mtime": "x", "file_ctime": "x"}
    new = files(
        log__a={"file_size": 99, **later},
        log__b={"file_size": 9, **later},
        x={"file_size": 1},
        p={"file_hash_sha256": "zz", "file_size": 3, **later},
        e={"file_mode": "0777", **later},
        n=later,
        **{"y.tmp": {}},
    )
    drift = compare(old, new, rules)
    assert [row[:4] for row in rows(drift)] == [("changed", "/log/b", None, "size")]
    assert rows(drift)[0][4] == "f < ...   ......  "


def test_reports():
    drift = compare(
        files(a={}, b={}, c={}), files(a={"file_mode": "0600"}, d={"file_hash_sha256": "dd"}, e={"file_inode": "b"})
    )
    assert list(report.text(drift)) == [
        "changed  /a",
        "           mode: 0644 -> 0600",
        "removed  /c",
        "new      /d",
        "renamed  /b -> /e",
        "3 paths: 1 new, 1 removed, 1 changed, 1 renamed",
    ]
    assert list(report.jsonl(drift)) == [
        '{"kind": "changed", "path": "/a", "summary": "f.= p.. ..........", "changes": {"mode": ["0644", "0600"]}}',
        '{"kind": "removed", "path": "/c", "summary": "f-----------------"}',
        '{"kind": "new", "path": "/d", "summary": "f+++++++++++++++++"}',
        '{"kind": "renamed", "path": "/e", "old_path": "/b", "summary": "f.= ... . ........"}',
    ]
    aide = "\n".join(report.aide(drift))
    for part in (
        "Added entries:\t\t2",
        "Removed entries:\t\t2",
        "Changed entries:\t\t1",
        "f.= p.. ..........: /a",
        "f-----------------: /b",
    ):
        assert part in aide
    assert list(report.text(compare(files(a={}), files(a={})))) == ["1 paths: no difference"]
    assert "NO differences" in next(report.aide(compare(files(a={}), files(a={}))))
