"""Documents of other agents, imported: the rows, and the twin that they make."""

from __future__ import annotations

import json


def document(path, action, second, **file):
    return {
        "@timestamp": f"2026-03-05T10:00:{second:02d}.5Z",
        "event": {"action": [action], "module": "file_integrity"},
        "host": {"name": "db-3"},
        "file": {"path": path, **file},
    }


def test_an_import_makes_rows_and_a_twin(run, tmp_path):
    documents = [
        document("/srv", "created", 1, type="dir", inode="1"),
        document("/srv/a", "created", 2, type="file", inode="2", size=10),
        document("/srv/a", "updated", 3, type="file", inode="2", size=30),
        document("/srv/b", "created", 4, type="file", inode="3", size=5),
        document("/srv/b", "deleted", 5),
    ]
    log = tmp_path / "fim.ndjson"
    log.write_text("".join(json.dumps(one) + "\n" for one in documents) + "not a document\n")
    data = ("--data", tmp_path / "data")
    assert run("collect", log, "--format", "file_integrity", *data).code == 0
    found = run("query", '{source="file_events", host="db-3"} | event_action="updated"', "-o", "jsonl", *data)
    [row] = [json.loads(line) for line in found.out.splitlines()]
    assert (row["line"], row["fields"]["file_size"]) == ("updated /srv/a", "30")
    bad = run("query", '{filename=~".+", source!="file_events"}', *data)
    assert bad.out.endswith("not a document\n")
    listed = run("files", "ls", "/srv", "--recursive", "-o", "jsonl", *data)
    assert [json.loads(line)["path"] for line in listed.out.splitlines() if '"file"' in line] == ["/srv/a"]
    used = run("files", "du", "/srv", "-o", "jsonl", *data)
    assert json.loads(used.out.splitlines()[-1])["files"] == 1


def test_documents_of_windows_are_detected_and_make_a_twin(run, tmp_path):
    """Before Elastic's pipeline documents do not say their module; their actions are a list."""
    documents = [
        document("C:\\Temp\\old", "created", 1, type="dir", inode="1"),
        document("C:\\Temp\\old\\x", "created", 2, type="file", inode="2", size=10),
        document("C:\\Temp\\a", "created", 3, type="file", inode="3", size=30),
        document("C:\\Temp\\old", "deleted", 4),
    ]
    for one in documents:
        del one["event"]["module"]
    log = tmp_path / "fim.ndjson"
    log.write_text("".join(json.dumps(one) + "\n" for one in documents))
    data = ("--data", tmp_path / "data")
    assert run("collect", log, *data).code == 0
    listed = run("files", "ls", "C:\\Temp", "--host", "db-3", "-o", "jsonl", *data)
    assert [json.loads(line)["path"] for line in listed.out.splitlines()] == ["C:\\Temp\\a"]
    used = run("files", "du", "C:\\", "-o", "jsonl", *data)
    assert [json.loads(line)["path"] for line in used.out.splitlines()] == ["C:"]
    assert run("files", "ls", "Temp", *data).code == 0
