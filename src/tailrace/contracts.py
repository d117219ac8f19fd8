"""The seams: what stages promise each other. Every stage imports these, none imports another stage.

=============  ===================================  =============================================
seam           implemented by                       called by
=============  ===================================  =============================================
`Source`       `sources`, by kind                   `agent`, in its reading thread
`Parser`       one file each in `parse`             `parse.chain`, in the agent's reading thread
`Reduction`    `reduce.pipeline`                    `agent`, in its gathering thread
`Sink`         one folder each in `sinks`, `store`  `agent`, `web` and `intake`
`Fences`       `sources.tail.checkpoint`            sinks over a network, before the first batch
`Channel`      one file each in `sinks.channels`    the reduction
`Table`        `store`                              `query`, `web`, `cli`, in any thread
`Engine`       `polars`, `spark` in `engines`       `query`
`Clock`        `clock`                              everything that waits or asks the time
=============  ===================================  =============================================
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, runtime_checkable

from tailrace.encoding import UTF8
from tailrace.limits import MULTILINE_BYTES, MULTILINE_LINES, MULTILINE_WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    import narwhals as nw
    import polars as pl

    from tailrace.batch import Batch, Position
    from tailrace.encoding import Encoding

    Frame = nw.LazyFrame[Any]  # any native frame that Narwhals knows: which one is the engine's business

# --- sources --------------------------------------------------------------------------------------


Preset = Literal["auto", "java", "python", "go", "node", "rust", "dotnet", "ruby", "php", "indented"]
"""Names of the ways to find records of several lines that `parse.multiline.presets` knows."""


@dataclass(frozen=True, slots=True)
class Multiline:
    """Which lines of a stream make one record. By presets, or by one pattern: `start`, `end` or `continues`."""

    presets: tuple[Preset, ...] = ()
    start: str = ""  # a line that matches begins a record
    end: str = ""  # a line that matches ends it
    continues: str = ""  # a line that matches goes on with it
    negate: bool = False  # the lines that do not match are meant
    match: tuple[tuple[str, str], ...] = ()  # labels and their patterns (`*`, `?`) of the streams it is for
    max_lines: int = MULTILINE_LINES
    max_bytes: int = MULTILINE_BYTES
    wait_s: float = MULTILINE_WAIT_S  # after which a record is complete


@dataclass(frozen=True, slots=True)
class Reading:
    """How lines are to be read; lines of all files that share it are parsed as one frame."""

    format: str = "auto"  # name of a parser, or `auto`
    raw: Literal["auto", "keep"] = "auto"  # keep: `_line` is the exact text even of a structured record
    timezone: str = "local"  # zone of time stamps that name none: `local`, `UTC` or an IANA name
    multiline: tuple[Multiline, ...] = ()  # the first that fits a stream's labels counts


@dataclass(frozen=True, slots=True)
class Origin:
    """Where blocks come from; one per followed file, shared by its blocks."""

    key: str  # identity and generation of the file, unique in its source
    labels: Mapping[str, str]  # stream labels, `host`, `source`, `filename`, `service_name` and more
    reading: Reading
    encoding: Encoding = UTF8  # of the bytes of its blocks: codec, and what ends a line
    fields: Mapping[str, str] = field(default_factory=dict)  # of all its records, but no labels: `pod_uid`, `restart`


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes of one file from `offset` on. Ends with a delimiter, a newline mostly, unless it is a part of a line.

    `part` is None for a block of whole lines; else the block is exactly one part, numbered from 1,
    without a delimiter of its own except after the last: parts are made of an over-long line, or of a line that
    waited for its end too long. A last line that will never get its newline (the file is finished) comes as a block
    of one whole line that does not end in one.
    """

    origin: Origin
    offset: int
    data: bytes
    observed_ns: int
    part: int | None = None
    part_last: bool = False


@dataclass(frozen=True, slots=True)
class Followed:
    """The state of one followed thing, for status pages and `doctor`."""

    path: str
    offset: int
    size: int
    state: str  # following, idle, finished, unreadable
    why: str = ""


