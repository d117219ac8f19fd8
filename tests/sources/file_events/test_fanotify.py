"""Single acts on a file system of the test's own, and the rows that tell of them."""

import ctypes
import os
import subprocess

import polars as pl
import pytest

from sources.file_events.watched import differences, found
from tailrace.sources.file_events.fanotify_strays import Strays

TOLD = ("event_action", "event_reason", "file_path", "file_old_path")


def told(rows, top):
    """Return what is told, but for folders whose size changed."""
    if rows.is_empty():
        return []
    columns = [pl.col(name) if name in rows.columns else pl.lit(None, pl.String).alias(name) for name in TOLD]
    shown = rows.filter((pl.col("event_confidence") != "synthetic") & (pl.col("event_kind") == "event")).select(columns)
    return [tuple(None if text is None else text.replace(f"{top}/", "") for text in row) for row in shown.iter_rows()]


@pytest.fixture
def tree(mounted, watch):
    top = mounted / "in"
    (top / "d/e").mkdir(parents=True)
    (top / "d/e/f").write_text("five!")
    (mounted / "out").mkdir()
    watched = watch(top)
    assert set(watched.read()["event_action"]) == {"initial_scan"}
    return top, watched


CASES = {
    "a file is made and written": ("echo x > new", [("created,updated", None, "new", None)]),
    "a file is renamed": ("mv d/e/f g", [("moved", None, "g", "d/e/f")]),
    "a folder is renamed": ("mv d z; echo y >> z/e/f", [("moved", None, "z", "d"), ("updated", None, "z/e/f", None)]),
    "a file is removed": ("rm d/e/f", [("deleted", None, "d/e/f", None)]),
    "a folder goes out": ("mv d ../out/d", [("deleted", "moved_out", "d", None)]),
    "a file comes in": ("echo x > ../out/x; mv ../out/x x", [("created", "moved_in", "x", None)]),
    "attributes": (
        "chmod 600 d/e/f; chmod 700 d",
        [("attributes_modified", None, "d/e/f", None), ("attributes_modified", None, "d", None)],
    ),
    "a symlink": ("ln -s f d/e/l", [("created", None, "d/e/l", None)]),
    "one over another": (
        "echo x > a; echo y > b; mv a b",
        [("created,updated", None, "a", None), ("created,updated", None, "b", None), ("moved", None, "b", "a")],
    ),
    "made and gone before anybody looks": ("touch t; rm t", [("created,updated,deleted", None, "t", None)]),
    "a name with odd bytes": ("touch 'a b\\c'", [("created,updated,attributes_modified", None, "a b\\c", None)]),
}


@pytest.mark.parametrize("case", CASES)
def test_one_act(tree, case):
    top, watched = tree
    command, expected = CASES[case]
    subprocess.run(["/bin/sh", "-c", command], cwd=top, check=True)
    rows = watched.read()
    got = told(rows, top)
    if case == "made and gone before anybody looks":
        assert got[0][0].startswith("created,")
        assert got[-1][0].endswith("deleted")
    else:
        assert got == expected
    assert differences(watched.live(), found(top)) == []


def test_a_folder_that_comes_in_is_walked(tree):
    top, watched = tree
    subprocess.run(["/bin/sh", "-c", "mkdir -p ../out/x/y; echo 1 > ../out/x/y/z; mv ../out/x x"], cwd=top, check=True)
    rows = watched.read()
    assert {"x", "x/y", "x/y/z"} <= {path.removeprefix(f"{top}/") for path in rows["file_path"]}
    subprocess.run(["/bin/sh", "-c", "echo 2 >> x/y/z; mv x/y d"], cwd=top, check=True)
    watched.read()
    assert differences(watched.live(), found(top)) == []


def test_two_folders_change_places(tree):
    top, watched = tree
    (top / "o/p").mkdir(parents=True)
    (top / "o/p/q").write_text("q")
    watched.read()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.renameat2(-100, bytes(top / "d"), -100, bytes(top / "o"), 2) == 0
    (top / "d/p/q").write_text("later")
    watched.read()
    assert differences(watched.live(), found(top)) == []


THERE_AND_BACK = {  # the kernel tells the third rename with the first, since one process did both and nobody read
    "a folder": [("d", "z"), ("z", "d"), ("d", "z")],
    "a file": [("d/e/f", "g"), ("g", "d/e/f"), ("d/e/f", "g")],
    "a folder that comes in": [("../out/x", "x"), ("x", "../out/x"), ("../out/x", "x")],
    "a file that comes in": [("../out/x/y", "y"), ("y", "../out/x/y"), ("../out/x/y", "y")],
    "a folder that goes out": [("d", "../out/d"), ("../out/d", "d"), ("d", "../out/d")],
    "two folders by way of a third name": [("d", "t"), ("o", "d"), ("t", "o"), ("d", "t"), ("o", "d"), ("t", "o")] * 2
    + [("d", "t"), ("o", "d")],
}


