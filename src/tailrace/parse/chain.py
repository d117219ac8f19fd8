"""From blocks to one frame of records: lines, format, fields, time.

Comes in: the blocks of one turn, maybe a thousand small ones of as many files. Goes out: `Parsed`, one frame with the
columns of the envelope and the fields of all records, rows of each file in its order.

The work per turn is per format, not per file: all lines become one frame, rows of one format and one `Reading` are
parsed together. The format of a file is detected from its first lines and remembered; it is looked for again when
the lines stop fitting. Container lines are taken out of their wrapping and joined first, then their content has
a format of its own; they keep the runtime's time stamp, so a time in the content stays a field.

A row without a time of its own belongs to the row before it, as the lines of a stack trace do, and gets its time, if
that was read just before. Else it gets the time of its reading plus its number in the turn. Either way it keeps
its place.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from tailrace import registry
from tailrace.batch import ENVELOPE, is_field
from tailrace.limits import DETECT_LINES
from tailrace.parse import detect
from tailrace.parse.frame import Lines, lines_of, origins_of
from tailrace.parse.join import Joiner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.contracts import Block, Origin, Parser, Reading

_WRAPPERS: Final = ("cri", "docker")
_CONTENT: Final = "content of "  # key of what is inside a container's lines, in front of the origin's
_OUTER: Final = "_outer_"  # in front of the fields of the wrapping while the content is parsed
_MISSES: Final = 8  # lines in a row (net of fitting ones) that make a format doubtful
_CONTINUED_NS: Final = 5_000_000_000  # a row that is read later than this after the one before is news of its own
_OBSERVED: Final = pl.col("_observed_ns") + pl.col("_row").cast(pl.Int64)
_LAST: Final = {"_origin": pl.UInt32, "last_ns": pl.Int64, "then_ns": pl.Int64}
_REMEMBERED: Final = 65_536  # files whose format is remembered


@dataclass(frozen=True, slots=True)
class Parsed:
    """The records of one turn, and how many lines and bytes they were made from."""

    frame: pl.DataFrame
    lines: int
    bytes: int


@dataclass(frozen=True, slots=True)
class _Group:
    """Files of a turn, by index, that are parsed as one frame."""

    format: str
    reading: Reading
    origins: tuple[int, ...]
    inside: bool  # content of container records

    @property
    def wraps(self) -> bool:
        """Whether the lines hold lines of another format."""
        return self.format in _WRAPPERS and not self.inside


@dataclass(frozen=True, slots=True)
class Prepared:
    """A turn as lines, with the format of each file."""

    origins: Sequence[Origin]
    split: Lines | None
    groups: Sequence[_Group]
    bytes: int

    @property
    def lines(self) -> int:
        """How many lines, and parts of lines, there are."""
        return 0 if self.split is None else len(self.split.frame)

    @property
    def free(self) -> bool:
        """Whether the work may be done in any thread: container records are joined in the order of the turns."""
        return not any(group.wraps for group in self.groups)


@dataclass(slots=True)
class _Memory:
    """What is known of a file's format."""

    format: str
    seen: int = 0
    misses: int = 0


class Wrapper(Protocol):
    """A parser of lines that hold lines of another format: see `cri` and `docker`."""

    def unwrap(self, lines: pl.DataFrame, reading: Reading) -> pl.DataFrame:
        """Return the rows with content, `_time_ns`, `stream`, `_final` (null if malformed) and `_error`."""
        ...


