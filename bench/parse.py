"""Parse: turns of bytes to frames of fields, one format after the other, in one thread and its Polars threads.

The ratio is to the bare reader of the same turns: `pl.read_ndjson` with the schema given for JSON, the parser's own
pattern with `str.extract_groups` for combined access logs. The speed is that of the fastest turn, for other work on the
machine only ever adds to it. A bound is for two cores that parse two turns at once, as the agent does: it is held
against twice the lines of a CPU second, which other work does not change as much.
"""

from __future__ import annotations

import statistics
import time
from io import BytesIO
from typing import TYPE_CHECKING, Final

import polars as pl

from bench.generate import KINDS
from bench.inputs import generated
from bench.measure import MB, MIB, Plan, Row, Timer, turns
from tailrace import limits
from tailrace.contracts import Block, Multiline, Origin, Reading
from tailrace.parse.access import USUAL
from tailrace.parse.chain import Chain
from tailrace.parse.pattern import Pattern
from tailrace.patterns.settings import PatternSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tailrace.parse.turn import Parsed


LINES_S: Final = {"json": 1_000_000, "logfmt": 500_000}
"""Lines a second that a format is read with on two cores, at least."""

MB_S: Final = {"access": 200, "traces": 240}
"""The same in megabytes."""

PLAINLY: Final = Reading()
READINGS: Final = {"traces": Reading("plain", multiline=(Multiline(presets=("java",)),))}
"""Kinds that are not read so: stack traces are put together, and then nothing more is made of them."""


DECLARED: Final = PatternSettings(
    name="declared",
    regex=r'^(?P<host>\S+) (?P<ident>\S+) (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<method>[A-Z]+) (?P<path>\S+) '
    r'(?P<proto>[^"]+)" (?P<status>\d+) (?P<bytes>\d+|-) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)"',
    types={"status": "int", "bytes": "int"},
    time="time",
)
"""The eleven groups of a combined access log, as a user would declare them."""


def blocks(path: Path, reading: Reading = PLAINLY) -> Iterator[list[Block]]:
    """Yield the turns that reading a file gives: blocks of `READ_BLOCK_BYTES`, `READ_TURN_BYTES` in all."""
    labels = {"filename": str(path), "host": "bench", "service_name": path.stem, "source": "bench"}
    origin, offset = Origin(str(path), labels, reading), 0
    turn: list[Block] = []
    size = 0
    for data in turns(path, limits.READ_BLOCK_BYTES):
        turn.append(Block(origin, offset, data, time.time_ns()))
        offset += len(data)
        size += len(data)
        if size >= limits.READ_TURN_BYTES:
            yield turn
            turn, size = [], 0
    if turn:
        yield turn


def parsed(path: Path) -> Iterator[Parsed]:
    """Yield the parsed turns of a file."""
    chain = Chain()
    for turn in blocks(path):
        yield chain.parse(turn)


def measure(plan: Plan) -> list[Row]:
    declared = Reading(DECLARED.name)
    return [*(_measured(kind, plan) for kind in KINDS), _measured("access", plan, declared)]


def _measured(kind: str, plan: Plan, reading: Reading | None = None) -> Row:
    """Parse a generated file turn by turn; each turn is read by the bare reader as well, just after."""
    path = generated(kind, plan.parse_bytes // 200, plan.seed)
    chain = Chain({DECLARED.name: lambda: Pattern(DECLARED)})
    speeds, ratios, lines, size, cpu_s, wrong = [], [], 0, 0, 0.0, 0
    for number, turn in enumerate(blocks(path, reading or READINGS.get(kind, PLAINLY))):
        with Timer() as timer:
            done = chain.parse(turn)
        if not number:  # the first turn detects the format and warms up
            continue
        speeds.append(timer.seconds / done.lines)
        bare = _bare(kind, b"".join(block.data for block in turn))
        if bare is not None:
            ratios.append(timer.seconds / bare)
        lines, size, cpu_s = lines + done.lines, size + done.bytes, cpu_s + timer.cpu_s
        wrong += done.frame["_error"].len() - done.frame["_error"].null_count() if "_error" in done.frame else 0
    seconds = min(speeds) * lines
    return Row(
        "parse",
        f"{kind}{' by a declared pattern' if reading else ''}, turns of {limits.READ_TURN_BYTES // MIB} MiB",
        seconds,
        lines=lines,
        bytes=size,
        cpu_s=cpu_s,
        ratio=statistics.median(ratios) if ratios else None,
        verdict=f"{wrong} LINES DID NOT FIT" if wrong else _verdict(kind, 2 * lines / cpu_s, 2 * size / cpu_s / MB),
        note=f"{2 * lines / cpu_s:,.0f} lines/s, {2 * size / cpu_s / MB:,.0f} MB/s on two cores",
    )


def _bare(kind: str, data: bytes) -> float | None:
    """Return the seconds that reading the same bytes takes with nothing around it, or None if nothing is comparable."""
    if kind == "json":
        schema = pl.read_ndjson(data, infer_schema_length=2_000).schema
        with Timer() as timer:
            pl.read_ndjson(data, schema=schema)
        return timer.seconds
    if kind == "access":
        with Timer() as timer:
            pl.read_lines(BytesIO(data), name="line").select(pl.col("line").str.extract_groups(USUAL))
        return timer.seconds
    return None


def _verdict(kind: str, lines_s: float, mb_s: float) -> str:
    if kind not in LINES_S and kind not in MB_S:
        return ""
    good = lines_s >= LINES_S.get(kind, 0) and mb_s >= MB_S.get(kind, 0)
    return "ok" if good else "TOO SLOW"
