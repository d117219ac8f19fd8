"""From blocks to one frame of records: lines, format, fields, time.

Comes in: the blocks of one turn, maybe a thousand small ones of as many files. Goes out: `Parsed`, one frame with the
columns of the envelope and the fields of all records, rows of each file in its order; and `_in_lines` and `_in_bytes`,
the input that a row was made of. Records that are open at the end of a turn are held: they are in no frame, the account
keeps them pending, and `mark` is what the checkpoint must keep of them together with the position.

The work per turn is per format, not per file: all lines become one frame, rows of one format and one `Reading` are
parsed together. Container lines are taken out of their wrapping and joined first, then their content has a format of
its own; they keep the runtime's time stamp, so a time in the content stays a field.

A row without a time of its own belongs to the row before it, as the lines of a stack trace do, and gets its time, if
that was read just before. Else it gets the time of its reading plus its number in the turn. Either way it keeps
its place. (The time of the row before is not kept over a restart: that would be a mark per file and batch.)
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from tailrace import registry
from tailrace.batch import ENVELOPE, is_field
from tailrace.limits import PART_WAIT_S, READ_TURN_BYTES
from tailrace.parse.formats import REMEMBERED, WRAPPERS, Formats
from tailrace.parse.frame import lines_of, origins_of
from tailrace.parse.held import Held
from tailrace.parse.join import Joiner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.contracts import Block, Origin, Parser, Reading

_CONTENT: Final = "content of "  # key of what is inside a container's lines, in front of the origin's
_OUTER: Final = "_outer_"  # in front of the fields of the wrapping while the content is parsed
_NEVER_NS: Final = 2**62
_CONTINUED_NS: Final = 5_000_000_000  # a row that is read later than this after the one before is news of its own
_OBSERVED: Final = pl.col("_observed_ns") + pl.col("_row").cast(pl.Int64)
_LAST: Final = {"_origin": pl.UInt32, "last_ns": pl.Int64, "then_ns": pl.Int64}


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


@dataclass(frozen=True, slots=True)
class _Job:
    """Rows that parsers are to read; `text` is them as bytes, `outer` names the fields of their wrapping."""

    rows: pl.DataFrame
    groups: Sequence[_Group]
    text: bytes | None = None
    outer: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A turn as rows: what is still to parse, and what needs no parser."""

    origins: Sequence[Origin]
    jobs: Sequence[_Job]
    ready: Sequence[pl.DataFrame]
    lines: int
    bytes: int

    @property
    def free(self) -> bool:
        """Whether the work may be done in any thread; it always may."""
        return True


class Wrapper(Protocol):
    """A parser of lines that hold lines of another format: see `cri` and `docker`."""

    def unwrap(self, lines: pl.DataFrame, reading: Reading) -> pl.DataFrame:
        """Return the rows with content, `_time_ns`, `stream`, `_final` (null if malformed) and `_error`."""
        ...


