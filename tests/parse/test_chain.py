"""Turns of many blocks: order, formats per file, memory between turns, and what a turn counts."""

from __future__ import annotations

import json

import polars as pl

from tailrace.contracts import Block, Origin, Reading
from tailrace.limits import DETECT_LINES
from tailrace.parse.chain import Chain
from tailrace.parse.pattern import Pattern
from tailrace.patterns.settings import PatternSettings

OBSERVED = 1_790_000_000_000_000_000


def block(key: str, text: str, *, offset: int = 0, **reading: str) -> Block:
    options = Reading(**{"timezone": "UTC"} | reading)  # type: ignore[arg-type]
    return Block(Origin(key, {"filename": key}, options), offset, text.encode(), OBSERVED)


def formats(parsed) -> list[str | None]:
    return parsed.frame["_format"].to_list()


def test_nothing_is_nothing():
    parsed = Chain().parse([])
    assert (len(parsed.frame), parsed.lines, parsed.bytes) == (0, 0, 0)
    assert "_time_ns" in parsed.frame.columns


def test_files_of_different_formats_in_one_turn_keep_their_order():
    blocks = [
        block("json", '{"msg":"one","n":1}\n'),
        block("plain", "hello\nworld\n"),
        block("access", 'h - - [05/Mar/2026:11:00:00 +0000] "GET / HTTP/1.1" 200 5\n'),
        block("json", '{"msg":"two","n":2}\n', offset=20),
        block("logfmt", "a=1 b=2\n"),
    ]
    parsed = Chain().parse(blocks)
    assert parsed.frame["_line"].to_list()[:3] == ["one", "hello", "world"]
    assert formats(parsed) == ["json:msg", "plain", "plain", "access", "json:msg", "logfmt"]
    assert parsed.frame["_offset"].to_list() == [0, 0, 6, 0, 20, 0]
    assert parsed.lines == 6
    assert parsed.bytes == sum(len(each.data) for each in blocks)
    assert not any(name in parsed.frame.columns for name in ("_row", "_origin", "_final"))


def test_lines_without_a_time_keep_their_place():
    times = Chain().parse([block("a", "x\ny\n"), block("b", "z\n")]).frame["_time_ns"].to_list()
    assert times == [OBSERVED, OBSERVED + 1, OBSERVED + 2]


def test_a_field_that_two_formats_type_differently_is_text():
    blocks = [
        block("a", 'h - - [05/Mar/2026:11:00:00 +0000] "GET / HTTP/1.1" 200 5\n'),
        block("j", '{"status":"ok"}\n'),
        block("l", "status=201 x=y\n"),
    ]
    frame = Chain().parse(blocks).frame
    assert frame["status"].to_list() == ["200", "ok", "201"]


def test_numbers_of_two_formats_are_floats_unless_that_loses_digits():
    access = block("a", 'h - - [05/Mar/2026:11:00:00 +0000] "GET / HTTP/1.1" 200 5\n')
    assert Chain().parse([access, block("j", '{"bytes":0.5}\n')]).frame["bytes"].to_list() == [5.0, 0.5]
    large = block("a", f'h - - [05/Mar/2026:11:00:00 +0000] "GET / HTTP/1.1" 200 {2**53 + 1}\n')
    mixed = Chain().parse([large, block("j", '{"bytes":0.5}\n')]).frame["bytes"].to_list()
    assert mixed == ["9007199254740993", "0.5"]


def test_a_broken_line_does_not_change_the_format_of_its_file():
    chain = Chain()
    assert formats(chain.parse([block("f", '{"a":1}\n')])) == ["json"]
    parsed = chain.parse([block("f", '{"a":\n')])
    assert formats(parsed) == [None]
    assert parsed.frame["_error"].to_list() == ["JSONParserErr"]
    assert formats(chain.parse([block("f", '{"a":2}\n')])) == ["json"]