class Source(Protocol):
    """Something that is read.

    Must: hand out every byte once, in order per origin; survive anything that a file system does.
    May: hand out blocks of many origins in one turn. Must not: hold more than one turn in memory,
    move its durable position by itself, raise for one bad file.

    One thread calls it. The position is the caller's: `mark` names everything handed out since the
    previous `mark`, as JSON; the caller makes it durable together with the data, and gives all
    marks, merged key by key (null forgets a key), to `restore` at the next start.
    """

    name: str

    @property
    def done(self) -> bool:
        """Tell whether a source that does not follow has come to its end; always false for one that does."""
        ...

    def restore(self, state: Mapping[str, object]) -> None:
        """Start from a position; called once, before the first `read`."""
        ...

    def read(self, budget_bytes: int, timeout_s: float) -> Sequence[Block]:
        """Return the next blocks, at most about `budget_bytes`; wait for news up to `timeout_s`."""
        ...

    def mark(self) -> Mapping[str, object]:
        """Return the changes of position since the last mark: key to state, null to forget it."""
        ...

    def backlog_bytes(self) -> int:
        """Return the bytes known to wait in the files, unread."""
        ...

    def status(self) -> Sequence[Followed]:
        """Return what is followed, and what is not and why."""
        ...

    @property
    def counters(self) -> Mapping[str, int]:
        """Return what happened that is no line, by name: bytes that are lost for sure, open files."""
        ...

    def close(self) -> None:
        """Release files and watches; nothing is read afterwards."""
        ...


# --- parse ----------------------------------------------------------------------------------------


class Parser(Protocol):
    """Makes fields from lines.

    Comes in: a frame with `_line`, `_observed_ns` (and `_stream`, `_offset`, untouched; only `journald`, whose one flow
    has the lines of all services, names the service in `_stream`), rows of many files.
    Goes out: the same rows in the same order, with `_time_ns` (Int64, null where the line has no time),
    `_format`, and maybe `_level`, `_error` and fields added, `_line` maybe replaced by the record's message.
    Must: be one set of expressions over the frame, never a loop over lines; keep a row that does not fit, raw, with
    `_error`. May: keep what it learned (field types, the year) between calls, per instance. Must not: raise for
    a line.
    """

    name: str

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:
        """Return the rows with what could be read from them.

        `data`, when it is given, is the column `_line` as one piece, each line ended by a newline: for parsers
        whose reader takes bytes.
        """
        ...


# --- reduce ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reduced:
    """What a reduction made of a batch's rows.

    `frame` goes on to the sink. `dropped` has one entry per rule: its id, and the lines and bytes of input that
    ended there.
    """

    frame: pl.DataFrame
    dropped: Sequence[tuple[str, int, int]] = ()


