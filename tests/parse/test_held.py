"""What waits for its end: how long, how much, and what is given out then."""

from __future__ import annotations

import json

import pytest

from tailrace import registry
from tailrace.contracts import Block, Multiline, Origin, Reading
from tailrace.limits import READ_TURN_BYTES
from tailrace.parse import held as held_module
from tailrace.parse.chain import Chain

NOW = 1_790_000_000_000_000_000
SECOND = 10**9
JAVA = Multiline(presets=("java",))
PYTHON = Multiline(presets=("python",))


def block(text: str, rule: Multiline | None = JAVA, *, key: str = "f", at: float = 0, form: str = "plain") -> Block:
    reading = Reading(form, timezone="UTC", multiline=(rule,) if rule else ())
    return Block(Origin(key, {"filename": key}, reading), 0, text.encode(), NOW + int(at * SECOND))


def lines(frame) -> list[str]:
    return frame["_line"].to_list()


def test_a_group_goes_out_when_its_wait_is_over():
    chain = Chain()
    assert lines(chain.parse([block("a\n\tat x\n")]).frame) == []
    assert lines(chain.flush(NOW + 2 * SECOND, final=False).frame) == []
    assert lines(chain.parse([block("\tat y\n", at=2)]).frame) == []
    assert lines(chain.flush(NOW + 4 * SECOND, final=False).frame) == []
    assert lines(chain.flush(NOW + 5 * SECOND, final=False).frame) == ["a\n\tat x\n\tat y"]
    assert lines(chain.parse([block("\tat late\nb\n", at=6)]).frame) == ["\tat late"]
    assert chain.pending() == (1, 2)


def test_the_wait_is_the_rules():
    chain = Chain()
    chain.parse([block("a\n", Multiline(presets=("java",), wait_s=60))])
    assert lines(chain.flush(NOW + 59 * SECOND, final=False).frame) == []
    assert lines(chain.flush(NOW + 60 * SECOND, final=False).frame) == ["a"]