class Chain:
    """Parses turns; remembers formats, shapes and open container records between them."""

    def __init__(self) -> None:
        self._local = threading.local()  # the parsers, by name
        self._wrappers: dict[str, Wrapper] = {}
        self._joiners: dict[str, Joiner] = {}
        self._formats: dict[str, _Memory] = {}
        self._times: dict[
            str, tuple[int, int]
        ] = {}  # of the last row of each file that has times, and when it was read

    def parse(self, blocks: Sequence[Block]) -> Parsed:
        """Return the records of the blocks."""
        turn = self.prepare(blocks)
        return self.finish(turn, self.work(turn))

    # A turn in three steps, so that the heavy one of a turn can run beside the next turn's: `prepare` and `finish` are
    # called in the order of the turns, `work` in any thread if the turn is `free`, else between the two as well.

    def prepare(self, blocks: Sequence[Block]) -> Prepared:
        """Cut blocks into lines and decide on the format of each file."""
        blocks = [block for block in blocks if block.data]
        if not blocks:
            return Prepared([], None, [], 0)
        origins = origins_of(blocks)
        split = lines_of(blocks, origins)
        split = replace(split, frame=split.frame.with_row_index("_row"))
        whole = split.frame if "_part" not in split.frame.columns else split.frame.filter(pl.col("_part").is_null())
        groups = self._groups(whole, origins, prefix="") if len(whole) else []
        return Prepared(origins, split, groups, sum(len(block.data) for block in blocks))

    def work(self, turn: Prepared) -> list[pl.DataFrame]:
        """Parse the lines of a turn: one frame per format and reading."""
        if turn.split is None:
            return []
        lines = turn.split.frame
        if "_part" not in lines.columns:
            return self._by_format(lines, turn.origins, turn.groups, text=turn.split.text)
        whole = lines.filter(pl.col("_part").is_null()).drop("_part", "_part_last")
        pieces = self._by_format(whole, turn.origins, turn.groups) if len(whole) else []
        return [*pieces, lines.filter(pl.col("_part").is_not_null())]

    def finish(self, turn: Prepared, pieces: Sequence[pl.DataFrame]) -> Parsed:
        """Put the pieces of a turn together, in the order of its lines, each with a time."""
        if turn.split is None:
            return Parsed(pl.DataFrame(schema=_ALWAYS), 0, 0)
        frame = _together(pieces)
        missing = [pl.lit(None, dtype).alias(name) for name, dtype in _ALWAYS.items() if name not in frame.columns]
        frame = self._with_times(frame.with_columns(missing), turn.origins)
        return Parsed(frame.drop("_row", "_origin"), turn.lines, turn.bytes)

    def _with_times(self, frame: pl.DataFrame, origins: Sequence[Origin]) -> pl.DataFrame:
        """Give every row a time, and remember the last one of each file for the rows of the next turn."""
        lacking = frame["_time_ns"].null_count()
        if lacking == len(frame) and not self._times:
            return frame.with_columns(_time_ns=_OBSERVED)
        timed = frame if not lacking else frame.filter(pl.col("_time_ns").is_not_null())
        last = timed.group_by("_origin").agg(pl.col("_time_ns", "_observed_ns").last())
        if lacking:
            known = [(index, *self._times.get(origin.key, (None, 0))) for index, origin in enumerate(origins)]
            first = pl.DataFrame(known, schema=_LAST, orient="row")
            frame = frame.join(first, on="_origin", how="left", maintain_order="left")
            recent = pl.col("_observed_ns") - pl.col("then_ns") < _CONTINUED_NS
            before = pl.col("_time_ns").forward_fill().over("_origin")
            times = pl.coalesce("_time_ns", before, pl.when(recent).then("last_ns"), _OBSERVED)
            frame = frame.with_columns(_time_ns=times).drop("last_ns", "then_ns")
        for index, time_ns, observed_ns in last.iter_rows():
            self._times[origins[index].key] = (time_ns, observed_ns)
        while len(self._times) > _REMEMBERED:
            del self._times[next(iter(self._times))]
        return frame

    def _groups(self, lines: pl.DataFrame, origins: Sequence[Origin], *, prefix: str) -> list[_Group]:
        """Return which files are read by which format, in which way."""
        groups: dict[tuple[str, Reading], list[int]] = {}
        for index, form in self._formats_of(lines, origins, prefix).items():
            groups.setdefault((form, origins[index].reading), []).append(index)
        return [_Group(form, reading, tuple(indexes), bool(prefix)) for (form, reading), indexes in groups.items()]

    def _by_format(
        self, lines: pl.DataFrame, origins: Sequence[Origin], groups: Sequence[_Group], *, text: bytes | None = None
    ) -> list[pl.DataFrame]:
        """Return the parsed rows, one frame per group; `text` is the lines as bytes."""
        pieces: list[pl.DataFrame] = []
        for group in groups:
            rows = lines if len(groups) == 1 else lines.filter(pl.col("_origin").is_in(group.origins))
            if group.wraps:
                pieces += self._unwrap(group.format, rows, group.reading, origins)
            else:
                pieces.append(self._parser(group.format).parse(rows, group.reading, text if rows is lines else None))
        return pieces

    def _unwrap(self, form: str, rows: pl.DataFrame, reading: Reading, origins: Sequence[Origin]) -> list[pl.DataFrame]:
        """Return container records, parsed by the format of their content."""
        frame = self._wrapper(form).unwrap(rows, reading)
        good = frame["_final"].is_not_null()
        pieces: list[pl.DataFrame] = []
        if not good.all():
            pieces.append(frame.filter(~good).drop("_final"))
            frame = frame.filter(good)
        if not len(frame):
            return pieces
        frame = self._joiners.setdefault(form, Joiner()).join(frame.drop("_error"))
        if "_part" in frame.columns:
            linked = frame.filter(pl.col("_part").is_not_null())
            pieces.append(linked)
            frame = frame.filter(pl.col("_part").is_null()).drop("_part", "_part_last")
        return pieces + (self._content(frame, origins) if len(frame) else [])

    def _content(self, frame: pl.DataFrame, origins: Sequence[Origin]) -> list[pl.DataFrame]:
        """Return container records with the fields of their content; a name that both have means the container's."""
        outer = {name: f"{_OUTER}{name}" for name in frame.columns if is_field(name)}
        frame = frame.rename(outer)
        pieces = self._by_format(frame, origins, self._groups(frame, origins, prefix=_CONTENT))
        back = {hidden: name for name, hidden in outer.items()}
        return [piece.rename(_extracted(piece, list(outer))).rename(back) for piece in pieces]

    def _parser(self, name: str) -> Parser:
        """Return the parser of this thread: what a parser learns is not shared, so it needs no lock."""
        parsers: dict[str, Parser] = self._local.__dict__
        parser = parsers.get(name)
        if parser is None:
            parser = parsers[name] = registry.find("parser", name)()
        return parser

    def _wrapper(self, name: str) -> Wrapper:
        wrapper = self._wrappers.get(name)
        if wrapper is None:
            wrapper = self._wrappers[name] = registry.find("parser", name)()
        return wrapper

    def _formats_of(self, lines: pl.DataFrame, origins: Sequence[Origin], prefix: str) -> dict[int, str]:
        """Return the format of each origin (by index) that has lines."""
        present = lines["_origin"].unique(maintain_order=True).to_list()
        formats: dict[int, str] = {}
        automatic: list[int] = []
        for index in present:
            declared = origins[index].reading.format
            if declared == "auto" or (prefix and declared in _WRAPPERS):
                automatic.append(index)
            else:
                formats[index] = declared
        if automatic:
            # A turn of one file, as an import has them, is large: its first lines are enough.
            some = (
                lines.head(4 * DETECT_LINES) if len(present) == 1 else lines.filter(pl.col("_origin").is_in(automatic))
            )
            table = detect.count(some, "_origin", DETECT_LINES)
            counts = {row.pop("_origin"): row for row in table.iter_rows(named=True)}
            for index in automatic:
                formats[index] = self._detected(prefix + origins[index].key, counts.get(index), wrapped=bool(prefix))
        return formats

    def _detected(self, key: str, counts: dict[str, int] | None, *, wrapped: bool) -> str:
        """Return the format of a file, after looking at the first lines of its newest rows."""
        memory = self._formats.get(key)
        if counts is None:  # blank lines only
            return memory.format if memory else "plain"
        if wrapped:
            counts = counts | dict.fromkeys(_WRAPPERS, 0)
        if memory is None:
            memory = self._formats[key] = _Memory(detect.choose(counts))
            while len(self._formats) > _REMEMBERED:
                del self._formats[next(iter(self._formats))]
        elif memory.format in detect.TESTS:
            fits = counts[memory.format]
            memory.misses = max(0, memory.misses + counts["lines"] - 2 * fits)
            if memory.misses >= _MISSES:
                memory.format, memory.misses = detect.choose(counts), 0
        elif memory.seen < DETECT_LINES or counts["lines"] >= _MISSES:
            memory.format = detect.choose(counts)
        memory.seen += counts["lines"]
        return memory.format