class Reduction(Protocol):
    """Decides what of the rows is kept, counted, or sent elsewhere.

    Comes in: frames in the order of the turns, with two columns beside the envelope: `_in_lines` and `_in_bytes`
    (Int64), how many lines and bytes of input the row was made of. Rows that a reduction makes itself have 0 there.
    Must: count every row that does not come out under a rule's id; be bounded in memory; give the same result
    however the rows are split into frames. Must not: read a clock, raise for a row.

    One thread calls it. Like a source it is no keeper of its own state: `mark` names what changed, as JSON, and the
    agent makes that durable together with the positions of the lines and the rows that it belongs to.
    """

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on from a state; called once, before the first `reduce`."""
        ...

    def reduce(self, frame: pl.DataFrame, now_ns: int) -> Reduced:
        """Return the rows that go on, and what was dropped."""
        ...

    def flush(self, now_ns: int, *, final: bool) -> Reduced:
        """Return rows that are due by the time alone: closed windows, summaries; with `final` everything held."""
        ...

    def stop(self) -> None:
        """Do what should not wait for the next start, which may never come; called after the last `flush` of a stop.

        What is held for the table stays held: the next start goes on with it.
        """
        ...

    def mark(self) -> Mapping[str, object]:
        """Return the changes of state since the last mark: key to state, null to forget it."""
        ...

    def edition(self) -> Callable[[], None]:
        """Return what the frames since the last edition did outside (metric values, alerts on channels).

        The agent calls it when the batch of these frames is durable: so all values that are shown belong to one cut.
        """
        ...


# --- sinks ----------------------------------------------------------------------------------------


class Channel(Protocol):
    """Where a reduction sends rows beside the table: a file, a service, the terminal.

    Comes in: rows of a batch that is durable; alerts have a column `_count`, how many rows they stand for.
    Must: return at once; hold a bounded number of rows and count the ones it has to give up; go on after a
    failure. Must not: stop the agent. A row is sent at most once by a process; rows between a batch and a crash are
    not sent again.
    """

    name: str

    def send(self, rows: pl.DataFrame) -> None:
        """Take rows to send."""
        ...

    @property
    def counters(self) -> Mapping[str, int]:
        """How many rows were sent, and how many given up."""
        ...

    def close(self) -> None:
        """Send what was taken, for a bounded time, then stop."""
        ...


class Sink(Protocol):
    """Where batches become durable.

    Must: complete the future after fsync, in the order of submission per agent; recognise a position that
    it already holds and complete at once without storing twice; fail the future with `TransientError` when
    a retry can help (disk full). May: group batches. Must not: change a batch, or acknowledge early.
    """

    def submit(self, batch: Batch) -> Future[None]:
        """Take a batch; blocks while too many wait (back-pressure)."""
        ...

    def last_number(self, agent: str) -> int | None:
        """Return the last number of an agent that is durable here, or None."""
        ...

    def close(self) -> None:
        """Finish what was taken, then stop."""
        ...


class Fences(Protocol):
    """An agent's memory, as a sink needs it whose batches may still be on their way when the agent begins anew.

    `sources.tail.checkpoint.Checkpoint` is one.
    """

    def fence(self, held: int | None) -> Position:
        """Return, durably noted, the position of an empty batch that ends an earlier life; `held` was the last one."""
        ...

    def meant(self, held: int | None) -> int | None:
        """Return the last number of a plan that a receiver holds which says that it holds `held`."""
        ...


@runtime_checkable
class Begins(Protocol):
    """A sink over a network: batches of an earlier life of the agent may still arrive behind it."""

    def begin(self, agent: str, fences: Fences) -> int | None:
        """Return the last number of an agent that is durable here, once nothing of its earlier life can follow.

        Called before the first batch, in the place of `last_number`.
        """
        ...


# --- store, engines -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bound:
    """A condition that a wanted row fulfils for sure; used to skip segments by their statistics."""

    column: str
    op: Literal["==", "<", "<=", ">", ">="]
    value: str | int | float


@dataclass(frozen=True, slots=True)
class Needle:
    """What a wanted row holds for sure: one of some texts, as the value of one of some columns or within its line.

    `columns` hold values of any type, compared as text; `("_line",)` alone stands for a text anywhere in the line.
    """

    columns: tuple[str, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """What to open in place of some files of the table: files of this machine, and URLs with the options for them."""

    local: Sequence[str]
    remote: Sequence[str]
    options: Mapping[str, str] = field(default_factory=dict, repr=False)  # as Polars takes them


class Segments(Protocol):
    """Some of the table's files, as pruned for one query.

    `frame` has one row per file: `path` (its name here, which never changes; `opened` says what to open), `rows`,
    `bytes`, `min_time_ns`, `max_time_ns`, `min_stream`, `max_stream`, `date`. `skipped` counts the files that pruning
    left out.
    """

    @property
    def frame(self) -> pl.DataFrame:
        """One row per file."""
        ...

    @property
    def skipped(self) -> int:
        """How many files pruning left out."""
        ...

    def opened(self, paths: Sequence[str] | None = None) -> Opened:
        """Return what this machine opens for all files, or for some of them; may bring files near."""
        ...

    def urls(self) -> Sequence[str]:
        """Return what any machine that reaches the table opens, in the order of the frame."""
        ...

    def streams(self) -> pl.DataFrame:
        """Return `path`, `_stream`, `rows`, `line_bytes`, `min_time_ns`, `max_time_ns` per file and stream.

        Cached per file, since files never change; the first call for a new file scans two columns of it.
        """
        ...

    def only(self, paths: Sequence[str]) -> Segments:
        """Return the segments among `paths`."""
        ...

    @property
    def parts(self) -> Mapping[str, Sequence[tuple[int, int]]]:
        """Per path the places (first row, rows) where wanted rows may lie; a path that is not here is wanted whole."""
        ...

    def holding(self, needles: Sequence[Needle]) -> Segments:
        """Return the segments, and `parts` of them, that may hold a row with all needles; may look into indexes."""
        ...


class Snapshot(Protocol):
    """The table at one version; never changes."""

    @property
    def version(self) -> int:
        """The version's number; it rises with each commit."""
        ...

    @property
    def columns(self) -> Mapping[str, pl.DataType]:
        """Every column of the table with its type, envelope first."""
        ...

    def variants(self, field: str) -> Sequence[str]:
        """Return the columns that hold a field: none, one, or one per type that it was seen with."""
        ...

    def segments(self, start_ns: int, end_ns: int, bounds: Sequence[Bound] = ()) -> Segments:
        """Return the files that may hold rows with `start_ns <= _time_ns < end_ns` and all bounds."""
        ...

    def added_since(self, version: int) -> Segments:
        """Return the files that brought new rows after an earlier version, oldest first; not compacted ones."""
        ...