def test_while_the_source_is_behind_no_wait_is_over():
    chain = Chain()
    chain.parse([block("a\n"), block("x" * (READ_TURN_BYTES // 2) + "\n", None, key="g")])
    assert lines(chain.flush(NOW + 60 * SECOND, final=False).frame) == []
    assert lines(chain.flush(NOW + 60 * SECOND, final=False).frame) == ["a"]  # no turn since: nothing was left


def test_lines_that_nothing_can_follow_do_not_wait():
    chain = Chain()
    assert lines(chain.parse([block("a\nb\n", PYTHON)]).frame) == ["a", "b"]
    assert lines(chain.parse([block("c\nTraceback (most recent call last):\n", PYTHON)]).frame) == ["c"]
    assert lines(chain.parse([block("  File x\n", PYTHON)]).frame) == []
    assert lines(chain.parse([block("KeyError: 'x'\nd\n", PYTHON)]).frame) == [
        "Traceback (most recent call last):\n  File x\nKeyError: 'x'",
        "d",
    ]


def test_a_group_that_is_given_out_is_parsed_as_its_file_is():
    chain = Chain()
    chain.parse([block('{"level":"error","msg":"no"}\n\tat x\n', form="auto")])
    again = Chain()
    again.restore(json.loads(json.dumps(dict(chain.mark()))))
    frame = again.flush(NOW, final=True).frame
    assert frame.select("_line", "_level", "_format", "_in_lines").rows() == [("no\n\tat x", "error", "json:msg", 2)]


def test_a_group_that_is_given_out_has_the_time_of_its_first_line():
    chain = Chain()
    chain.parse([block("2026-03-05 10:00:00 ERROR no\n\tat x\n", form="auto")])
    frame = chain.flush(NOW, final=True).frame
    assert frame.select("_time_ns", "_level", "_format").rows() == [(1_772_704_800 * SECOND, "error", "timestamped")]


def test_a_json_document_over_several_lines_is_parsed_as_one():
    chain = Chain()
    frame = chain.parse(
        [block('{\n  "msg": "no",\n  "n": 3\n}\n{\n  "msg": "yes"\n}\n{\n', Multiline(start=r"^\{"), form="json")]
    ).frame
    assert frame["_line"].to_list() == ["no", "yes"]
    assert frame["n"].to_list() == [3, None]
    raw = Reading("json", "keep", "UTC", (Multiline(start=r"^\{"),))
    text = '{\n "msg": "no"\n}\n'
    frame = Chain().parse([Block(Origin("f", {}, raw), 0, (text + "{\n").encode(), NOW)]).frame
    assert frame["_line"].to_list() == [text[:-1]]


def test_the_oldest_go_out_when_too_much_is_held(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(held_module, "OPEN_RECORDS", 3)
    chain = Chain()
    chain.parse([block(f"{n}\n", key=f"f{n}") for n in range(5)])
    assert lines(chain.flush(NOW, final=False).frame) == ["0", "1"]
    monkeypatch.setattr(held_module, "OPEN_RECORD_BYTES", 4)
    assert lines(chain.flush(NOW, final=False).frame) == ["2"]
    assert chain.pending() == (2, 4)


def test_what_is_grouped_goes_out_before_a_part_of_the_same_stream():
    chain = Chain()
    text = "2026-03-05T10:00:00Z stdout F a\n2026-03-05T10:00:01Z stdout P \tat x\n"
    chain.parse([block(text, Multiline(presets=("java",), wait_s=3600), form="cri")])
    frame = chain.flush(NOW + 10 * SECOND, final=False).frame
    assert frame.select("_line", "_error", "stream").rows() == [
        ("a", None, "stdout"),
        ("\tat x", "CutRecord", "stdout"),
    ]
    assert chain.pending() == (0, 0)


def test_a_parser_that_fails_on_what_is_given_out_costs_no_line(monkeypatch: pytest.MonkeyPatch):
    class Broken:
        name = "json"

        def parse(self, *_: object):
            raise RuntimeError("a bug in a parser")

    chain = Chain()
    chain.parse([block("a\n\tat x\n", form="json")])
    find = registry.find
    monkeypatch.setattr(registry, "find", lambda kind, name: Broken if name == "json" else find(kind, name))
    frame = chain.flush(NOW, final=True).frame
    assert frame.select("_line", "_error", "_in_lines").rows() == [("a\n\tat x", "ParserFailure", 2)]


def test_a_wrapper_that_fails_changes_nothing_that_is_held(monkeypatch: pytest.MonkeyPatch):
    chain = Chain()
    good, bad = "2026-03-05T10:00:00Z stdout P a\n", '{"log":"x\\n","stream":"stdout","time":"2026-03-05T10:00:00Z"}\n'
    chain.parse([block(good, None, form="cri")])
    before = chain.pending()

    def fail(*_: object):
        raise RuntimeError("a bug in a wrapper")

    docker = registry.find("parser", "docker")
    monkeypatch.setattr(docker, "unwrap", fail)
    with pytest.raises(RuntimeError):
        chain.prepare([block(good, None, form="cri"), block(bad, None, key="g", form="docker")])
    assert chain.pending() == before
    chain.mark()
    assert chain.mark() == {}


def test_an_over_long_line_is_no_part_of_a_group():
    chain = Chain()
    origin = block("").origin
    frame = chain.parse(
        [
            Block(origin, 0, b"a\n\tat x\n", NOW),
            Block(origin, 8, b"\tat long", NOW, part=1),
            Block(origin, 16, b" line\n", NOW, part=2, part_last=True),
            Block(origin, 22, b"\tat y\nb\n", NOW),
        ]
    ).frame
    assert frame.select("_line", "_part", "_part_last").rows() == [
        ("a\n\tat x", None, None),
        ("\tat long", 1, False),
        (" line", 2, True),
        ("\tat y", None, None),
    ]
    assert chain.pending() == (1, 2)


def test_an_over_long_line_right_behind_a_held_group():
    chain = Chain()
    origin = block("").origin
    chain.parse([Block(origin, 0, b"a\n", NOW)])
    frame = chain.parse([Block(origin, 2, b"\tat long", NOW, part=1)]).frame
    assert frame.select("_line", "_part", "_in_bytes").rows() == [("a", None, 2), ("\tat long", 1, 8)]
    frame = chain.parse([Block(origin, 10, b"end\n", NOW, part=2, part_last=True)]).frame
    assert frame.select("_line", "_part").rows() == [("end", 2)]


def test_bytes_that_are_no_text_are_kept_in_a_group():
    chain = Chain()
    origin = block("").origin
    chain.parse([Block(origin, 0, b"caf\xe9\n", NOW)])
    again = Chain()
    again.restore(json.loads(json.dumps(dict(chain.mark()))))
    frame = again.parse([Block(origin, 5, b"\tat x\nb\n", NOW)]).frame
    assert frame.select("_line", "_raw").rows() == [("caf\ufffd\n\tat x", b"caf\xe9\n\tat x")]


def test_labels_that_change_in_the_middle_change_no_record():
    chain = Chain()
    reading = Reading("cri", timezone="UTC")
    first = Origin("f", {"filename": "/a/0.log"}, reading)
    later = Origin("f", {"filename": "/a/0.log", "pod_label_app": "web"}, reading)
    chain.parse([Block(first, 0, b"2026-03-05T10:00:00Z stdout P a\n", NOW)])
    frame = chain.parse([Block(later, 32, b"2026-03-05T10:00:01Z stdout F b\n", NOW)]).frame
    assert frame.select("_line", "_stream").rows() == [("ab", '{filename="/a/0.log"}')]
