"""Parse: turns of bytes to frames of fields, one format after the other, in one thread and its Polars threads."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from bench.generate import KINDS
from bench.inputs import generated
from bench.measure import MIB, Plan, Row, Timer, turns
from tailrace import limits
from tailrace.contracts import Block, Origin, Reading
from tailrace.parse.chain import Chain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tailrace.parse.chain import Parsed


def blocks(path: Path) -> Iterator[list[Block]]:
    """Yield the turns that reading a file gives: blocks of `READ_BLOCK_BYTES`, `READ_TURN_BYTES` in all."""
    labels = {"filename": str(path), "host": "bench", "service_name": path.stem, "source": "bench"}
    origin, offset = Origin(str(path), labels, Reading()), 0
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
    rows = []
    for kind in KINDS:
        path = generated(kind, plan.parse_bytes // 200, plan.seed)
        chain, speeds, lines, size, cpu_s, wrong = Chain(), [], 0, 0, 0.0, 0
        for number, turn in enumerate(blocks(path)):
            with Timer() as timer:
                done = chain.parse(turn)
            if number:  # the first turn detects the format and warms up
                speeds.append(timer.seconds / done.lines)
                lines, size, cpu_s = lines + done.lines, size + done.bytes, cpu_s + timer.cpu_s
                wrong += done.frame["_error"].len() - done.frame["_error"].null_count() if "_error" in done.frame else 0
        rows.append(
            Row(
                "parse",
                f"{kind}, turns of {limits.READ_TURN_BYTES // MIB} MiB",
                statistics.median(speeds) * lines,
                lines=lines,
                bytes=size,
                cpu_s=cpu_s,
                verdict="" if not wrong else f"{wrong} LINES DID NOT FIT",
            )
        )
    return rows