class Table(Protocol):
    """The table `logs`, for readers."""

    def snapshot(self) -> Snapshot:
        """Return the newest version; costs a listing of the log, not a read of the table."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """What a query is about to have scanned, as far as it says where that is best done."""

    rows: int
    bytes: int  # of the files, all columns, as they lie there
    reduced: bool  # whether few of the rows come back: they are filtered, grouped, or the first are taken
    portable: bool  # whether every regex in it means the same to all engines, see `query.portable_regexes`


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine for a scan, and for people why that one; no reason is given where there was no choice."""

    engine: Engine
    why: str = ""


CONFINED: Final = "confined"
"""Name of an engine that gives the rows of one tenant: who asks is not told what columns the rows of others have."""


class Engine(Protocol):
    """What runs scans: one set of Narwhals expressions, here or on a cluster.

    Must: give rows of all files as one lazy frame with exactly the columns asked for, null where a file
    lacks one. May: reorder rows; leave out rows that are not in the `parts` of the segments. Must not: load more than
    the expressions need, or take a file that is not there for an empty one.

    Any thread may call. A file that vanished raises `FileNotFoundError`: a fresh snapshot answers. An engine that
    cannot be reached raises `EngineAwayError`.
    """

    name: str

    @property
    def warnings(self) -> Sequence[str]:
        """What who asked should know of how the scans ran."""
        ...

    @property
    def scan_bytes(self) -> int:
        """How many bytes of files one scan should hold: what takes a second or so."""
        ...

    def within(self, check: Callable[[], None]) -> Engine:
        """Return the engine for one query: a scan that takes long asks `check` meanwhile, which raises to end it."""
        ...

    def suited(self, work: Work) -> Choice:
        """Return by which engine this is best scanned: this one, or one that it stands for."""
        ...

    def scan(self, segments: Segments, columns: Mapping[str, pl.DataType]) -> Frame:
        """Return the rows of the segments, lazily."""
        ...

    def collect(self, frame: Frame) -> pl.DataFrame:
        """Run the expressions and return the result."""
        ...

    def batches(self, frame: Frame, *, ordered: bool = False) -> Iterator[pl.DataFrame]:
        """Run the expressions and return the result in pieces of bounded size, none of them empty.

        They come in any order, or `ordered` as the rows are stored, where the engine knows an order.
        """
        ...
