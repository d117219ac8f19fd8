"""Documents of file events: the host of each row, what strange documents may not do, and Elastic's own samples.

What one document becomes is in `tests/cases/parse/file_integrity.toml`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.contracts import Reading
from tailrace.ecs import COLUMNS, member
from tailrace.parse.file_integrity import FileIntegrity

SAMPLES = Path(os.environ.get("TAILRACE_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "elastic-fim"
STREAM = '{filename="/x", host="h", service_name="x", source="files"}'
EVENT = {"event": {"action": ["created"], "module": "file_integrity"}, "file": {"path": "/a", "size": 1}}


def parsed(*documents, parser=None, stream=STREAM, **columns):
    texts = [document if isinstance(document, str) else json.dumps(document) for document in documents]
    lines = pl.DataFrame({"_line": texts, "_observed_ns": 1, "_stream": stream, **columns})
    return (parser or FileIntegrity()).parse(lines, Reading("file_integrity"))


@pytest.mark.parametrize(
    ("members", "host"),
    [
        ({}, "h"),
        ({"host": {"name": "db-3"}}, "db-3"),
        ({"host": {"name": "", "hostname": "db-4"}}, "db-4"),
        ({"agent": {"name": "db-5"}, "host": {"hostname": "db-6"}}, "db-6"),
        ({"agent": {"name": "db-5"}}, "db-5"),
        ({"beat": {"hostname": "old", "name": "other"}}, "old"),
        ({"host.name": 'a "b"'}, r"a \"b\""),
        ({"host": {"name": 7}}, "7"),
    ],
)
def test_the_host_is_the_documents(members, host):
    expected = f'{{filename="/x", host="{host}", service_name="x", source="file_events"}}'
    assert parsed({**EVENT, **members})["_stream"].to_list() == [expected]


def test_each_row_has_its_own_host_and_a_bad_one_keeps_its_stream():
    hosts = [{"name": "a"}, {"name": "b"}, {}, {"name": "a"}]
    frame = parsed(*({**EVENT, "host": host} for host in hosts), "broken")
    assert [text.split('"')[3] for text in frame["_stream"]] == ["a", "b", "h", "a", "h"]
    assert frame["_stream"][4] == STREAM
    assert frame["_error"].to_list() == [None, None, None, None, "FileIntegrityParserErr"]


@pytest.mark.parametrize(
    "strange",
    [
        {**EVENT, "file": "text"},
        {**EVENT, "file": {"path": {"raw": {"deep": 1}}, "hash": "text"}},
        {**EVENT, "process": [1, 2], "user": 5, "event": "created"},
        {"event": {"action": {"a": 1}, "module": ["x"]}, "file": {"path": ["/a"], "size": {"b": 1}}},
        {"event.action": "x", "event": {"action": "y"}, "file.path": "/a", "file": {"path": "/b"}},
    ],
)
def test_a_strange_document_takes_nothing_from_those_after_it(strange):
    parser = FileIntegrity()
    clean = parsed(EVENT, parser=parser)
    parsed(strange, EVENT, parser=parser)
    after = parsed(EVENT, parser=parser)
    assert after.equals(clean)
    assert after.schema == clean.schema


def test_the_documents_time_goes_before_that_of_a_container_runtime():
    frame = parsed(EVENT, {**EVENT, "@timestamp": "1970-01-01T00:00:01Z"}, _time_ns=[5, 6])
    assert frame["_time_ns"].to_list() == [5, 1_000_000_000]


def test_every_column_comes_from_its_member_in_both_shapes():
    values = {name: 7 if dtype == pl.Int64 else "7" for name, dtype in COLUMNS.items()}
    values |= {"event_module": "file_integrity"}
    dotted = {member(name): value for name, value in values.items()}
    nested: dict[str, object] = {}
    for name, value in dotted.items():
        *outer, last = name.split(".")
        inner = nested
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[last] = value
    for document in (dotted, nested):
        row = parsed(document).row(0, named=True)
        assert {name: row[name] for name in COLUMNS} == values


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "event": st.fixed_dictionaries(
                    {},
                    optional={
                        "action": st.one_of(st.just("created"), st.lists(st.sampled_from(["deleted", "created"]))),
                        "module": st.sampled_from(["file_integrity", "auditd", None]),
                    },
                ),
                "file": st.one_of(
                    st.none(),
                    st.text(),
                    st.fixed_dictionaries(
                        {},
                        optional={
                            "path": st.one_of(st.text(), st.just({"raw": "/r"})),
                            "size": st.one_of(st.integers(), st.text(), st.floats(allow_nan=False), st.booleans()),
                            "inode": st.one_of(st.integers(), st.text()),
                        },
                    ),
                ),
                "event.action": st.text(max_size=3),
                "@timestamp": st.one_of(st.integers(), st.text(max_size=3), st.just("2026-03-05T10:00:00Z")),
            },
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_documents_give_a_row_each_of_the_right_types(documents):
    frame = parsed(*documents)
    assert frame.height == len(documents)
    for name, dtype in COLUMNS.items():
        assert frame.schema.get(name, dtype) == dtype
    for document, row in zip(documents, frame.iter_rows(named=True), strict=True):
        fits = row.get("_error") is None
        if fits:
            assert "file_events" in row["_stream"]
        else:
            assert row["_line"] == json.dumps(document)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="no sample data: set TAILRACE_SHARED to its folder")
def test_elastics_own_samples():
    old = json.loads((SAMPLES / "beats" / "data.json").read_text())
    new = json.loads((SAMPLES / "integrations" / "sample_event.json").read_text())
    before = json.loads((SAMPLES / "integrations" / "test-etw-backend.json").read_text())["events"]
    after = json.loads((SAMPLES / "integrations" / "test-etw-backend.json-expected.json").read_text())["expected"]
    frame = parsed(old, new, *before, *after)
    assert frame.height == 18
    assert "_error" not in frame.columns
    assert frame["event_action"].value_counts().sort("event_action").rows() == [
        ("attributes_modified", 2),
        ("created", 9),
        ("created,updated", 1),
        ("deleted", 2),
        ("moved", 2),
        ("updated", 2),
    ]
    assert frame["file_path"].null_count() == 0
    assert frame["_time_ns"].null_count() == 0
    assert frame["file_hash_sha1"].drop_nulls().to_list() == [
        "2aae6c35c94fcfb415dbe95f408b9ce91ee846ed",
        "22596363b3de40b06f981fb85d82312e8c0ed511",
    ]
    assert frame["file_size"].to_list()[:3] == [11, 12, 0]


def test_objects_without_values_say_nothing():
    empty = {**EVENT, "process": {}, "container": {"id": None}, "user": None, "file": {"path": "/a", "hash": {}}}
    frame = parsed({**EVENT, "process": {"pid": 5}}, empty)
    assert frame["process_pid"].to_list() == [5, None]
    assert "_more" not in frame.columns
    assert "_error" not in frame.columns
    assert parsed({**EVENT, "container": {"id": None, "new": 1}})["container_new"].to_list() == [1]