class Chain:
    """Parses turns; remembers formats, shapes and open records between them."""

    def __init__(self) -> None:
        self._local = threading.local()  # the parsers, by name
        self._wrappers: dict[str, Wrapper] = {}
        self._formats = Formats()
        self._parts = Held("part")
        self._joiner = Joiner(self._parts)
        self._behind = False
        self._foreign: dict[str, object] = {}  # names in a state that nothing here understands: forgotten
        self._times: dict[
            str, tuple[int, int]
        ] = {}  # of the last row of each file that has times, and when it was read

    def parse(self, blocks: Sequence[Block]) -> Parsed:
        """Return the records of the blocks; what is open at their end stays held."""
        turn = self.prepare(blocks)
        return self.finish(turn, self.work(turn))

    # --- what is held -----------------------------------------------------------------------------

    def restore(self, state: Mapping[str, object]) -> None:
        """Take back what was held, from the merged marks; called once, before the first turn."""
        for name, record in state.items():
            if not self._parts.restore(name, record):
                self._foreign[name] = None

    def mark(self) -> Mapping[str, object]:
        """Return what changed in what is held since the last mark: after `prepare`, it belongs to that turn."""
        foreign, self._foreign = self._foreign, {}
        return {**foreign, **self._parts.mark()}

    def pending(self) -> tuple[int, int]:
        """Return the lines and bytes of input that are held."""
        return self._parts.pending()

    def flush(self, now_ns: int, *, final: bool) -> Parsed:
        """Return the records whose wait is over, and what is held beyond the limits; with `final` everything held.

        Called between turns. While the last turn was a full one the source is behind: what is missing may be read
        next, so only the limits count.
        """
        wait_ns = 0 if final else _NEVER_NS if self._behind else round(PART_WAIT_S * 1e9)
        cut = self._joiner.cut(now_ns, wait_ns)
        self._parts.commit()
        frame = _whole_frame(cut).with_columns(_time_ns=pl.coalesce("_time_ns", _OBSERVED))
        return Parsed(frame.drop("_row", "_origin", strict=False), 0, 0)

    # A turn in three steps, so that the heavy one of a turn can run beside the next turn's: `prepare` and `finish` are
    # called in the order of the turns, `work` in any thread. What is held changes in `prepare` (and `flush`) alone.

    def prepare(self, blocks: Sequence[Block]) -> Prepared:
        """Cut blocks into lines, decide on the format of each file, and put the pieces of records together."""
        blocks = [block for block in blocks if block.data]
        size = sum(len(block.data) for block in blocks)
        self._behind = size >= READ_TURN_BYTES // 2
        if not blocks:
            return Prepared([], [], [], 0, 0)
        origins = origins_of(blocks)
        split = lines_of(blocks, origins)
        lines = split.frame.with_row_index("_row")
        whole, ready, text = lines, [], split.text
        if "_part" in lines.columns:
            whole, text = lines.filter(pl.col("_part").is_null()).drop("_part", "_part_last"), None
            ready = [lines.filter(pl.col("_part").is_not_null())]
        jobs: list[_Job] = []
        try:
            groups = self._groups(whole, origins, prefix="") if len(whole) else []
            direct = [group for group in groups if group.format not in WRAPPERS]
            if len(direct) == len(groups):
                jobs = [_Job(whole, groups, text)] if groups else []
            else:
                self._sort_out(whole, groups, origins, jobs, ready)
        except BaseException:
            self._parts.rollback()
            raise
        self._parts.commit()
        return Prepared(origins, jobs, ready, len(lines), size)

    def _sort_out(
        self,
        lines: pl.DataFrame,
        groups: Sequence[_Group],
        origins: Sequence[Origin],
        jobs: list[_Job],
        ready: list[pl.DataFrame],
    ) -> None:
        """Take container lines out of their wrapping, and make jobs of what is inside and of all other lines."""
        lines = lines.with_columns(_in_lines=pl.lit(1, pl.Int64))
        for group in groups:
            rows = lines if len(groups) == 1 else lines.filter(pl.col("_origin").is_in(group.origins))
            if group.format not in WRAPPERS:
                jobs.append(_Job(rows, [group]))
                continue
            frame = self._wrapper(group.format).unwrap(rows, group.reading)
            good = frame["_final"].is_not_null()
            if not good.all():
                ready.append(frame.filter(~good).drop("_final"))
                frame = frame.filter(good)
            frame = self._joiner.join(frame.drop("_error"), origins)
            if "_part" in frame.columns:
                ready.append(frame.filter(pl.col("_part").is_not_null()))
                frame = frame.filter(pl.col("_part").is_null()).drop("_part", "_part_last")
            if len(frame):
                jobs.append(self._content(frame, origins))

    def _content(self, frame: pl.DataFrame, origins: Sequence[Origin]) -> _Job:
        """Return the job for container records; a name that both have means the container's."""
        outer = tuple(name for name in frame.columns if is_field(name))
        frame = frame.rename({name: f"{_OUTER}{name}" for name in outer})
        return _Job(frame, self._groups(frame, origins, prefix=_CONTENT), outer=outer)

    def work(self, turn: Prepared) -> list[pl.DataFrame]:
        """Parse the rows of a turn: one frame per format and reading."""
        pieces: list[pl.DataFrame] = []
        for job in turn.jobs:
            for group in job.groups:
                alone = len(job.groups) == 1
                rows = job.rows if alone else job.rows.filter(pl.col("_origin").is_in(group.origins))
                piece = self._parser(group.format).parse(rows, group.reading, job.text if alone else None)
                pieces.append(_named(piece, job.outer))
        return pieces

    def finish(self, turn: Prepared, pieces: Sequence[pl.DataFrame]) -> Parsed:
        """Put the pieces of a turn together, in the order of its lines, each with a time."""
        frame = self._with_times(_whole_frame([*pieces, *turn.ready]), turn.origins)
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
        while len(self._times) > REMEMBERED:
            del self._times[next(iter(self._times))]
        return frame

    def _groups(self, lines: pl.DataFrame, origins: Sequence[Origin], *, prefix: str) -> list[_Group]:
        """Return which files are read by which format, in which way."""
        groups: dict[tuple[str, Reading], list[int]] = {}
        for index, form in self._formats.of(lines, origins, prefix).items():
            groups.setdefault((form, origins[index].reading), []).append(index)
        return [_Group(form, reading, tuple(indexes)) for (form, reading), indexes in groups.items()]

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


def _whole_frame(pieces: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the pieces as one frame in the order of the lines, with every column that is always there."""
    frame = _together(pieces) if pieces else pl.DataFrame(schema={"_row": pl.UInt32, "_origin": pl.UInt32})
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in _ALWAYS.items() if name not in frame.columns]
    return frame.with_columns(missing).with_columns(pl.col("_in_lines").fill_null(1))


def _named(piece: pl.DataFrame, outer: Sequence[str]) -> pl.DataFrame:
    """Return the piece with the names of its wrapping's fields as they were; the content's make room."""
    if not outer:
        return piece
    return piece.rename(_extracted(piece, outer)).rename({f"{_OUTER}{name}": name for name in outer})


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
    return frame if frame["_row"].is_sorted() else frame.sort("_row", maintain_order=True)


def _common_type(columns: Sequence[pl.Series]) -> pl.DataType:
    """Return the type that holds the values of all columns exactly: float64 if numbers allow it, else text."""
    numbers = all(
        series.dtype == pl.Float64 or (series.dtype == pl.Int64 and not (series.abs() > _DOUBLE).any())
        for series in columns
    )
    return pl.Float64() if numbers else pl.String()


_ALWAYS: Final = {
    **{name: ENVELOPE[name] for name in ("_time_ns", "_observed_ns", "_stream", "_line", "_offset", "_format")},
    "_in_lines": pl.Int64(),
    "_in_bytes": pl.Int64(),
}
_DOUBLE: Final = 2**53  # integers up to here are doubles, too
