"""One source on its way into batches: a thread reads it, parsers beside it make frames of what it hands out.

Comes in: a source and where it goes on. Goes out, into the queue of the agent: a `Turn` for all that was handed out at
once, in order, and an `Ended` as the last thing. A fault in a format costs no line and stops no other file; a fault of
the source itself is handed on with `Ended`.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.batch import stack
from tailrace.parse.chain import Chain, Parsed

if TYPE_CHECKING:
    import queue
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.contracts import Block, Source
    from tailrace.telemetry import Accounts

Marks = dict[str, dict[str, object]]
"""Changes of position by the name under which the checkpoint keeps them."""

WAIT_S: Final = 0.5
"""How long a source waits for news in one turn; a stop is seen after that at the latest."""

_EMPTY: Final = pl.DataFrame()


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
    ) -> None:
        self.source = source
        self.name = source.name
        self._turns = turns
        self._accounts = accounts
        self._clock = clock
        self._stopping = stopping  # of the whole agent
        self._leaving = threading.Event()  # of this feed
        self._chain = Chain()
        self._thread = threading.Thread(target=self._run, name=f"read-{self.name}")

    def start(self) -> None:
        """Begin to read; the source was restored before."""
        self._thread.start()

    def leave(self) -> None:
        """Stop after the turn that is under way."""
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
                        break
        except BaseException as raised:  # noqa: BLE001 - it is raised again in the gathering thread
            error = raised
        self._turns.put(Ended(self, error))

    def _turn(self, pool: ThreadPoolExecutor) -> Turn:
        blocks = self.source.read(limits.READ_TURN_BYTES, WAIT_S)
        if not blocks:
            return Turn(self.name, marks=self._marks())
        read_s = self._clock.monotonic_s()
        chain = self._chain
        try:
            prepared = chain.prepare(blocks)
            work = pool.submit(chain.work, prepared) if prepared.free else _done(chain.work(prepared))
        except Exception:  # noqa: BLE001 - as in `_salvage`
            parsed = self._salvage(blocks)
            self._accounts.read(self.name, parsed.lines, parsed.bytes)
            return Turn(
                self.name,
                parsed.lines,
                parsed.bytes,
                self._marks(),
                read_s,
                lambda: _counted(parsed.frame, parsed.bytes),
            )

        def frame() -> pl.DataFrame:
            try:
                parsed = chain.finish(prepared, work.result())
            except Exception:  # noqa: BLE001 - as in `_salvage`
                parsed = self._salvage(blocks)
            return _counted(parsed.frame, parsed.bytes)

        self._accounts.read(self.name, prepared.lines, prepared.bytes)
        return Turn(self.name, prepared.lines, prepared.bytes, self._marks(), read_s, frame)

    def _marks(self) -> Marks:
        """Return what changed since the last turn, by the name under which the checkpoint keeps it."""
        marks = {self.name: dict(self.source.mark())}
        return {name: changes for name, changes in marks.items() if changes}

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


def _done(pieces: list[pl.DataFrame]) -> Future[list[pl.DataFrame]]:
    done: Future[list[pl.DataFrame]] = Future()
    done.set_result(pieces)
    return done


def _counted(frame: pl.DataFrame, size: int) -> pl.DataFrame:
    """Return the rows with the lines and bytes of input that each was made of."""
    if "_in_lines" in frame.columns:
        return frame
    rest = pl.when(pl.int_range(pl.len()) == 0).then(size).otherwise(0)
    return frame.with_columns(_in_lines=pl.lit(1, pl.Int64), _in_bytes=rest.cast(pl.Int64))
