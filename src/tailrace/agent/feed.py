"""One source on its way into batches: a thread reads it, parsers beside it make frames of what it hands out.

Comes in: a source and where it goes on. Goes out, into the queue of the agent: a `Turn` for all that was handed out at
once, in order, and an `Ended` as the last thing. A fault in a format costs no line and stops no other file; a fault of
the source itself is handed on with `Ended`.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, runtime_checkable

import polars as pl

from tailrace import limits
from tailrace.batch import stack
from tailrace.parse.chain import Chain
from tailrace.parse.turn import Parsed

if TYPE_CHECKING:
    import queue
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from tailrace.clock import Clock
    from tailrace.contracts import Block, Parser, Source
    from tailrace.parse.turn import Prepared
    from tailrace.telemetry import Accounts

Parsers: TypeAlias = "Mapping[str, Callable[[], Parser]]"
"""What makes the parsers of declared formats, by name."""

Marks = dict[str, dict[str, object]]
"""Changes of position by the name under which the checkpoint keeps them."""

FINISH_S: Final = 2.0
"""How long a source that is stopped may hand out what the kernel holds for it."""

WAIT_S: Final = 0.5
"""How long a source waits for news in one turn; a stop is seen after that at the latest."""

_EMPTY: Final = pl.DataFrame()
_FAILED: Final = "ParserFailure"


@dataclass(frozen=True, slots=True)
class Turn:
    """What one source handed out at once, on its way through a parser, with the position after it."""

    source: str
    lines: int = 0
    bytes: int = 0
    marks: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    read_s: float = 0.0  # when it was read, on the monotonic clock
    frame: Callable[[], pl.DataFrame] = lambda: _EMPTY  # waits for the parser; called once, in the order of the turns


@dataclass(frozen=True, slots=True)
class Ended:
    """The last word of a feed: it was told to stop, its source is done, or it broke."""

    feed: Feed
    error: BaseException | None = None


@runtime_checkable
class Finishes(Protocol):
    """A source for which news wait that nobody has after its end: what a queue of the kernel holds."""

    def finish(self) -> None:
        """Begin nothing more: hand out what waits, and be `done` then."""
        ...


class Feed:
    """One source with its chain and its thread."""

    def __init__(
        self,
        source: Source,
        turns: queue.Queue[Turn | Ended],
        *,
        accounts: Accounts,
        clock: Clock,
        stopping: threading.Event,
        parsers: Parsers,
    ) -> None:
        self.source = source
        self.name = source.name
        self.idle = True  # the last reading found nothing
        self.beat_s = clock.monotonic_s()  # when the last reading came back
        self._turns = turns
        self._accounts = accounts
        self._clock = clock
        self._stopping = stopping  # of the whole agent
        self._leaving = threading.Event()  # of this feed
        self._parsers = parsers
        self._chain = Chain(parsers)
        self._parsing = threading.Lock()  # turns are finished in the gathering thread, flushes in ours
        self._final = False
        self._flushed_s = clock.monotonic_s()
        self._read_ns = clock.now_ns()  # when the last read ended: what came to the files since is not waited for yet
        self._thread = threading.Thread(target=self._run, name=f"read-{self.name}")

    def start(self, held: Mapping[str, object], *, counted: bool) -> None:
        """Begin to read; the source was restored before, `held` is what its chain had not given out.

        What is held was read by an earlier process, unless it is `counted` as pending in this one already.
        """
        self._chain.restore(held)
        if not counted:
            self._accounts.read(self.name, *self._chain.pending())
        self._thread.start()

    def leave(self, *, final: bool) -> None:
        """Stop after the turn that is under way; with `final` nobody goes on, and nothing may stay held."""
        self._final = final
        self._leaving.set()

    def leaving(self) -> bool:
        """Tell whether it was told to stop."""
        return self._leaving.is_set()

    def alive(self) -> bool:
        """Tell whether the thread still wants to hand something over."""
        return self._thread.is_alive()

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            with ThreadPoolExecutor(limits.PARSERS, thread_name_prefix="parse") as pool:
                while not (self._stopping.is_set() or self._leaving.is_set()):
                    turn = self._turn(pool)
                    if turn.lines or turn.marks:
                        self._turns.put(turn)
                    elif self.source.done:
                        self._final = True
                        break
                    self._flush(final=False)
                self._finish(pool)
                if self._final and not self._stopping.is_set():
                    self._flush(final=True)
        except BaseException as raised:  # noqa: BLE001 - it is raised again in the gathering thread
            error = raised
        self._turns.put(Ended(self, error))

    def _finish(self, pool: ThreadPoolExecutor) -> None:
        """Hand over what would be lost with the source, for a bounded time."""
        source = self.source
        if not isinstance(source, Finishes) or source.done:
            return
        source.finish()
        until_s = self._clock.monotonic_s() + FINISH_S
        while not source.done and self._clock.monotonic_s() < until_s:
            turn = self._turn(pool)
            if turn.lines or turn.marks:
                self._turns.put(turn)

    def _turn(self, pool: ThreadPoolExecutor) -> Turn:
        blocks = self.source.read(limits.READ_TURN_BYTES, WAIT_S)
        self._read_ns = self._clock.now_ns()
        self.idle, self.beat_s = not blocks, self._clock.monotonic_s()
        if not blocks:
            return Turn(self.name, marks=self._marks())
        read_s = self.beat_s
        try:
            prepared = self._chain.prepare(blocks)
        except Exception:  # noqa: BLE001 - as in `_salvage`
            parsed = self._salvage(blocks)
            self._accounts.read(self.name, parsed.lines, parsed.bytes)
            return Turn(self.name, parsed.lines, parsed.bytes, self._marks(), read_s, lambda: parsed.frame)
        work = pool.submit(self._chain.work, prepared)
        self._accounts.read(self.name, prepared.lines, prepared.bytes)
        marks = self._marks()
        return Turn(self.name, prepared.lines, prepared.bytes, marks, read_s, lambda: self._frame(prepared, work))

    def _flush(self, *, final: bool) -> None:
        """Hand over records whose wait is over."""
        now_s = self._clock.monotonic_s()
        if not (final or now_s - self._flushed_s >= WAIT_S) or self._chain.pending() == (0, 0):
            return
        self._flushed_s = now_s
        with self._parsing:
            parsed = self._chain.flush(self._read_ns, final=final)
        self._count_work()
        if parsed.frame.height:
            self._turns.put(Turn(self.name, marks=self._marks(), read_s=now_s, frame=lambda: parsed.frame))

    def _marks(self) -> Marks:
        """Return what changed since the last turn, by the name under which the checkpoint keeps it."""
        marks = {self.name: dict(self.source.mark()), held_name(self.name): dict(self._chain.mark())}
        return {name: changes for name, changes in marks.items() if changes}

    # --- faults of a format ---------------------------------------------------------------------

    def _frame(self, prepared: Prepared, work: Future[list[pl.DataFrame]]) -> pl.DataFrame:
        """Return the rows of a turn; those that a parser fails on are plain lines, marked."""
        try:
            pieces = work.result()
            self._count_work()
            with self._parsing:
                return self._chain.finish(prepared, pieces).frame
        except Exception:  # noqa: BLE001 - a fault in one format must not stop the other files, nor lose a line
            pieces = [piece for one in _apart(prepared) for piece in self._survive(one)]
            with self._parsing:
                return self._chain.finish(prepared, pieces).frame

    def _survive(self, one: Prepared) -> list[pl.DataFrame]:
        try:
            pieces = self._chain.work(one)
            with self._parsing:
                self._chain.finish(one, pieces)
        except Exception:  # noqa: BLE001 - see above
            self._count_failure()
            return [piece.with_columns(_error=pl.lit(_FAILED)) for piece in self._chain.work(_plain(one))]
        return pieces

    def _salvage(self, blocks: Sequence[Block]) -> Parsed:
        """Parse a turn that could not even be prepared: block by block, and a block that fails as plain lines.

        What is open at the end of a block is handed out as it is.
        """
        if len(blocks) > 1:
            parts = [self._salvage([block]) for block in blocks]
            total = (sum(part.lines for part in parts), sum(part.bytes for part in parts))
            return Parsed(stack([part.frame for part in parts]), *total)
        try:
            return _whole(blocks, self._parsers)
        except Exception:  # noqa: BLE001 - see above
            self._count_failure()
        plain = replace(blocks[0].origin, reading=replace(blocks[0].origin.reading, format="plain"))
        parsed = _whole([replace(blocks[0], origin=plain)], {})
        return replace(parsed, frame=parsed.frame.with_columns(_error=pl.lit(_FAILED)))

    def _count_work(self) -> None:
        for parser, work in self._chain.done().items():
            for result, lines in (("matched", work.matched), ("unmatched", work.unmatched)):
                self._accounts.count(
                    "tailrace_parser_lines_total", "Lines given to a parser.", lines, parser=parser, result=result
                )
            text = "Time that a parser took for its lines."
            self._accounts.count("tailrace_parser_seconds_total", text, work.seconds, parser=parser)

    def _count_failure(self) -> None:
        self._accounts.count("tailrace_parser_failures_total", "Pieces stored as plain lines: their parser failed.")


def held_name(source: str) -> str:
    """Return the name under which the checkpoint keeps what the chain of a source holds."""
    return f"{source}/parse"


def _whole(blocks: Sequence[Block], parsers: Parsers) -> Parsed:
    """Parse blocks with nothing before and nothing after them."""
    chain = Chain(parsers)
    parsed = chain.parse(blocks)
    rest = chain.flush(0, final=True)
    return replace(parsed, frame=stack([parsed.frame, rest.frame])) if rest.frame.height else parsed


def _apart(prepared: Prepared) -> Iterator[Prepared]:
    """Yield the rows to parse of each file by itself."""
    for job in prepared.jobs:
        for group in job.groups:
            for origin in group.origins:
                rows = job.rows.filter(pl.col("_origin") == origin)
                alone = replace(job, rows=rows, groups=[replace(group, origins=(origin,))], text=None)
                yield replace(prepared, jobs=[alone], ready=[])


def _plain(one: Prepared) -> Prepared:
    return replace(
        one, jobs=[replace(job, groups=[replace(each, format="plain") for each in job.groups]) for job in one.jobs]
    )