def _extracted(piece: pl.DataFrame, outer: Sequence[str]) -> dict[str, str]:
    """Return new names for the fields of a content that are named like the container's: `stream_extracted`."""
    names: dict[str, str] = {}
    for name in outer:
        if name in piece.columns:
            new = f"{name}_extracted"
            while new in piece.columns or new in outer:
                new += "_"
            names[name] = new
    return names


def _together(pieces: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the pieces as one frame in the order of `_row`.

    A field has one type in a frame: the types of two parsers meet in float64 or text. (The table is where a
    field may have two columns.)
    """
    if len(pieces) == 1:
        return pieces[0]
    seen: dict[str, list[pl.Series]] = {}
    for piece in pieces:
        for series in piece.get_columns():
            seen.setdefault(series.name, []).append(series)
    casts = {name: _common_type(columns) for name, columns in seen.items() if len({each.dtype for each in columns}) > 1}
    alike = [piece.cast({name: casts[name] for name in piece.columns if name in casts}) for piece in pieces]
    frame = pl.concat(alike, how="diagonal")
    return frame if frame["_row"].is_sorted() else frame.sort("_row")


def _common_type(columns: Sequence[pl.Series]) -> pl.DataType:
    """Return the type that holds the values of all columns exactly: float64 if numbers allow it, else text."""
    numbers = all(
        series.dtype == pl.Float64 or (series.dtype == pl.Int64 and not (series.abs() > _DOUBLE).any())
        for series in columns
    )
    return pl.Float64() if numbers else pl.String()


_ALWAYS: Final = {
    name: ENVELOPE[name] for name in ("_time_ns", "_observed_ns", "_stream", "_line", "_offset", "_format")
}
_DOUBLE: Final = 2**53  # integers up to here are doubles, too