def test_a_file_that_changes_its_format_is_looked_at_again():
    chain = Chain()
    chain.parse([block("f", '{"a":1}\n' * 100)])
    parsed = chain.parse([block("f", "k=v level=info\n" * 20)])
    assert set(formats(parsed)) == {"logfmt"}
    assert parsed.frame["_level"].unique().to_list() == ["info"]


def test_a_banner_does_not_decide_the_format():
    chain = Chain()
    assert formats(chain.parse([block("f", "Starting up\n")])) == ["plain"]
    assert formats(chain.parse([block("f", '{"msg":"up"}\n')])) == ["json:msg"]


def test_a_stray_line_does_not_change_a_plain_file():
    chain = Chain()
    chain.parse([block("f", "plain words\n" * DETECT_LINES)])
    assert formats(chain.parse([block("f", '{"a":1}\n')])) == ["plain"]


def test_a_declared_format_is_not_questioned():
    parsed = Chain().parse([block("f", '{"a":1}\n' * 20, format="plain")])
    assert set(formats(parsed)) == {"plain"}


def test_raw_keep_and_auto_live_in_one_turn():
    parsed = Chain().parse([block("a", '{"msg":"x"}\n', raw="keep"), block("b", '{"msg":"x"}\n')])
    assert parsed.frame["_line"].to_list() == ['{"msg":"x"}', "x"]
    assert parsed.frame["msg"].to_list() == ["x", None]


def test_parts_of_an_over_long_line_are_not_parsed():
    origin = Origin("f", {"filename": "f"}, Reading(format="json"))
    blocks = [
        Block(origin, 0, b'{"a":1}\n', OBSERVED),
        Block(origin, 8, b'{"b":"xx', OBSERVED, part=1),
        Block(origin, 16, b'yy"}\n', OBSERVED, part=2, part_last=True),
        Block(origin, 21, b'{"a":2}\n', OBSERVED),
    ]
    parsed = Chain().parse(blocks)
    assert parsed.frame["_line"].to_list() == ['{"a":1}', '{"b":"xx', 'yy"}', '{"a":2}']
    assert formats(parsed) == ["json", None, None, "json"]
    assert parsed.frame["_part"].to_list() == [None, 1, 2, None]
    assert parsed.frame["a"].to_list() == [1, None, None, 2]
    assert parsed.lines == 4


def cri(text: str, key: str = "f") -> Block:
    return block(key, text)


def account(*parsed) -> tuple[int, int]:
    frames = [each.frame for each in parsed]
    return sum(f["_in_lines"].sum() for f in frames), sum(f["_in_bytes"].sum() for f in frames)


def test_an_open_container_record_is_held_until_its_last_part_comes():
    chain = Chain()
    first = chain.parse([cri("2026-03-05T10:00:00Z stdout P a\n2026-03-05T10:00:01Z stdout P b\n")])
    assert (len(first.frame), first.lines, chain.pending()) == (0, 2, (2, 64))
    second = chain.parse([cri("2026-03-05T10:00:02Z stdout F c\n2026-03-05T10:00:03Z stdout F whole\n")])
    assert second.frame["_line"].to_list() == ["abc", "whole"]
    assert second.frame["_in_lines"].to_list() == [3, 1]
    assert second.frame["_in_bytes"].to_list() == [96, 36]
    assert "_part" not in second.frame.columns or second.frame["_part"].null_count() == 2
    assert chain.pending() == (0, 0)


def test_an_open_record_survives_a_restart():
    chain = Chain()
    first = chain.parse([cri("2026-03-05T10:00:00Z stdout P a\n2026-03-05T10:00:01Z stderr P x\n")])
    state = json.loads(json.dumps(chain.mark()))
    assert len(state) == 2
    assert chain.mark() == {}
    again = Chain()
    again.restore(state)
    assert again.pending() == (2, 64)
    second = again.parse([cri("2026-03-05T10:00:02Z stdout F b\n")])
    assert second.frame.select("_line", "_time_ns", "_offset", "_in_lines").rows() == [
        ("ab", 1_772_704_800 * 10**9, 0, 2)
    ]
    assert again.mark()["part:stdout:f"] is None
    rest = again.flush(OBSERVED, final=True)
    assert rest.frame.select("_line", "stream", "_error", "_part", "_part_last").rows() == [
        ("x", "stderr", "CutRecord", 1, False)
    ]
    assert account(first, second, rest) == (3, 96)


