"""An aggregation spec at work: the example of its document, worked out by hand, and other functions."""

import functools
import itertools
import json
from pathlib import Path

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from reduce.traceleft.events import Kept, S, opens
from tailrace.reduce.traceleft.document import Document
from tailrace.reduce.traceleft.reduction import TraceReduction

EXAMPLE = json.loads((Path(__file__).parents[2] / "data" / "traceleft" / "aggregator-spec.json").read_text())


# FNV-1a over program, process and result, the name in 64 bytes, then the arguments.
PARTS = [*(n.to_bytes(8, "little") for n in (0, 7, 3)), b"open".ljust(64, b"\0"), b"/tmp/a.txt\0"]
PARTS += [n.to_bytes(8, "little") for n in (577, 420)]
HASH = functools.reduce(lambda value, byte: (value ^ byte) * 0x100000001B3 % 2**64, b"".join(PARTS), 0xCBF29CE484222325)


def spec(**event):
    base = {"name": "open", "channel": "1", "rule": "arg1 == '/a'"}
    channels = [{"id": "1", "type": "file", "path": "x"}, {"id": "2", "type": "file", "path": "y"}]
    return Document(channels=channels, events=[base | event])


def run(document, frames, *, end_ns=10**12):
    one, two = Kept("1"), Kept("2")
    reduction = TraceReduction(document, {"1": one, "2": two})
    rest = [reduction.reduce(frame, int(frame["_observed_ns"].max())) for frame in frames]
    reduction.flush(end_ns, final=True)
    reduction.edition()()
    return rest, one.rows, two.rows


def told(rows):
    return [(row["_time_ns"], row["_count"], row["_passed"]) for row in rows]


def test_the_example_gives_an_alert_per_second_with_the_true_count():
    # 250 opens of the file in the first second, 60 in the second: the 100th, 200th and 300th pass.
    paths = ["/tmp/a.txt", "/etc/passwd"] * 250
    first = opens(paths, step_ns=S // 500)
    second = opens(["/tmp/a.txt"] * 60, start_ns=S, step_ns=S // 100)
    rest, rows, _ = run(Document(**EXAMPLE), [first, second])
    assert told(rows) == [(398 * S // 500, 250, 2), (S + 49 * S // 100, 60, 1)]
    assert rows[0]["_line"] == (
        f"{{Timestamp:796000000 ProgramID:0 Pid:7 Ret:3 Name:open Hash:{HASH} Flags:0}} "
        'Filename "/tmp/a.txt" Flags 577 Mode 420 '
    )
    assert rows[0]["_stream"] == ('{event="open", group="system_metrics", source="file_events", stream="filesystem"}')
    assert [(len(one.frame), one.dropped) for one in rest] == [
        (0, [("aggregation_spec", 500, 5000)]),
        (0, [("aggregation_spec", 60, 600)]),
    ]


def test_seconds_in_which_nothing_passed_are_silent():
    frame = opens(["/a"] * 6, step_ns=S // 2)  # two in each of three seconds
    _, rows, _ = run(spec(function={"id": "sigma", "parameters": "frequency=4"}), [frame])
    assert told(rows) == [(3 * S // 2, 2, 1)]


def test_several_filters_see_one_event():
    document = Document(
        channels=[{"id": "1", "type": "file", "path": "x"}, {"id": "2", "type": "file", "path": "y"}],
        events=[
            {"name": "open", "channel": "1", "rule": "arg1 like '/a%'"},
            {"name": "open", "channel": "2", "rule": "pid = 7 and arg2 = O_WRONLY"},
            {"name": "open", "channel": "2", "rule": ""},
        ],
    )
    frame = opens(["/a", "/ab", "/b"])
    _, one, two = run(document, [frame])
    assert [row["_count"] for row in one] == [2]
    assert [row["_count"] for row in two] == [3]  # flags 577 are not O_WRONLY alone


def test_other_rows_go_on():
    frame = pl.concat(
        [opens(["/a"]), opens(["/b"]).with_columns(name=pl.lit("close")), opens(["/c"]).drop("name")], how="diagonal"
    )
    rest, _, _ = run(spec(), [frame])
    assert rest[0].frame["_line"].to_list() == ["/b", "/c"]


def test_frames_without_events_are_left_alone():
    frame = opens(["/a"]).drop("name")
    rest, rows, _ = run(spec(), [frame])
    assert rest[0].frame is frame
    assert rest[0].dropped == ()
    assert rows == []


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ({"metrics": "rate", "parameters": "window=10"}, "0.5"),
        ({"metrics": "sum", "parameters": "field=mode;window=10"}, "2100.0"),
        ({"metrics": "distinct", "parameters": "field=filename;window=10"}, "3"),
        ({"metrics": "topk", "parameters": "field=arg1;k=2;window=10"}, '{"/c": 2, "/d": 2}'),
        ({"metrics": "quantile", "parameters": "field=mode;q=0.9;window=10"}, "420.0"),
    ],
)
def test_further_output_functions(output, value):
    frame = opens(["/c", "/c", "/d", "/d", "/e"])
    _, rows, _ = run(spec(rule="", output=output), [frame])
    assert [(row["_value"], row["_count"]) for row in rows] == [(value, 5)]


def test_a_window_ends_by_the_time_when_nothing_follows():
    one = Kept()
    reduction = TraceReduction(spec(), {"1": one})
    reduction.reduce(opens(["/a"], start_ns=5 * S), 5 * S)
    reduction.flush(6 * S - 1, final=False)
    reduction.edition()()
    assert one.rows == []
    reduction.flush(6 * S, final=False)
    reduction.edition()()
    assert [row["_count"] for row in one.rows] == [1]


def test_alerts_go_out_only_with_their_edition():
    one = Kept()
    reduction = TraceReduction(spec(), {"1": one})
    reduction.reduce(opens(["/a"]), 0)
    reduction.flush(0, final=True)
    publish = reduction.edition()
    assert one.rows == []
    publish()
    assert len(one.rows) == 1
    reduction.edition()()
    assert len(one.rows) == 1


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(["/a", "/b"]), st.integers(0, S)), max_size=25),
    st.lists(st.integers(0, 25), max_size=4),
    st.integers(1, 4),
)
def test_any_split_and_any_restart_tell_the_same(steps, cuts, frequency):
    time_ns, frames = 0, []
    for path, step_ns in steps:
        time_ns += step_ns
        frames.append(opens([path], start_ns=time_ns))
    document = spec(rule="", function={"parameters": f"frequency={frequency}"})
    edges = sorted({0, len(frames), *(cut for cut in cuts if cut <= len(frames))})
    whole, parts, state = Kept(), Kept(), {}
    if frames:
        reduction = TraceReduction(document, {"1": whole})
        reduction.reduce(pl.concat(frames), 0)
        reduction.flush(0, final=True)
        reduction.edition()()
    reduction = None
    for start, end in itertools.pairwise(edges):
        reduction = TraceReduction(document, {"1": parts})
        reduction.restore({key: value for key, value in state.items() if value is not None})
        reduction.reduce(pl.concat(frames[start:end]), 0)
        reduction.edition()()
        state |= json.loads(json.dumps(reduction.mark()))
    if reduction is not None:
        reduction.flush(0, final=True)
        reduction.edition()()
    assert parts.rows == whole.rows
