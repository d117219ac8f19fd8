"""The reading half, wired: sources are read and parsed, turns gathered into batches, batches made durable.

One thread per source reads (a *turn*) and hands the lines to parsers beside it; the calling thread gathers turns
in their order into a batch, makes its plan durable in the checkpoint, and hands it to the sink. So reading, parsing
and writing use all cores, and a slow sink stops the readers through bounded queues.

Exactly once: a batch is numbered and planned before it is sent; the table remembers the number with the rows.
After a crash the checkpoint asks the sink for the last number it holds, takes the plans up to it as done, and
everything else is read again from the position before.
"""

from __future__ import annotations

import queue
import re
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl

from tailrace import limits
from tailrace.batch import Batch, stack
from tailrace.clock import SystemClock
from tailrace.parse.chain import Chain, Parsed
from tailrace.patience import Patience
from tailrace.sinks.store import StoreSink
from tailrace.sources.tail import TailSettings, TailSource
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tailrace.clock import Clock
    from tailrace.config.model import Config
    from tailrace.contracts import Block, Followed, Sink, Source

_EMPTY = pl.DataFrame()
_SLICE_S = 0.05  # how long the gathering thread waits for a turn before it looks at the clock and the sink again


@dataclass(frozen=True, slots=True)
class Turn:
    """What one source handed out at once, on its way through a parser, with the position after it."""

    source: str
    lines: int
    bytes: int
    marks: Mapping[str, object]
    frame: Callable[[], pl.DataFrame]  # waits for the parser; called once, in the order of the turns


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the agent is, in lines and bytes that are durable, and bytes known to wait."""

    lines: int
    bytes: int
    backlog_bytes: int


@dataclass(slots=True)
class _Gathering:
    """Turns on their way into the next batch."""

    turns: list[Turn] = field(default_factory=list)
    frames: list[pl.DataFrame] = field(default_factory=list)
    marks: dict[str, dict[str, object]] = field(default_factory=dict)
    lines: int = 0
    bytes: int = 0

    def add(self, turn: Turn, frame: pl.DataFrame) -> None:
        self.marks.setdefault(turn.source, {}).update(turn.marks)
        if turn.lines:
            self.turns.append(turn)
            self.frames.append(frame)
            self.lines += turn.lines
            self.bytes += turn.bytes

    def full(self) -> bool:
        return self.lines >= limits.COMMIT_ROWS or self.bytes >= limits.COMMIT_BYTES


@dataclass(frozen=True, slots=True)
class _Sent:
    """A batch that is on its way: its number, what it settles, and the promise."""

    number: int
    shares: Mapping[str, tuple[int, int]]
    done: Future[None]


class Agent:
    """Reads sources until it is told to stop or, when they are one-shot, until all are at their end."""

    def __init__(
        self,
        sources: Sequence[Source],
        sink: Sink,
        checkpoint: Checkpoint,
        *,
        accounts: Accounts,
        clock: Clock,
        interval_s: float = limits.COMMIT_INTERVAL_S,
        restamp: bool = False,
    ) -> None:
        self._sources = sources
        self._sink = sink
        self._checkpoint = checkpoint
        self._accounts = accounts
        self._clock = clock
        self._interval_s = interval_s
        self._restamp = restamp
        self._turns: queue.Queue[Turn | BaseException | None] = queue.Queue(maxsize=limits.TURN_QUEUE)
        self._stopping = threading.Event()
        self._sent: list[_Sent] = []
        self._durable_lines = 0
        self._durable_bytes = 0

    def run(self, progress: Callable[[Progress], None] | None = None) -> None:
        """Read until `stop` is called or every source is done; raises what stopped a reader or the sink."""
        self._checkpoint.recover(self._sink.last_number(self._checkpoint.agent))
        for source in self._sources:
            source.restore(self._checkpoint.state.get(source.name, {}))
        readers = [threading.Thread(target=self._read, args=(s,), name=f"read-{s.name}") for s in self._sources]
        for reader in readers:
            reader.start()
        try:
            self._gather(len(readers), progress)
        finally:
            self._stopping.set()
            self._unblock(readers)
            for source in self._sources:
                source.close()
            self._checkpoint.close()

    def stop(self) -> None:
        """Stop reading; `run` returns when what was read is durable."""
        self._stopping.set()

    # --- one thread per source ------------------------------------------------------------------

    def _read(self, source: Source) -> None:
        chain = Chain()
        try:
            with ThreadPoolExecutor(limits.PARSERS, thread_name_prefix="parse") as pool:
                while not self._stopping.is_set():
                    turn = self._turn(source, chain, pool)
                    if turn.lines or turn.marks:
                        self._turns.put(turn)
                    elif source.done:
                        break
        except BaseException as error:  # noqa: BLE001 - it is raised again in the gathering thread
            self._turns.put(error)
        else:
            self._turns.put(None)

    def _turn(self, source: Source, chain: Chain, pool: ThreadPoolExecutor) -> Turn:
        blocks = source.read(limits.READ_TURN_BYTES, 0.5)
        marks = source.mark()
        if not blocks:
            return Turn(source.name, 0, 0, marks, lambda: _EMPTY)
        try:
            prepared = chain.prepare(blocks)
            work = pool.submit(chain.work, prepared) if prepared.free else _done(chain.work(prepared))
        except Exception:  # noqa: BLE001 - as in `_salvage`
            parsed = self._salvage(blocks)
            self._accounts.read(source.name, parsed.lines, parsed.bytes)
            return Turn(source.name, parsed.lines, parsed.bytes, marks, lambda: parsed.frame)

        def frame() -> pl.DataFrame:
            try:
                return chain.finish(prepared, work.result()).frame
            except Exception:  # noqa: BLE001 - as in `_salvage`
                return self._salvage(blocks).frame

        self._accounts.read(source.name, prepared.lines, prepared.bytes)
        return Turn(source.name, prepared.lines, prepared.bytes, marks, frame)

    def _count_errors(self, source: str, frame: pl.DataFrame) -> None:
        if "_error" in frame.columns:
            text = "Lines that did not fit their format; they are stored as they came, with `_error`."
            for error, count in frame["_error"].drop_nulls().value_counts().iter_rows():
                self._accounts.count("tailrace_parse_errors_total", text, count, source=source, error=error)

    def _salvage(self, blocks: Sequence[Block]) -> Parsed:
        """Parse a turn on which a format failed: block by block, and a block that fails as plain, marked lines.

        A fault in one format must not stop the other files, nor lose a line.
        """
        if len(blocks) > 1:
            parts = [self._salvage([block]) for block in blocks]
            total = (sum(part.lines for part in parts), sum(part.bytes for part in parts))
            return Parsed(stack([part.frame for part in parts]), *total)
        try:
            return Chain().parse(blocks)
        except Exception:  # noqa: BLE001 - see above
            self._accounts.count("tailrace_parser_failures_total", "Blocks stored as plain lines: their parser failed.")
        plain = replace(blocks[0].origin, reading=replace(blocks[0].origin.reading, format="plain"))
        parsed = Chain().parse([replace(blocks[0], origin=plain)])
        return replace(parsed, frame=parsed.frame.with_columns(_error=pl.lit("ParserFailure")))

    # --- the gathering thread -------------------------------------------------------------------

    def _gather(self, reading: int, progress: Callable[[Progress], None] | None) -> None:
        gathering = _Gathering()
        sent_s = float("-inf")
        while reading or gathering.turns or self._sent:
            turn = self._next()
            if isinstance(turn, BaseException):
                raise turn
            if turn is None:
                reading -= 1
            elif turn is not _NOTHING:
                gathering.add(turn, self._frame(turn))
            now_s = self._clock.monotonic_s()
            due = gathering.turns and (now_s - sent_s >= self._interval_s or not reading)
            if due or gathering.full():
                self._send(gathering)
                gathering, sent_s = _Gathering(), now_s
            self._settle(wait=not reading and not gathering.turns)
            if gathering.marks and not gathering.turns and (not reading or now_s - sent_s >= limits.MARKS_S):
                # News of positions alone, a generation or a forgotten file: nothing to commit, so done at once.
                self._checkpoint.settle(self._checkpoint.plan(gathering.marks).number)
                gathering, sent_s = _Gathering(), now_s
            if progress is not None:
                backlog = sum(source.backlog_bytes() for source in self._sources)
                progress(Progress(self._durable_lines, self._durable_bytes, backlog))

    def _frame(self, turn: Turn) -> pl.DataFrame:
        frame = turn.frame()
        self._count_errors(turn.source, frame)
        if self._restamp and turn.lines:
            return frame.with_columns(_time_ns=pl.col("_observed_ns") + pl.int_range(pl.len()))
        return frame

    def _next(self) -> Turn | BaseException | None:
        try:
            return self._turns.get(timeout=_SLICE_S)
        except queue.Empty:
            return _NOTHING

    def _send(self, gathering: _Gathering) -> None:
        position = self._checkpoint.plan(gathering.marks)
        shares: dict[str, tuple[int, int]] = {}
        for turn in gathering.turns:
            lines, size = shares.get(turn.source, (0, 0))
            shares[turn.source] = (lines + turn.lines, size + turn.bytes)
        frame = stack(gathering.frames)
        source = gathering.turns[0].source
        done = self._sink.submit(Batch(frame, source, gathering.lines, gathering.bytes, position))
        self._sent.append(_Sent(position.number, shares, done))

    def _settle(self, *, wait: bool) -> None:
        while self._sent and (wait or self._sent[0].done.done()):
            sent = self._sent[0]
            sent.done.result(timeout=limits.DRAIN_S if self._stopping.is_set() else None)
            self._checkpoint.settle(sent.number)
            del self._sent[0]
            for source, (lines, size) in sent.shares.items():
                self._accounts.settle(source, "stored", lines, size)
                self._durable_lines += lines
                self._durable_bytes += size

    def _unblock(self, readers: Sequence[threading.Thread]) -> None:
        """Take what readers still want to hand over, so that they see the stop; it is read again next time."""
        while any(reader.is_alive() for reader in readers):
            self._next()


_NOTHING = Turn("", 0, 0, {}, lambda: _EMPTY)


def _done(pieces: list[pl.DataFrame]) -> Future[list[pl.DataFrame]]:
    done: Future[list[pl.DataFrame]] = Future()
    done.set_result(pieces)
    return done


@dataclass(frozen=True, slots=True)
class Summary:
    """What an import brought into the table."""

    lines: int
    bytes: int
    files: int
    seconds: float
    refused: tuple[Followed, ...]  # what was found and not read, and why
    warnings: tuple[str, ...]  # about the memory of earlier imports
    complete: bool  # whether everything was read; false after a stop


def collect(
    config: Config,
    paths: Sequence[str],
    *,
    group: str = "collect",
    now: bool = False,
    watch: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Import files into the table, durably, and return; with `watch` go on until told to stop.

    A group remembers what it has read: a second import of the same files brings only what is new. `now`
    replaces every time stamp by the moment of reading.
    """
    clock, accounts = SystemClock(), Accounts()
    start_s = clock.monotonic_s()
    # A one-shot import commits as fast as it can; who follows gathers small writes, as `up` does.
    store = config.store if watch else config.store.model_copy(update={"commit_interval_s": 0.0})
    table = LogTable.open(config.data, create=True, settings=store)
    patience = Patience(clock, store.retry_s)
    checkpoint = Checkpoint.open(config.data / "agents" / group, agent_name=group, patience=patience)
    settings = TailSettings(name=group, paths=tuple(paths), follow=watch)
    source = TailSource(outside(config.data, settings), name=group, clock=clock, host=config.host)
    sink = StoreSink(table, clock=clock, settings=store, patience=patience)
    agent = Agent([source], sink, checkpoint, accounts=accounts, clock=clock, restamp=now)

    def stop() -> None:
        agent.stop()
        patience.hurry()

    try:
        with stop_on_signals(stop):
            agent.run(progress)
    finally:
        sink.close()
    stored, found = accounts.of(group), source.status()
    refused = tuple(item for item in found if item.why)
    return Summary(
        lines=stored.lines["stored"],
        bytes=stored.bytes["stored"],
        files=len(found) - len(refused),
        seconds=clock.monotonic_s() - start_s,
        refused=refused,
        warnings=tuple(checkpoint.warnings),
        complete=watch or source.done,
    )


def outside(data: Path, settings: TailSettings) -> TailSettings:
    """Return the settings with our own data folder left out: each commit would be read as news, and make a commit."""
    own = re.sub(r"([*?\[])", r"[\1]", str(data.absolute()))
    return settings.model_copy(update={"exclude": (*settings.exclude, own)})


@contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first SIGTERM or SIGINT; a second one ends the process at once, which loses nothing."""

    def on_signal(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