def test_a_record_whose_end_does_not_come_is_given_out_and_its_rest_linked():
    chain = Chain()
    chain.parse([cri("2026-03-05T10:00:00Z stdout P a\n")])
    assert len(chain.flush(OBSERVED + 9 * 10**9, final=False).frame) == 0
    cut = chain.flush(OBSERVED + 10 * 10**9, final=False).frame
    assert cut.select("_line", "_error", "_part", "_part_last").rows() == [("a", "CutRecord", 1, False)]
    assert chain.pending() == (0, 0)
    late = chain.parse([cri("2026-03-05T10:00:20Z stdout P b\n2026-03-05T10:00:21Z stdout F c\n")]).frame
    assert late.select("_line", "_part", "_part_last").rows() == [("bc", 2, True)]
    assert chain.parse([cri("2026-03-05T10:00:22Z stdout F d\n")]).frame["_line"].to_list() == ["d"]


def test_the_wait_begins_anew_after_a_restart_and_when_the_clock_is_set_back():
    chain = Chain()
    chain.parse([cri("2026-03-05T10:00:00Z stdout P a\n")])
    again = Chain()
    again.restore(chain.mark())
    later = OBSERVED + 10**15
    assert len(again.flush(later, final=False).frame) == 0
    assert len(again.flush(later - 10**12, final=False).frame) == 0
    assert len(again.flush(later - 10**12 + 10**10, final=False).frame) == 1


def test_a_state_that_is_not_ours_is_forgotten():
    chain = Chain()
    chain.restore({"part:stdout:{}": {"line": 3}, "part:stderr:{}": "x", "other": {}})
    assert chain.pending() == (0, 0)
    assert chain.mark() == {"part:stdout:{}": None, "part:stderr:{}": None, "other": None}


def test_parts_at_the_size_of_the_runtimes_and_a_mebibyte_of_them():
    for size in (16_383, 16_384, 16_385):
        parts = [f"2026-03-05T10:00:00Z stdout P {str(n % 10) * size}\n" for n in range(8)]
        chain, out = Chain(), []
        for part in [*parts, "2026-03-05T10:00:01Z stdout F \n"]:
            out += chain.parse([cri(part)]).frame.to_dicts()
        assert [row["_line"] for row in out] == ["".join(str(n) * size for n in range(8))]
        assert out[0]["_in_lines"] == 9
    part = f"2026-03-05T10:00:00Z stdout P {'x' * 16_384}\n"
    whole = Chain().parse([cri(part * 64 + "2026-03-05T10:00:01Z stdout F \n")]).frame
    assert whole["_line"].str.len_bytes().to_list() == [2**20]
    cut = Chain().parse([cri(part * 64 + "2026-03-05T10:00:01Z stdout F y\n")]).frame
    assert cut.select(pl.col("_line").str.len_bytes(), "_part", "_part_last").rows() == [
        (2**20, 1, False),
        (1, 2, True),
    ]


def test_a_line_break_within_a_record_is_found_over_turns_and_restarts():
    lines = ["2026-03-05T10:00:00Z stdout P a\n", "b\n", "\n", "2026-03-05T10:00:01Z stdout F c\n"]
    chain, rows = Chain(), []
    for line in lines:
        rows += chain.parse([cri(line)]).frame.to_dicts()
        state = {key: record for key, record in chain.mark().items() if record is not None}
        chain = Chain()
        chain.restore(json.loads(json.dumps(state)))
    assert [(row["_line"], row["_error"], row["_in_lines"]) for row in rows] == [("a\nb\nc", "RawNewline", 4)]


