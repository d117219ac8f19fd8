r"""Chunks of Fluent Forward become rows: records are written as JSON, and read as every other JSON line is.

Comes in: chunks, from whom and when they came. Goes out: a frame with `_time_ns`, `_observed_ns`, `_stream`, `_line`,
the fields of the records, and `tag` and `peer`. So records have the types, names, levels and messages that the parser
`json` gives them; a second way to read nested maps would be a second set of rules. Bytes that are no UTF-8 are shown as
`\xff`. An entry that is no time and record, that is nested too deeply or too long, stays a text with `_error`.

One entry at a time is an object: the memory of a chunk of tiny maps is that of its text. Cost: about 6 µs per record.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgpack
import polars as pl

from tailrace import limits
from tailrace.clock import NS_PER_S
from tailrace.contracts import Reading
from tailrace.intake.labels import Streams
from tailrace.intake.times import in_time
from tailrace.parse.json_lines import JsonLines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tailrace.intake.forward.frames import Chunk
    from tailrace.intake.forward.settings import ForwardSettings

RECORD_BYTES: Final = limits.LINE_BYTES
"""A longer record is not unpacked: its first bytes are kept as text."""

CUT: Final = "ForwardRecordTooLong"
ODD: Final = "ForwardEntryErr"

_RANGE_S: Final = 2**63 // NS_PER_S - 86_400
_EVENT_TIME: Final = 0  # code of the extension type
_EVENT_TIME_BYTES: Final = 8
_PAIR: Final = 2


class EventTime(int):
    """Nanoseconds since 1970, as its extension type says them; a plain number is of seconds."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Arrived:
    """A chunk, and whose it is."""

    chunk: Chunk
    peer: str
    host: str  # what the peer calls itself, else its address
    observed_ns: int
    peer_name: str | None = None


class Rows:
    """Makes rows of what a receiver received; remembers its streams and shapes. One thread calls."""

    def __init__(self, settings: ForwardSettings) -> None:
        self._streams = Streams({"source": settings.name, **settings.labels})
        self._parser = JsonLines()
        self._reading = Reading("json", "auto", "UTC")
        self._last_ns = 0

    def __call__(self, turn: Sequence[Arrived]) -> pl.DataFrame:
        """Return the rows of a turn, in the order in which they came."""
        frame = self._parser.parse(self._lines(turn), self._reading)
        error = ["_odd", "_error"] if "_error" in frame.columns else ["_odd"]
        frame = frame.with_columns(_error=pl.coalesce(error)).drop("_odd")
        frame = _named(frame, ("tag", "peer", "peer_name"))
        streams = self._streams.of(frame["_host"], frame["tag"]).alias("_stream")
        return in_time(frame.with_columns(streams).drop("_host"))

    def _lines(self, turn: Sequence[Arrived]) -> pl.DataFrame:
        texts: list[str] = []
        times: list[int | None] = []
        odd: dict[int, str] = {}
        counts: list[int] = []
        for one in turn:
            first = len(texts)
            for time_ns, text, error in entries(one.chunk):
                if error:
                    odd[len(texts)] = error
                times.append(time_ns)
                texts.append(text)
            counts.append(len(texts) - first)
        of_chunk = pl.DataFrame(
            {
                "_outer_tag": [one.chunk.tag for one in turn],
                "_outer_peer": [one.peer for one in turn],
                "_outer_peer_name": pl.Series([one.peer_name for one in turn], dtype=pl.String),
                "_host": [one.host for one in turn],
                "_observed_ns": pl.Series([one.observed_ns for one in turn], dtype=pl.Int64),
            }
        )
        rows = of_chunk.select(
            pl.all().repeat_by(pl.lit(pl.Series(counts, dtype=pl.UInt32))).explode(empty_as_null=False)
        )
        arrived = pl.select(
            pl.max_horizontal(pl.lit(rows["_observed_ns"]), pl.lit(self._last_ns + 1)).cum_max()
            + pl.int_range(len(texts))
        ).to_series()
        self._last_ns = int(arrived[-1]) if len(arrived) else self._last_ns
        flaw = pl.Series("_odd", [None], dtype=pl.String).new_from_index(0, len(texts))
        return rows.with_columns(
            arrived.alias("_observed_ns"),
            pl.Series("_line", texts, dtype=pl.String),
            pl.Series("_time_ns", times, dtype=pl.Int64),
            flaw.scatter(list(odd), list(odd.values())) if odd else flaw,
        )


