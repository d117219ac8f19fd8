"""Records of several lines: the same however the input is cut into turns, per stream, nothing lost, nothing mixed."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.contracts import Block, Multiline, Origin, Reading
from tailrace.parse.chain import Chain

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = 1_772_704_800 * 10**9
TIME = "2026-03-05T10:00:00Z"
PRESETS = ("java", "python", "go", "node", "rust", "dotnet", "ruby", "php", "indented", "auto")
LINES = st.sampled_from(
    [
        "words",
        "",
        " set in",
        "goes on \\",
        " set in and goes on \\",
        "\tat a.B.c(B.java:1)",
        "Caused by: x.Y: z",
        "Traceback (most recent call last):",
        "ValueError: x",
        "During handling of the above exception, another exception occurred:",
        "  + Exception Group Traceback (most recent call last):",
        "panic: no",
        "goroutine 1 [running]:",
        "main.main()",
        "exit status 2",
        "TypeError: x",
        "  [cause]: Error: y",
        "}",
        "thread 'main' panicked at src/main.rs:2:5:",
        "thread 'main' panicked at 'no', src/main.rs:2:5",
        "note: run with more",
        " ---> x.Y",
        "\tfrom app.rb:6:in `run'",
        "#0 /app/b.php(6): price()",
    ]
)
RULES = st.one_of(
    st.builds(
        lambda names, lines: Multiline(presets=tuple(names), max_lines=lines),
        st.lists(st.sampled_from(PRESETS), min_size=1, max_size=2, unique=True),
        st.sampled_from([2, 3, 1000]),
    ),
    st.builds(lambda negate: Multiline(start="^[A-Z]", negate=negate), st.booleans()),
    st.builds(lambda negate: Multiline(end=r"[:\\]$", negate=negate, max_lines=4), st.booleans()),
)
WRITES = st.lists(st.tuples(st.sampled_from(["a", "b", "c out", "c err"]), LINES), max_size=25)


def blocks(rule: Multiline, writes: Sequence[tuple[str, str]], offsets: dict[str, int]) -> list[Block]:
    found: list[Block] = []
    for stream, line in writes:
        name, _, output = stream.partition(" ")
        data = f"{TIME} std{output} F {line}\n" if output else f"{line}\n"
        reading = Reading("cri" if output else "plain", "keep", "UTC", (rule,))
        origin = Origin(name, {"filename": name}, reading)
        found.append(Block(origin, offsets.get(name, 0), data.encode(), NOW))
        offsets[name] = offsets.get(name, 0) + len(data)
    return found


def run(rule: Multiline, turns: Sequence[Sequence[tuple[str, str]]], *, restarts: bool) -> dict[str, list[Any]]:
    chain, offsets, frames, state = Chain(), {}, [], {}
    offsets: dict[str, int]
    state: dict[str, object]
    read = 0
    for turn in turns:
        parsed = chain.parse(blocks(rule, turn, offsets))
        frames.append(parsed.frame)
        read += parsed.bytes
        if restarts:
            state |= json.loads(json.dumps(dict(chain.mark())))
            state = {key: value for key, value in state.items() if value is not None}
            chain = Chain()
            chain.restore(state)
        told = sum(frame["_in_bytes"].sum() for frame in frames)
        assert told + chain.pending()[1] == read
    frames.append(chain.flush(NOW, final=True).frame)
    streams: dict[str, list[Any]] = {}
    for row in (row for frame in frames for row in frame.to_dicts()):
        key = f"{row['_stream']} {row.get('stream')}"
        part = (row.get("_part"), row.get("_part_last"))
        streams.setdefault(key, []).append((row["_line"], row["_offset"], row["_in_lines"], *part))
    return streams


@settings(max_examples=150)
@given(RULES, WRITES, st.lists(st.integers(0, 25), max_size=8), st.booleans())
def test_turns_and_restarts_change_nothing(
    rule: Multiline, writes: list[tuple[str, str]], cuts: list[int], restarts: bool
) -> None:
    borders = [0, *sorted(cut for cut in cuts if cut < len(writes)), len(writes)]
    turns = [writes[start:end] for start, end in pairwise(borders)]
    whole = run(rule, [writes], restarts=False)
    assert run(rule, turns, restarts=restarts) == whole
    for name, label in (("a", "None"), ("b", "None"), ("c out", "stdout"), ("c err", "stderr")):
        found = whole.get(f'{{filename="{name[0]}"}} {label}', [])
        assert [line for text, *_ in found for line in text.split("\n")] == [
            line for each, line in writes if each == name
        ]


@given(WRITES)
def test_the_java_preset_against_the_rule_in_words(writes: list[tuple[str, str]]) -> None:
    found = run(Multiline(presets=("java",)), [writes], restarts=False)
    for name, label in (("a", "None"), ("c err", "stderr")):
        records: list[str] = []
        for line in (line for each, line in writes if each == name):
            if records and re.match(r"\s+at |\s*\.\.\. \d+ more|\s*Caused by:|\s*Suppressed:", line):
                records[-1] += "\n" + line
            else:
                records.append(line)
        assert [text for text, *_ in found.get(f'{{filename="{name[0]}"}} {label}', [])] == records
