"""Exports: all lines of a range as a file, sent page by page, in memory that does not grow with them.

Comes in: a question, the form of the file and which columns. Goes out: pieces of the file, and `Progress` for whoever
watches. A form with a header (CSV, Parquet) has the columns of all lines, so without chosen columns the lines are gone
over twice, over the same version of the table. JSON lines end with a record of what the file holds when that is asked
for, and so do the others that are text; of Parquet the footer is that record, with the question in it. A failure after
the first piece cuts the connection, which every client takes for an error: there is no short file that looks whole.
"""

from __future__ import annotations

import io
import json
import queue
import re
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import polars as pl
from polars.io.plugins import register_io_source

from tailrace.clock import NS_PER_S
from tailrace.errors import QueryTimeoutError, one_line
from tailrace.query import render
from tailrace.query.render import sheets
from tailrace.query.run import Request, pages
from tailrace.web.times import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tailrace.contracts import Snapshot
    from tailrace.query.result import Lines
    from tailrace.web.services import Services

Form: TypeAlias = Literal["jsonl", "csv", "parquet", "raw"]

FORMS: Final[dict[Form, tuple[str, str]]] = {
    "jsonl": ("application/x-ndjson", "jsonl"),
    "csv": ("text/csv; charset=utf-8", "csv"),
    "parquet": ("application/vnd.apache.parquet", "parquet"),
    "raw": ("text/plain; charset=utf-8", "log"),
}
"""Content type and ending of a file's name, by form."""

TIMEOUT_S: Final = 3_600.0
"""How long an export may take: the time counts while the client reads, too."""

KNOWN: Final = 256
"""Exports whose progress is remembered, the newest."""

_SHEET_ROWS: Final = 20_000
"""Lines of a piece of Parquet on its way: Polars fetches about ten pieces ahead."""

_PIPE_PIECES: Final = 16
_JOB: Final = re.compile(r"[0-9a-f]{32}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._]+")
_NAME_CHARS: Final = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the file is to look like."""

    form: Form
    columns: tuple[str, ...] | None = None  # None: all
    guard: bool = True  # whether cells of CSV that a spreadsheet would run are disarmed
    record: bool = False  # whether a file of text ends with a record of what it holds


@dataclass(slots=True)
class Progress:
    """How far an export is; one thread writes, others look."""

    state: Literal["waiting", "looking", "sending", "done", "failed", "cancelled"] = "waiting"
    rows: int = 0
    size: int = 0
    share: float = 0.0  # of the range of time
    why: str = ""
    _stop: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Have the export end."""
        self._stop.set()

    def cancelled(self) -> bool:
        """Tell whether it is to end."""
        return self._stop.is_set()