def entries(chunk: Chunk) -> Iterator[tuple[int | None, str, str]]:
    """Yield time, JSON text of the record, and what is wrong with it, mostly nothing, for each entry."""
    data = chunk.data[chunk.start : chunk.end]
    walker, builder = _unpacker(len(data)), _unpacker(len(data))
    walker.feed(data)
    builder.feed(data)
    single = chunk.kind == "message"
    at = 0
    while at < len(data):
        try:
            for _ in range(2 if single else 1):
                walker.skip()
            end = walker.tell()
            if end - at > RECORD_BYTES:
                builder.skip()
                if single:
                    builder.skip()
                yield None, data[at : at + RECORD_BYTES].decode("utf-8", "backslashreplace"), CUT
            else:
                entry = [builder.unpack(), builder.unpack()] if single else builder.unpack()
                yield _entry(entry)
        except (ValueError, msgpack.UnpackException, TypeError, RecursionError):
            # what cannot be unpacked once leaves nothing to go on from: the rest of the chunk is one text
            yield None, data[at : at + RECORD_BYTES].decode("utf-8", "backslashreplace"), ODD
            return
        at = end


def _entry(entry: Any) -> tuple[int | None, str, str]:  # Any: what came
    if not isinstance(entry, list) or len(entry) < _PAIR:
        return None, _json(entry), ODD
    time, record = entry[0], entry[1]
    if isinstance(time, list) and time:  # with metadata, as newer Fluent Bits send it
        time = time[0]
    if not isinstance(record, dict):
        return _time_ns(time), _json(record), ODD
    return _time_ns(time), _json(record), ""


def _time_ns(time: Any) -> int | None:  # Any: as above
    if isinstance(time, EventTime):
        return int(time)
    if isinstance(time, bool) or not isinstance(time, int | float) or not -_RANGE_S < time < _RANGE_S:
        return None
    return time * NS_PER_S if isinstance(time, int) else round(time * NS_PER_S)


def _json(value: Any) -> str:  # Any: as above
    try:
        return json.dumps(value, ensure_ascii=False, default=_other, separators=(",", ":"))
    except TypeError:  # keys that JSON has not
        return json.dumps(_with_text_keys(value), ensure_ascii=False, default=_other, separators=(",", ":"))


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(_other(key)): _with_text_keys(one) for key, one in value.items()}
    return [_with_text_keys(one) for one in value] if isinstance(value, list) else value


def _other(value: Any) -> Any:
    """Return what JSON has in the place of bytes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def _ext(code: int, data: bytes) -> Any:
    if code == _EVENT_TIME and len(data) == _EVENT_TIME_BYTES:
        return EventTime(int.from_bytes(data[:4], "big") * NS_PER_S + int.from_bytes(data[4:], "big"))
    return data.hex()


def _named(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Give the columns of the protocol their names; a field that is named so becomes `tag_extracted`."""
    for name in names:
        if frame[f"_outer_{name}"].null_count() == frame.height and frame.height:
            frame = frame.drop(f"_outer_{name}")
            continue
        taken = {name: f"{name}_extracted"} if name in frame.columns else {}
        frame = frame.rename(taken).rename({f"_outer_{name}": name})
    return frame


def _unpacker(size: int) -> msgpack.Unpacker:
    return msgpack.Unpacker(
        max_buffer_size=max(size, 1),
        raw=False,
        unicode_errors="backslashreplace",
        strict_map_key=False,
        ext_hook=_ext,
    )
