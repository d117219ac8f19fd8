"""`tailrace files follow` and `tailrace explain file`: what is followed, how far, and why not."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def imported(run, tmp_path):
    """A folder with one imported file of twelve bytes, to which five were added since."""
    log = tmp_path / "logs" / "app.log"
    log.parent.mkdir()
    log.write_text("one\ntwo two\n")
    assert run("collect", log, "--data", tmp_path / "data").code == 0
    with log.open("a") as file:
        file.write("more\n")
    return log


def config(tmp_path, text):
    file = tmp_path / "tailrace.yaml"
    file.write_text(text)
    return file


def test_files_follow_shows_how_far_each_file_is(run, tmp_path, imported):
    done = run("files", "follow", "--data", tmp_path / "data")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "agent    source   state      offset  size  lag  path",
        f"collect  collect  following      12    17    5  {imported}",
    ]
    (row,) = map(json.loads, run("files", "follow", "--data", tmp_path / "data", "-o", "jsonl").out.splitlines())
    assert (row["path"], row["offset"], row["size"], row["lag_bytes"]) == (str(imported), 12, 17, 5)


def test_files_follow_of_one_agent(run, tmp_path, imported):
    assert run("files", "follow", "--data", tmp_path / "data", "--agent", "collect").out
    done = run("files", "follow", "--data", tmp_path / "data", "--agent", "local")
    assert done.code == 1
    assert f"there is no agent 'local' in {tmp_path / 'data'} (known: collect)" in done.err


def test_files_follow_without_any(run, tmp_path):
    done = run("files", "follow", "--data", tmp_path)
    assert (done.code, done.out, done.err) == (0, "", "no file is followed yet\n")


def test_explain_file_that_is_followed(run, tmp_path, imported):
    file = config(tmp_path, f"sources: [{{name: app, paths: [{imported.parent}]}}]")
    done = run("explain", "file", imported, "--data", tmp_path / "data", "--config", file)
    assert done.code == 0
    assert done.out.splitlines() == [
        f"{imported}: followed",
        f"  source app: yes, it matches {imported.parent}",
        f"  agent collect, source collect: read to byte 12 of 17, 5 bytes wait (following, {imported})",
    ]


def test_explain_file_that_is_not_followed(run, tmp_path, imported):
    file = config(
        tmp_path,
        f"sources: [{{name: app, paths: [{imported.parent}], exclude: [app.*]}}, {{name: b, paths: [/x]}}, {{type: stdin}}]",
    )
    done = run("explain", "file", imported, "--data", tmp_path / "none", "--config", file)
    assert done.code == 1
    assert done.out.splitlines() == [
        f"{imported}: not followed",
        f"  source app: no, it matches {imported.parent}, and is excluded by 'app.*'",
        "  source b: no, none of its paths matches",
        "  nothing was read of it so far",
    ]


def test_explain_file_leaves_out_the_own_data_folder(run, tmp_path, imported):
    file = config(tmp_path, f"sources: [{{paths: [{tmp_path}]}}]")
    inside = next((tmp_path / "data").rglob("checkpoint.log"))
    done = run("explain", "file", inside, "--data", tmp_path / "data", "--config", file)
    assert done.code == 1
    assert f"excluded by '{tmp_path / 'data'}'" in done.out


def test_explain_file_as_json(run, tmp_path, imported):
    file = config(tmp_path, f"sources: [{{name: app, paths: [{imported.parent}]}}]")
    done = run("explain", "file", imported, "--data", tmp_path / "data", "--config", file, "--json")
    told = json.loads(done.out)
    assert told["followed"]
    assert told["reasons"] == [{"source": "app", "followed": True, "why": f"it matches {imported.parent}"}]
    assert told["known"][0]["offset"] == 12


def test_explain_file_follows_a_file_to_the_name_it_has_now(run, tmp_path, imported):
    imported.rename(f"{imported}.1")
    file = config(tmp_path, f"sources: [{{name: app, paths: [{imported.parent}]}}]")
    done = run("explain", "file", f"{imported}.1", "--data", tmp_path / "data", "--config", file)
    assert f"read to byte 12 (gone, {imported})" in done.out


def test_a_query_with_a_second_word_is_a_mistake(run, tmp_path):
    done = run("explain", '{a="b"}', "/x", "--data", tmp_path)
    assert done.code == 2
    assert "a query stands alone (or ask: tailrace explain file /x)" in done.err
