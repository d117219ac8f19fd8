"""Writes seeded logs: `python -m bench.generate json 2000000 out.jsonl --seed 1`.

The kinds: `json` (application logs, about 215 bytes a line), `logfmt` (the same as pairs, about 180), `java` (the same
behind a Log4j header, about 105), `traces` (these with stack traces, about 90), `access` (combined access logs, about
190) and `cri` (Kubernetes container lines around the JSON, about 255). Rows are made in chunks of whole columns; the
same kind, seed and row number always give the same line, so a longer file begins with the shorter one.
"""

from __future__ import annotations

import argparse
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from bench.dice import ROW, Dice, zipf
from bench.shapes import AGENTS, EVENTS, HOSTS, PAGES, REFERRERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_MS: Final = 1_767_225_600_000
"""2026-01-01T00:00:00Z, the time of row 0."""

STEP_MS: Final = 2
"""Milliseconds from one row to the next, on average: 500 lines a second."""

CHUNK_ROWS: Final = 200_000


def _time_ms(dice: Dice) -> pl.Expr:
    """Return times that rise, but for neighbours that overtake each other as lines of several threads do."""
    return (pl.col(ROW) * STEP_MS + dice.below("time", 2 * STEP_MS)).cast(pl.Int64) + START_MS


def _stamp(time_ms: pl.Expr, layout: str) -> pl.Expr:
    return pl.from_epoch(time_ms, time_unit="ms").dt.strftime(layout)


@lru_cache(maxsize=1)
def _events() -> pl.DataFrame:
    """Return the events with their messages cut at the numbers."""
    parts = [(*event.message.split("{}"), None)[:3] for event in EVENTS]
    return pl.DataFrame(
        {
            "service": [event.service for event in EVENTS],
            "level": [event.level for event in EVENTS],
            "status": [f'"status":{event.status},' if event.path else None for event in EVENTS],
            "http": [
                f',"http":{{"method":"{event.method}","path":"{event.path}"}}' if event.path else None
                for event in EVENTS
            ],
            "head": [part[0] for part in parts],
            "middle": [part[1] for part in parts],
            "tail": [part[2] for part in parts],
            "numbers": pl.Series([event.numbers for event in EVENTS], dtype=pl.UInt64),
            "base_ms": [event.base_ms for event in EVENTS],
        }
    )


def _json(rows: pl.DataFrame, dice: Dice) -> pl.Series:
    """Return JSON lines; every third has a trace id, those of a request its status, method and path."""
    frame = _drawn(rows, dice)
    duration = (-dice.unit("duration").log() * pl.col("base_ms") + 0.05).round(2)
    user = (dice.unit("user") ** 2 * 100_000).ceil().cast(pl.Int64)  # the first users come most
    trace = pl.concat_str(pl.lit(',"trace_id":"'), dice.hexadecimal("trace", 32), pl.lit('"'))
    traced = dice.below("traced", 3) == 0
    text = pl.concat_str(
        pl.lit('{"ts":"'), _stamp(_time_ms(dice), "%Y-%m-%dT%H:%M:%S%.3fZ"),
        pl.lit('","level":"'), pl.col("level"),
        pl.lit('","service":"'), pl.col("service"),
        pl.lit('","host":"'), dice.pick("host", HOSTS),
        pl.lit('","message":"'), _message(dice),
        pl.lit('",'), pl.col("status"),
        pl.lit('"duration_ms":'), duration.cast(pl.String),
        pl.lit(',"user_id":'), user.cast(pl.String),
        pl.when(traced).then(trace), pl.col("http"), pl.lit("}"),
        ignore_nulls=True,
    )  # fmt: skip
    return frame.select(line=text)["line"]


def _message(dice: Dice) -> pl.Expr:
    """Return what the events say, with numbers; the same draw for every kind of line."""
    first, second = (dice.below(lane, pl.col("numbers")).cast(pl.String) for lane in ("first", "second"))
    return pl.concat_str(
        pl.col("head"), first, pl.col("middle"), pl.when(pl.col("tail").is_not_null()).then(second), pl.col("tail"),
        ignore_nulls=True,
    )  # fmt: skip


