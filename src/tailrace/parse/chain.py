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
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import registry
from tailrace.batch import ENVELOPE, is_field
from tailrace.limits import READ_TURN_BYTES
from tailrace.parse.first_match import FirstMatch
from tailrace.parse.formats import REMEMBERED, WRAPPERS, Formats
from tailrace.parse.frame import lines_of, origins_of
from tailrace.parse.headers import HEADER, Headers
from tailrace.parse.multiline.heads import heads, whole
from tailrace.parse.records import Records
from tailrace.parse.tally import Metered, Tally
from tailrace.parse.turn import Group, Job, Parsed, Prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.contracts import Block, Origin, Parser, Reading
    from tailrace.parse.records import Sorted
    from tailrace.parse.tally import Work

FAILED: Final = "ParserFailure"
"""`_error` of lines whose parser failed: a bug, and no reason to lose them."""

_CONTENT: Final = "content of "  # key of what is inside a container's lines, in front of the origin's
_GROUPED: Final = "grouped "  # the same for lines that were grouped
_OUTER: Final = "_outer_"  # in front of the fields of the wrapping while the content is parsed
_CONTINUED_NS: Final = 5_000_000_000  # a row that is read later than this after the one before is news of its own
_OBSERVED: Final = pl.col("_observed_ns") + (pl.col("_row") // 2).cast(pl.Int64)
_LAST: Final = {"_origin": pl.UInt32, "last_ns": pl.Int64, "then_ns": pl.Int64}


class Chain:
    """Parses turns; remembers formats, shapes and open records between them.

    `parsers` makes the formats that the configuration declares, by name. A format `a|b|c` reads each line by the first
    of its parts that it fits.
    """

    def __init__(self, parsers: Mapping[str, Callable[[], Parser]] | None = None) -> None:
        self._declared = parsers or {}
        self._local = threading.local()  # the parsers, by name
        self._tally = Tally()
        self._formats = Formats()
        self._records = Records(self._tally)
        self._headers = Headers()
        self._behind = False
        # Of the last row of each file that has times: its time, and when it was read.
        self._times: dict[str, tuple[int, int]] = {}

    def parse(self, blocks: Sequence[Block]) -> Parsed:
        """Return the records of the blocks; what is open at their end stays held."""
        turn = self.prepare(blocks)
        return self.finish(turn, self.work(turn))

    def done(self) -> Mapping[str, Work]:
        """Return what each parser did since the last time, by its name; any thread may ask."""
        return self._tally.take()

    # --- what is held -----------------------------------------------------------------------------

    def restore(self, state: Mapping[str, object]) -> None:
        """Take back what was held, from the merged marks; called once, before the first turn."""
        self._records.restore(self._headers.restore(state))
        for key, form in (self._headers.formats() | self._records.wrappers()).items():
            self._formats.remember(key, form)

    def mark(self) -> Mapping[str, object]:
        """Return what changed in what is held since the last mark: after `prepare`, it belongs to that turn."""
        return {**self._headers.mark(), **self._records.mark()}

    def pending(self) -> tuple[int, int]:
        """Return the lines and bytes of input that are held."""
        return self._records.pending()

    def flush(self, now_ns: int, *, final: bool) -> Parsed:
        """Return the records whose wait is over, and what is held beyond the limits; with `final` everything held.

        Called between turns; `now_ns` is when the last read ended, however long its turn then had to queue: what is
        missing may lie in the file since. While the last turn was a full one the source is behind: what is missing may
        be read next, so only the limits count.
        """
        found, origins = self._records.due(now_ns, "all" if final else "over" if self._behind else "waited")
        self._behind = False  # unless the next turn is a full one again
        found.lines = [(self._headers.add(rows, groups, origins), groups) for rows, groups in found.lines]
        pieces = self._survived(self._prepared(found, origins, 0, 0)) if origins else []
        self._records.commit()
        frame = _whole_frame([*pieces, *found.ready]).with_columns(_time_ns=pl.coalesce("_time_ns", _OBSERVED))
        return Parsed(frame.drop("_row", "_origin"), 0, 0)

    def _survived(self, turn: Prepared) -> list[pl.DataFrame]:
        """Return parsed rows; when a parser fails, plain ones: there are no blocks here to go back to."""
        try:
            return self.work(turn)
        except Exception:  # noqa: BLE001 - a fault in one format must not stop the source, nor lose a line
            groups = [[replace(group, format="plain") for group in job.groups] for job in turn.jobs]
            jobs = [replace(job, groups=plain) for job, plain in zip(turn.jobs, groups, strict=True)]
            return [piece.with_columns(_error=pl.lit(FAILED)) for piece in self.work(replace(turn, jobs=jobs))]

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
        count = len(split.frame)
        # Odd numbers: a record that was held has its place before the line that ends it.
        lines = split.frame.with_columns(_row=pl.int_range(1, 2 * count + 1, 2, dtype=pl.UInt32))
        parts = "_part" in lines.columns
        full = lines.filter(pl.col("_part").is_null()).drop("_part", "_part_last") if parts else lines
        groups = self._groups(full, origins, prefix="") if len(full) else []
        lines = self._headers.add(lines, groups, origins)
        full = lines.filter(pl.col("_part").is_null()).drop("_part", "_part_last") if parts else lines
        wrapped = any(group.format in WRAPPERS for group in groups)
        plain = not wrapped and not any(origin.reading.multiline for origin in origins)
        if plain and not self._records.quoted(lines, groups):
            ready = [lines.filter(pl.col("_part").is_not_null())] if parts else []
            jobs = [Job(full, groups, None if parts else split.text)] if groups else []
            return Prepared(origins, jobs, ready, count, size)
        try:
            found = self._records.sort_out(lines.with_columns(_in_lines=pl.lit(1, pl.Int64)), groups, origins)
            prepared = self._prepared(found, origins, count, size)
        except BaseException:
            self._records.rollback()
            raise
        self._records.commit()
        return prepared

    def _prepared(self, found: Sorted, origins: Sequence[Origin], lines: int, size: int) -> Prepared:
        """Return records as a turn, with the formats of those that were put together."""
        jobs = [Job(rows, groups) for rows, groups in found.lines]
        grouped = map(heads, found.grouped)
        jobs += [Job(rows, self._groups(rows, origins, prefix=_GROUPED)) for rows in grouped]
        jobs += [self._content(heads(rows), origins) for rows in found.content]
        return Prepared(origins, jobs, found.ready, lines, size)

    def _content(self, frame: pl.DataFrame, origins: Sequence[Origin]) -> Job:
        """Return the job for container records; a name that both have means the container's."""
        outer = tuple(name for name in frame.columns if is_field(name))
        frame = frame.rename({name: f"{_OUTER}{name}" for name in outer})
        return Job(frame, self._groups(frame, origins, prefix=_CONTENT), outer=outer)

    def work(self, turn: Prepared) -> list[pl.DataFrame]:
        """Parse the rows of a turn: one frame per format and reading."""
        pieces: list[pl.DataFrame] = []
        for job in turn.jobs:
            for group in job.groups:
                alone = len(job.groups) == 1
                rows = job.rows if alone else job.rows.filter(pl.col("_origin").is_in(group.origins))
                piece = self._parser(group.format).parse(rows, group.reading, job.text if alone else None)
                pieces.append(_named(whole(piece), job.outer))
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

    def _groups(self, lines: pl.DataFrame, origins: Sequence[Origin], *, prefix: str) -> list[Group]:
        """Return which files are read by which format, in which way."""
        groups: dict[tuple[str, Reading], list[int]] = {}
        for index, form in self._formats.of(lines, origins, prefix).items():
            groups.setdefault((form, origins[index].reading), []).append(index)
        return [Group(form, reading, tuple(indexes)) for (form, reading), indexes in groups.items()]

    def _parser(self, name: str) -> Parser:
        """Return the parser of this thread: what a parser learns is not shared, so it needs no lock."""
        parsers: dict[str, Parser] = self._local.__dict__
        parser = parsers.get(name)
        if parser is None:
            parser = parsers[name] = self._made(name)
        return parser

    def _made(self, name: str) -> Parser:
        parts = registry.format_parts(name)
        if len(parts) > 1:
            return FirstMatch([self._parser(part) for part in parts])
        make = self._declared.get(name) or registry.find("parser", name)
        return Metered(make(), self._tally)


def _whole_frame(pieces: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the pieces as one frame in the order of the lines, with every column that is always there."""
    frame = _together(pieces) if pieces else pl.DataFrame(schema={"_row": pl.UInt32, "_origin": pl.UInt32})
    frame = frame.drop(HEADER, strict=False)
    if "_flaw" in frame.columns:
        error = ["_flaw", "_error"] if "_error" in frame.columns else ["_flaw"]
        frame = frame.with_columns(_error=pl.coalesce(error)).drop("_flaw")
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
