"""What becomes of documents, by hand; the twin's own rules, so a few of each kind are enough."""

from __future__ import annotations

import polars as pl
import pytest

from tailrace.condense.decide import decide, uncondensed
from tailrace.condense.documents import frame


def judged(*rows, **more):
    """Return verdicts of documents: (path, action, second, members of `file`), numbered as they come."""
    hits = []
    for number, (path, action, second, *file) in enumerate(rows):
        source = {
            "@timestamp": f"2026-03-05T10:00:{second:02d}Z",
            "event": {"action": action},
            "file": {"path": path, **(file[0] if file else {})},
            "host": {"name": "h"},
            **more,
        }
        hits.append({"_index": "i", "_id": str(number), "_seq_no": number, "_primary_term": 1, "_source": source})
    found = decide(frame(hits))
    assert found["id"].to_list() == [str(number) for number in range(len(rows))]
    return [to or verdict for verdict, to in found.select("verdict", "to").iter_rows()]


SIZE, FOLDER = {"size": 1}, {"type": "dir", "inode": "5"}


@pytest.mark.parametrize(
    ("rows", "verdicts"),
    [
        ([("/a", "created", 1, SIZE)], ["keep"]),
        ([("/a", "created", 2, SIZE), ("/a", "updated", 1, SIZE)], ["keep", "delete"]),
        ([("/a", "created", 1, SIZE), ("/a", "deleted", 2)], ["delete", "delete"]),
        ([("/a", ["moved"], 1)], ["delete"]),
        ([("/a", "created", 1, SIZE), ("/a", ["deleted", "created"], 1, SIZE)], ["delete", "keep"]),
        ([("/a", ["created", "deleted"], 1)], ["delete"]),
        ([("/a", ["created", "deleted"], 1, SIZE)], ["keep"]),
        ([("/a", [], 1, SIZE)], ["keep"]),
        ([("/a", "none", 1)], ["keep"]),
        ([("/a", "created", 1, SIZE), ("/a", "none", 2)], ["keep", "delete"]),
        (
            [("/d", "deleted", 5), ("/d/x", "created", 4, SIZE), ("/d/x", "created", 6, SIZE)],
            ["delete", "delete", "keep"],
        ),
        (
            [("/d", "deleted", 5), ("/d0", "created", 1, SIZE), ("/d-x/y", "created", 1, SIZE)],
            ["delete", "keep", "keep"],
        ),
        ([("/d", "attributes_modified", 5, FOLDER), ("/d/x", "created", 4, SIZE)], ["keep", "keep"]),
        ([("/", "deleted", 5), ("/x", "created", 4, SIZE)], ["delete", "delete"]),
        (
            [
                ("/d", "created", 1, FOLDER),
                ("/d/x", "created", 2, SIZE),
                ("/d", "moved", 3),
                ("/e", "created", 3, FOLDER),
            ],
            ["delete", "/e/x", "delete", "keep"],
        ),
        (
            [("/d", "created", 1, FOLDER), ("/d/x", "created", 2, SIZE), ("/d", "moved", 3)],
            ["delete", "delete", "delete"],
        ),
        (
            [
                ("/d", "created", 1, FOLDER),
                ("/d/x", "created", 2, SIZE),
                ("/e", "moved", 3, {**FOLDER, "old_path": "/d"}),
            ],
            ["delete", "/e/x", "keep"],
        ),
        (
            [
                (r"C:\d", "created", 1, SIZE),
                (r"C:\d\x", "created", 1, SIZE),
                (r"C:\d", "deleted", 2),
                (r"C:\dd", "created", 1, SIZE),
            ],
            ["delete", "delete", "delete", "keep"],
        ),
    ],
)
def test_verdicts(rows, verdicts):
    assert judged(*rows) == verdicts


def test_a_directory_that_was_carried_moves_on_with_what_it_has():
    inner = {"type": "dir", "inode": "6"}
    rows = [
        ("/a", "created", 1, FOLDER),
        ("/a/b", "created", 2, inner),
        ("/a/b/f", "created", 3, SIZE),
        ("/a", "moved", 4),
        ("/c", "created", 4, FOLDER),
        ("/c/b", "moved", 5),
        ("/d", "created", 5, inner),
    ]
    assert judged(*rows) == ["delete", "delete", "/d/f", "delete", "keep", "delete", "keep"]


def test_a_directory_that_never_comes_back_takes_its_own_along():
    rows = [
        ("/a", "created", 1, FOLDER),
        ("/a/f", "created", 2, SIZE),
        ("/a", "moved", 3),
        ("/b", "created", 4, {"type": "dir", "inode": "9"}),
    ]
    assert judged(*rows) == ["delete", "delete", "delete", "keep"]


def test_our_own_sequence_goes_before_the_time():
    hits = [
        {"_index": "i", "_id": str(n), "_seq_no": n, "_primary_term": 1, "_source": {
            "@timestamp": "2026-03-05T10:00:00Z", "event.action": "updated", "event.sequence": sequence,
            "file.path": "/a", "file.size": n, "host.name": "h"}}
        for n, sequence in enumerate([3, 9, 5])
    ]  # fmt: skip
    assert decide(frame(hits))["verdict"].to_list() == ["delete", "keep", "delete"]


def test_a_document_that_was_moved_before_is_not_older_than_its_move():
    rows = [("/b", "deleted", 3), ("/b", "created", 4, FOLDER), ("/b/f", "created", 2, SIZE)]
    assert judged(*rows)[2] == "delete"
    moved_ns = 1_772_704_804 * 10**9
    assert judged(*rows, tailrace={"placed": moved_ns})[2] == "keep"


def test_the_health_number():
    table = pl.DataFrame({"host": ["h", "h", "g", "h"], "file_path": ["/a", "/a", "/a", "/b"]})
    assert (uncondensed(table), uncondensed(table.head(0))) == (1, 0)