def _drawn(rows: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Return the rows with an event each."""
    frame = rows.with_columns(event=dice.index("event", [event.weight for event in EVENTS]))
    return pl.concat([frame, _events()[frame["event"]]], how="horizontal")


def _logfmt(rows: pl.DataFrame, dice: Dice) -> pl.Series:
    """Return the events as pairs; every third has a trace id."""
    frame = _drawn(rows, dice)
    trace = pl.concat_str(pl.lit(" trace_id="), dice.hexadecimal("trace", 32))
    text = pl.concat_str(
        pl.lit("ts="), _stamp(_time_ms(dice), "%Y-%m-%dT%H:%M:%S%.3fZ"),
        pl.lit(" level="), pl.col("level"),
        pl.lit(" service="), pl.col("service"),
        pl.lit(" host="), dice.pick("host", HOSTS),
        pl.lit(' msg="'), _message(dice), pl.lit('"'),
        pl.lit(" duration_ms="), (-dice.unit("duration").log() * pl.col("base_ms") + 0.05).round(2).cast(pl.String),
        pl.lit(" user_id="), (dice.unit("user") ** 2 * 100_000).ceil().cast(pl.Int64).cast(pl.String),
        pl.when(dice.below("traced", 3) == 0).then(trace),
        ignore_nulls=True,
    )  # fmt: skip
    return frame.select(line=text)["line"]


def _java(rows: pl.DataFrame, dice: Dice) -> pl.Series:
    """Return the events behind a Log4j header: time, level, thread, logger."""
    frame = _drawn(rows, dice)
    text = pl.concat_str(
        _stamp(_time_ms(dice), "%Y-%m-%d %H:%M:%S,%3f "), pl.col("level").str.to_uppercase(),
        pl.lit(" [worker-"), dice.below("thread", 40).cast(pl.String),
        pl.lit("] com.example.shop."), pl.col("service"), pl.lit(".Service: "), _message(dice),
    )  # fmt: skip
    return frame.select(line=text)["line"]


def _traces(rows: pl.DataFrame, dice: Dice) -> pl.Series:
    """Return the same events, every 50th with a stack trace of 31 lines behind it."""
    frames = (
        pl.concat_str(
            pl.lit("\n\tat com.example.shop.Service.step"), dice.below(f"frame {place}", 100).cast(pl.String),
            pl.lit("(Service.java:"), dice.below(f"line {place}", 1000).cast(pl.String), pl.lit(") ~[shop.jar:1.2]"),
        )
        for place in range(30)
    )  # fmt: skip
    trace = pl.concat_str(pl.lit("\njava.lang.IllegalStateException: no price"), *frames)
    frame = rows.with_columns(line=_java(rows, dice))
    traced = pl.when(dice.below("traced", 50) == 0).then(trace)
    return frame.select(line=pl.concat_str(pl.col("line"), traced, ignore_nulls=True))["line"]


def _access(rows: pl.DataFrame, dice: Dice) -> pl.Series:
    """Return lines of the combined log format."""
    octets = [dice.below(f"octet {place}", bound).cast(pl.String) for place, bound in enumerate((64, 256))]
    user = pl.when(dice.below("known", 20) == 0).then(pl.lit("user") + dice.below("user", 500).cast(pl.String))
    status = dice.pick("status", [200, 304, 301, 404, 403, 500, 502], [80, 8, 4, 5, 1, 1, 0.5])
    size = (-dice.unit("size").log() * 12_000).cast(pl.Int64) + 180
    text = pl.concat_str(
        pl.lit("198.51."), octets[0], pl.lit("."), octets[1], pl.lit(" - "), user.fill_null("-"),
        _stamp(_time_ms(dice), " [%d/%b/%Y:%H:%M:%S +0000] "),
        pl.lit('"'), dice.pick("method", ["GET", "POST", "HEAD"], [90, 8, 2]),
        pl.lit(" "), dice.pick("page", PAGES, zipf(len(PAGES))), pl.lit(' HTTP/1.1" '),
        status.cast(pl.String), pl.lit(" "), size.cast(pl.String),
        pl.lit(' "'), dice.pick("referrer", REFERRERS, [5, 3, 2, 1]),
        pl.lit('" "'), dice.pick("agent", AGENTS, zipf(len(AGENTS))), pl.lit('"'),
    )  # fmt: skip
    return rows.select(line=text)["line"]


def _cri(rows: pl.DataFrame, dice: Dice) -> pl.Series:
    """Return the JSON lines as a container runtime writes them down, a little later."""
    frame = rows.with_columns(line=_json(rows, dice))
    delay_ns = dice.below("delay", 900_000).cast(pl.Int64) + 50_000
    stamp = pl.from_epoch(_time_ms(dice) * 1_000_000 + delay_ns, time_unit="ns").dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ")
    stream = dice.pick("stream", ["stdout", "stderr"], [9, 1])
    return frame.select(line=pl.concat_str(stamp, pl.lit(" "), stream, pl.lit(" F "), pl.col("line")))["line"]


KINDS: Final[dict[str, Callable[[pl.DataFrame, Dice], pl.Series]]] = {
    "json": _json,
    "logfmt": _logfmt,
    "java": _java,
    "traces": _traces,
    "access": _access,
    "cri": _cri,
}
"""Name of each generator; takes a frame with `ROW`, returns one line a row."""


def chunks(kind: str, lines: int, seed: int = 1, first: int = 0) -> Iterator[bytes]:
    """Yield the lines from row `first` on as bytes that end in a newline, `CHUNK_ROWS` at a time."""
    dice = Dice(seed)
    for start in range(first, first + lines, CHUNK_ROWS):
        end = min(start + CHUNK_ROWS, first + lines)
        rows = pl.DataFrame({ROW: pl.int_range(start, end, dtype=pl.UInt64, eager=True)})
        yield KINDS[kind](rows, dice).str.join("\n").item().encode() + b"\n"


def write(kind: str, lines: int, path: Path, seed: int = 1) -> int:
    """Write a file of that many lines and return its size in bytes."""
    with path.open("wb") as file:
        for chunk in chunks(kind, lines, seed):
            file.write(chunk)
        return file.tell()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.generate", description=__doc__)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("lines", type=int)
    parser.add_argument("path", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(argv)
    size = write(given.kind, given.lines, given.path, given.seed)
    print(f"{given.path}: {given.lines:,} lines, {size:,} bytes, {size / max(given.lines, 1):.1f} bytes a line")


if __name__ == "__main__":
    main()