def test_a_line_without_a_header_belongs_to_a_part_only_right_behind_it():
    chain = Chain()
    chain.parse([cri("2026-03-05T10:00:00Z stdout P a\n")])
    chain.parse([cri("2026-03-05T10:00:01Z stderr F x\n")])
    frame = chain.parse([cri("b\n2026-03-05T10:00:01Z stdout F c\n")]).frame
    assert frame.select("_line", "_error").rows() == [("b", "CRIParserErr"), ("ac", None)]


def test_two_restarts_of_a_container_are_not_joined():
    chain = Chain()
    frame = chain.parse(
        [cri("2026-03-05T10:00:00Z stdout P a\n", "0.log"), cri("2026-03-05T10:00:01Z stdout F b\n", "1.log")]
    ).frame
    assert frame.select("_line", "_in_lines").rows() == [("b", 1)]


def test_a_thousand_files_in_one_turn():
    blocks = [
        block(f"f{n}", "".join(json.dumps({"msg": f"{n}.{i}", "n": n}) + "\n" for i in range(5))) for n in range(1000)
    ]
    parsed = Chain().parse(blocks)
    assert parsed.lines == 5000
    assert parsed.frame["_line"].to_list() == [f"{n}.{i}" for n in range(1000) for i in range(5)]
    assert parsed.frame["_stream"].n_unique() == 1000


def test_values_are_the_same_whatever_the_turns():
    lines = [json.dumps({"n": n, "v": n / 2 if n % 7 else "text", "msg": f"m{n}"}) + "\n" for n in range(200)]
    whole = Chain().parse([block("f", "".join(lines))]).frame
    chain = Chain()
    cut = pl.concat(
        [chain.parse([block("f", "".join(lines[n : n + 30]))]).frame for n in range(0, 200, 30)], how="diagonal_relaxed"
    )
    assert cut["n"].to_list() == whole["n"].to_list()
    assert cut["_line"].to_list() == whole["_line"].to_list()


TRACE = "2026-03-05T10:00:00Z ERROR it broke\nTraceback (most recent call last):\n  File x\n"
TRACE_NS = 1_772_704_800 * 10**9


def at(second: float, text: str, key: str = "a") -> Block:
    return Block(
        Origin(key, {"filename": key}, Reading(format="timestamped")), 0, text.encode(), TRACE_NS + int(second * 1e9)
    )


def test_lines_of_a_stack_trace_have_the_time_of_its_first_line():
    chain = Chain()
    assert chain.parse([at(60, TRACE)]).frame["_time_ns"].to_list() == [TRACE_NS] * 3
    assert chain.parse([at(64, "ValueError: no\n")]).frame["_time_ns"].to_list() == [TRACE_NS]


def test_a_late_line_without_a_time_is_news_of_its_own():
    chain = Chain()
    chain.parse([at(60, TRACE)])
    assert chain.parse([at(66, "stopped\n")]).frame["_time_ns"].to_list() == [TRACE_NS + 66 * 10**9]
    assert chain.parse([at(67, "gone\n")]).frame["_time_ns"].to_list() == [TRACE_NS + 67 * 10**9]


def test_a_file_without_times_has_no_share_in_the_times_of_others():
    chain = Chain()
    for second in (60, 61, 62):
        times = chain.parse([at(second, "plain words\n", "b"), at(second, TRACE)]).frame["_time_ns"].to_list()
        assert times == [TRACE_NS + second * 10**9, *[TRACE_NS] * 3]


def test_declared_formats_and_several_in_order():
    mine = PatternSettings(name="mine", pattern="took <ms>ms", types={"ms": "int"})
    chain = Chain({"mine": lambda: Pattern(mine)})
    frame = chain.parse([block("k", '{"msg": "hi"}\ntook 5ms\nnothing\n', format="json|mine")]).frame
    assert frame["_format"].to_list() == ["json:msg", "mine", None]
    assert frame["_line"].to_list() == ["hi", "took 5ms", "nothing"]
    assert frame["ms"].to_list() == [None, 5, None]
    assert frame["_error"].to_list() == [None, None, "NoFormatFits"]