class Exports:
    """The exports that are watched. Any thread may call."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Progress] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, job: str) -> Progress:
        """Return the progress of a new export; one without a name of the right form is not remembered."""
        progress = Progress()
        if _JOB.fullmatch(job):
            with self._lock:
                self._known[job] = progress
                while len(self._known) > KNOWN:
                    self._known.popitem(last=False)
        return progress

    def get(self, job: str) -> Progress | None:
        """Return the progress of an export; None if it is not known."""
        with self._lock:
            return self._known.get(job)


def file(asked: Request, wanted: Wanted, services: Services, progress: Progress) -> Generator[bytes]:
    """Yield the pieces of the file; close it to have it end early."""
    asked = replace(asked, timeout_s=TIMEOUT_S, cancelled=progress.cancelled)
    source = _Source(asked, services, progress)
    try:
        for piece in _WRITERS[wanted.form](source, wanted):
            progress.state = "sending"
            progress.size += len(piece)
            yield piece
        progress.share, progress.state = 1.0, "done"
    except GeneratorExit:
        progress.state, progress.why = "cancelled", "the client went away"
        raise
    except Exception as error:
        progress.state = "cancelled" if progress.cancelled() else "failed"
        progress.why = one_line(error)
        raise
    finally:
        progress.cancel()  # whatever still reads for it ends


def file_name(asked: Request, form: Form) -> str:
    """Return a name that says what is in the file: the query, and the range of time in UTC.

    >>> file_name(Request('{app="a/b"} |= "x"', 0, 61_000_000_000), "csv")
    'tailrace_app-a-b-x_19700101T000000Z_19700101T000101Z.csv'
    """
    said = _UNSAFE.sub("-", asked.query).strip("-.")[:_NAME_CHARS].strip("-.")
    times = (datetime.fromtimestamp(at_ns // NS_PER_S, UTC) for at_ns in (asked.start_ns, asked.end_ns))
    return "_".join(["tailrace", said, *(f"{time:%Y%m%dT%H%M%SZ}" for time in times)]) + f".{FORMS[form][1]}"


@dataclass(frozen=True, slots=True)
class _Pinned:
    """A table that stays as it is."""

    version: Snapshot

    def snapshot(self) -> Snapshot:
        """Return the version."""
        return self.version


class _Source:
    """The lines of one version of the table, as often as they are wanted."""

    def __init__(self, asked: Request, services: Services, progress: Progress) -> None:
        self.asked, self.progress = asked, progress
        self._table, self._engine = _Pinned(services.table.snapshot()), services.engine

    def layout(self) -> sheets.Layout:
        """Go over all lines for the columns that they need."""
        self.progress.state = "looking"
        found = sheets.Layout()
        for page in pages(self.asked, self._table, self._engine):
            found = found.joined(sheets.layout_of(page.frame))
            self._moved(page, 0.0, 0.5)
        return found

    def pages(self, *, second: bool = False) -> Iterator[Lines]:
        """Yield the lines."""
        for page in pages(self.asked, self._table, self._engine):
            self.progress.rows += page.frame.height
            self._moved(page, *((0.5, 0.5) if second else (0.0, 1.0)))
            yield page
        if self.progress.cancelled():  # also when nothing was left to read: who cancelled is never told of a whole file
            raise QueryTimeoutError("the export was cancelled")

    def record(self) -> dict[str, object]:
        """Return what the file holds, once everything was yielded."""
        asked = self.asked
        said = {"query": asked.query, "from": iso(asked.start_ns), "to": iso(asked.end_ns)}
        return {"rows": self.progress.rows, "complete": True, **said}

    def _moved(self, page: Lines, base: float, part: float) -> None:
        asked, at_ns = self.asked, int(page.frame["_time_ns"][-1])
        gone_ns = asked.end_ns - at_ns if asked.direction == "backward" else at_ns - asked.start_ns
        self.progress.share = base + part * min(1.0, gone_ns / max(1, asked.end_ns - asked.start_ns))


def _jsonl(source: _Source, wanted: Wanted) -> Iterator[bytes]:
    for page in source.pages():
        if wanted.columns is not None:
            page = replace(page, frame=sheets.only_chosen(page.frame, wanted.columns))  # noqa: PLW2901  the same lines
        yield from map(str.encode, render.to_jsonl(page))
    if wanted.record:
        yield (json.dumps({"export": source.record()}, ensure_ascii=False) + "\n").encode()


def _raw(source: _Source, wanted: Wanted) -> Iterator[bytes]:
    for page in source.pages():
        yield from map(str.encode, render.to_raw(page))
    if wanted.record:
        yield _last_line(source)


def _csv(source: _Source, wanted: Wanted) -> Iterator[bytes]:
    layout, second = _layout(source, wanted)
    empty = sheets.laid_out(pl.DataFrame(schema={"_time_ns": pl.Int64, "_line": pl.String}), layout)
    yield from map(str.encode, sheets.csv(empty))
    for page in source.pages(second=second):
        table = sheets.laid_out(page.frame, layout)
        yield from map(str.encode, sheets.csv(table, guard=wanted.guard, header=False))
    if wanted.record:
        yield _last_line(source)


def _parquet(source: _Source, wanted: Wanted) -> Iterator[bytes]:
    layout, second = _layout(source, wanted)

    def tables() -> Iterator[pl.DataFrame]:
        for page in source.pages(second=second):
            table = sheets.stamped(sheets.laid_out(page.frame, layout))
            yield from table.iter_slices(_SHEET_ROWS)

    empty = sheets.laid_out(pl.DataFrame(schema={"_time_ns": pl.Int64, "_line": pl.String}), layout)
    about = {f"tailrace.{name}": str(value) for name, value in source.record().items() if name != "rows"}
    yield from _sunk(tables, sheets.stamped(empty).schema, about)


def _layout(source: _Source, wanted: Wanted) -> tuple[sheets.Layout, bool]:
    """Return the columns, and whether the lines were gone over for them."""
    if wanted.columns is not None:
        return sheets.Layout(chosen=wanted.columns), False
    return source.layout(), True


def _last_line(source: _Source) -> bytes:
    return f"# {source.progress.rows} rows, complete\n".encode()


_WRITERS: Final[dict[Form, Callable[[_Source, Wanted], Iterator[bytes]]]] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "parquet": _parquet,
    "raw": _raw,
}


class _Pipe(io.RawIOBase):
    """What Polars writes a file into, and who sends it reads from; holds few pieces, so that the slower one waits."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: queue.Queue[bytes | None] = queue.Queue(_PIPE_PIECES)
        self._over = threading.Event()

    def writable(self) -> bool:
        """Tell that it is."""
        return True

    def write(self, data: object) -> int:
        """Take a piece; wait while many wait; fail when nobody reads any more."""
        piece = bytes(data)  # type: ignore[call-overload]  # whatever has bytes
        self._put(piece)
        return len(piece)

    def end(self) -> None:
        """Say that nothing follows."""
        self._put(None)

    def give_up(self) -> None:
        """Let who writes fail."""
        self._over.set()

    def pieces(self) -> Iterator[bytes]:
        """Yield what was written, until the end."""
        while (piece := self._pieces.get()) is not None:
            yield piece

    def _put(self, piece: bytes | None) -> None:
        while not self._over.is_set():
            try:
                self._pieces.put(piece, timeout=0.2)
            except queue.Full:
                continue
            return
        raise BrokenPipeError("nobody reads the file any more")


def _sunk(tables: Callable[[], Iterator[pl.DataFrame]], schema: pl.Schema, about: dict[str, str]) -> Iterator[bytes]:
    """Yield a Parquet file while it is written."""
    pipe, failed = _Pipe(), []

    def source(
        with_columns: list[str] | None,  # noqa: ARG001  all are wanted
        predicate: pl.Expr | None,  # noqa: ARG001  none is given
        n_rows: int | None,  # noqa: ARG001  as above
        batch_size: int | None,  # noqa: ARG001  only a hint
    ) -> Iterator[pl.DataFrame]:
        try:
            yield from tables()
        except Exception as error:  # Polars would tell of it in words of its own
            failed.append(error)
            raise

    def write() -> None:
        try:
            lazy = register_io_source(source, schema=schema)
            sink: Any = pipe  # Any: of what a file is it has what is asked of it, writing
            lazy.sink_parquet(sink, compression="zstd", metadata=about)
        except Exception as error:  # noqa: BLE001  it is raised where the file is read
            failed.append(error)
        finally:
            with suppress(BrokenPipeError):
                pipe.end()

    writing = threading.Thread(target=write, name="export", daemon=True)
    writing.start()
    try:
        yield from pipe.pieces()
        if failed:
            raise failed[0]
    finally:
        pipe.give_up()
