"""Entries of the journal: message, time, level, fields, and the service as a label."""

from __future__ import annotations

import json

import polars as pl
import pytest

from tailrace.contracts import Reading
from tailrace.parse.journald import ERROR, Journald

STREAM = '{host="h", service_name="journald", source="journald"}'


def parsed(*entries, stream=STREAM, raw="auto", parser=None):
    texts = [entry if isinstance(entry, str) else json.dumps(entry) for entry in entries]
    lines = pl.DataFrame({"_line": texts, "_observed_ns": 1, "_stream": stream})
    return (parser or Journald()).parse(lines, Reading("journald", raw))


def entry(message="m", **members):
    return {"__CURSOR": "s=1;i=1", "__REALTIME_TIMESTAMP": "1700000000000001", "MESSAGE": message, **members}


def test_an_entry_is_message_time_level_and_fields():
    frame = parsed(entry("it broke", PRIORITY="3", _PID="12", CODE_FILE="a.c", _SYSTEMD_UNIT="web.service"))
    assert frame.row(0, named=True) == {
        "_line": "it broke",
        "_observed_ns": 1,
        "_stream": '{host="h", service_name="web", source="journald"}',
        "_time_ns": 1_700_000_000_000_001_000,
        "_level": "error",
        "_format": "journald",
        "PRIORITY": 3,
        "__PID": 12,
        "CODE_FILE": "a.c",
        "__SYSTEMD_UNIT": "web.service",
    }


@pytest.mark.parametrize(
    ("priority", "level"),
    [
        ("0", "fatal"),
        ("2", "fatal"),
        ("3", "error"),
        ("4", "warn"),
        ("5", "info"),
        ("6", "info"),
        ("7", "debug"),
        ("9", None),
    ],
)
def test_levels(priority, level):
    assert parsed(entry(PRIORITY=priority))["_level"].to_list() == [level]


@pytest.mark.parametrize(
    ("members", "service"),
    [
        ({"_SYSTEMD_UNIT": "web@1.service", "SYSLOG_IDENTIFIER": "x"}, "web@1"),
        ({"_SYSTEMD_UNIT": "session-3.scope", "SYSLOG_IDENTIFIER": "sudo"}, "sudo"),
        ({"_SYSTEMD_USER_UNIT": "app.service", "_COMM": "x"}, "app"),
        ({"_COMM": "cron"}, "cron"),
        ({"_TRANSPORT": "kernel"}, "kernel"),
        ({}, "journald"),
    ],
)
def test_the_service_of_a_row(members, service):
    other = entry(_SYSTEMD_UNIT="other.service")
    streams = parsed(entry(**members), other)["_stream"].to_list()
    assert streams == [f'{{host="h", service_name="{name}", source="journald"}}' for name in (service, "other")]


def test_a_service_that_the_operator_named_stays():
    stream = '{service_name="mine", source="journald"}'
    assert parsed(entry(_COMM="cron"), stream=stream)["_stream"].to_list() == [stream]


@pytest.mark.parametrize(
    ("message", "line", "raw"),
    [
        ("two\nlines", "two\nlines", None),
        ([104, 105], "hi", None),
        ([104, 255], "h\N{REPLACEMENT CHARACTER}", b"h\xff"),
        (["a", [98]], "a\nb", None),
        ([], "", None),
        ("[1, 2]", "[1, 2]", None),
        ('"MESSAGE":[1]', '"MESSAGE":[1]', None),
    ],
)
def test_messages(message, line, raw):
    frame = parsed(entry("before"), entry(message), entry("after"))
    assert frame["_line"].to_list() == ["before", line, "after"]
    assert (frame["_raw"].to_list()[1] if "_raw" in frame.columns else None) == raw


def test_an_entry_without_a_message_keeps_its_text():
    text = '{"__CURSOR": "c", "__REALTIME_TIMESTAMP": "1700000000000001", "A": "b"}'
    frame = parsed(entry(), text)
    assert frame["_line"].to_list() == ["m", text]
    assert parsed(text)["_line"].to_list() == [text]


def test_the_exact_text_can_be_kept():
    frame = parsed(entry("m"), raw="keep")
    assert json.loads(frame["_line"][0]) == entry("m")
    assert frame["MESSAGE"].to_list() == ["m"]


def test_a_number_that_would_change_stays_text():
    assert parsed(entry(_PID="007"), entry(_PID="8"))["__PID"].to_list() == ["007", "8"]


def test_what_is_no_entry_is_kept_and_marked():
    frame = parsed("-- No entries --", entry())
    assert frame["_line"].to_list() == ["-- No entries --", "m"]
    assert frame["_error"].to_list() == [ERROR, None]
    assert frame["_format"].to_list() == [None, "journald"]
    assert frame["_time_ns"].to_list() == [None, 1_700_000_000_000_001_000]


def test_new_members_are_learned():
    parser = Journald()
    parsed(entry(), parser=parser)
    assert parsed(entry(NEW="x"), parser=parser)["NEW"].to_list() == ["x"]