@pytest.mark.parametrize("case", THERE_AND_BACK)
def test_renames_there_and_back_and_there_again(tree, case):
    top, watched = tree
    for folder, file in (("o/p", "q"), ("../out/x", "y")):
        (top / folder).mkdir(parents=True)
        (top / folder / file).write_text(file)
    watched.read()
    for old, new in THERE_AND_BACK[case]:
        (top / old).rename(top / new)
    watched.read()
    assert differences(watched.live(), found(top)) == []
    for name in sorted(entry.name for entry in top.iterdir() if entry.is_dir()):
        (top / name / "later").write_text("later")
    watched.read()
    assert differences(watched.live(), found(top)) == []


def test_what_is_written_under_one_name_counts_for_the_others(tree):
    top, watched = tree
    os.link(top / "d/e/f", top / "g")
    watched.read()
    with (top / "g").open("a") as file:
        file.write("more")
    watched.read()
    assert differences(watched.live(), found(top)) == []


def test_the_root_itself_goes_and_comes_back(tree):
    top, watched = tree
    subprocess.run(["/bin/sh", "-c", f"mv {top} {top}2"], check=True)
    assert ("deleted", "moved_out") in watched.read().select("event_action", "event_reason").rows()
    assert watched.live() == {}
    subprocess.run(["/bin/sh", "-c", f"mkdir -p {top}/n; echo x > {top}/n/m"], check=True)
    watched.read()
    assert differences(watched.live(), found(top)) == []


def test_what_happens_to_the_root_itself_while_a_folder_is_renamed(tree):
    top, watched = tree
    (top / "d").rename(top / "z")
    top.chmod(0o711)
    rows = watched.read().filter(pl.col("file_path") == str(top), pl.col("event_confidence") != "synthetic")
    assert rows.select("event_action", "file_mode").rows() == [("attributes_modified", "0711")]
    assert differences(watched.live(), found(top)) == []


def test_what_is_left_out_is_not_told(mounted, watch):
    top = mounted / "in"
    (top / "data").mkdir(parents=True)
    watched = watch(top, exclude=("*.tmp",), own=(top / "data",))
    watched.read()
    subprocess.run(
        ["/bin/sh", "-c", "echo x > a.tmp; mkdir b.tmp data/d; echo y > b.tmp/c; echo z > data/d/e"],
        cwd=top,
        check=True,
    )
    assert told(watched.read(), top) == []
    subprocess.run(["/bin/sh", "-c", "mv a.tmp a; mv b.tmp b; mv data/d d; mv d data/d2"], cwd=top, check=True)
    watched.read()
    there = {path: look for path, look in found(top).items() if f"{top}/data" not in path}
    assert differences(watched.live(), there) == []


def test_a_file_system_mounted_below_is_watched_too(tree):
    top, watched = tree
    subprocess.run(["mount", "-t", "tmpfs", "none", top / "d"], check=True)
    try:
        watched.read()
        (top / "d/inside").write_text("x")
        watched.read()
        told = watched.live()
        assert f"{top}/d/inside" in told
        assert f"{top}/d/e/f" not in told
    finally:
        subprocess.run(["umount", "-l", top / "d"], check=True)
    watched.read()
    assert differences(watched.live(), found(top)) == []


def test_a_removed_tree_is_told_once_more_as_one(tree, monkeypatch):
    top, watched = tree
    monkeypatch.setattr("tailrace.sources.file_events.acts.QUIET_NS", 0)
    subprocess.run(["rm", "-r", "d"], cwd=top, check=True)
    rows = watched.read().filter(pl.col("event_reason") == "delete_tree")
    assert rows.select("file_path", "event_count", "event_bytes").rows() == [(f"{top}/d", 3, 5)]
    assert differences(watched.live(), found(top)) == []


def test_a_queue_that_is_too_long_is_given_up_and_made_good(tree, monkeypatch):
    top, watched = tree
    monkeypatch.setattr("tailrace.sources.file_events.fanotify._QUEUE", 10)
    for number in range(40):
        (top / f"d/e/{number}").mkdir()
    (top / "d").rename(top / "z")
    rows = watched.read()
    gap = rows.filter(pl.col("event_action") == "gap")
    assert gap["event_reason"].to_list() == ["overflow", "overflow"]
    assert gap["event_end"].null_count() == 1
    assert watched.source.counters["overflows"] == 1
    assert watched.source.counters["open_gaps"] == 0
    there = found(top)
    assert not [path for path in there if path not in watched.live()]
    (top / "z/e/7/after").write_text("x")
    watched.read()
    assert f"{top}/z/e/7/after" in watched.live()


def test_a_folder_that_is_found_where_events_not_read_yet_led_it_is_told_where_they_lead_it_next(tree, monkeypatch):
    """While a folder is looked for, more happens: its place is of the future, and not its last one."""
    top, watched = tree

    def sh(command):
        subprocess.run(["/bin/sh", "-c", command], cwd=top, check=True)

    look, acts = Strays.look_for_renamed, ["mkdir ../out/a; mv ../out/a a; mv y a/b"]

    def later(self, news):
        if acts:
            sh(acts.pop())
            look(self, news)
            sh("mv a/b c")
        else:
            look(self, news)

    monkeypatch.setattr(Strays, "look_for_renamed", later)
    sh("mv d x; mv x y")
    watched.read()
    assert differences(watched.live(), found(top)) == []
    assert (top / "c/e/f").exists()
