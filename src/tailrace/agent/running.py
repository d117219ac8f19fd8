"""The gathering half of an agent: turns of all feeds become batches, batches become durable.

One thread gathers, the one that calls `run`. A batch is numbered and planned before it is sent, and settled in the
order of the numbers: a later position must never be durable before an earlier batch is. So a batch of which every row
was dropped, and news of positions alone, wait in the same line as if they had been sent.

What a reload changes is done between two batches: see `Agent.change`.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

import polars as pl

from tailrace import limits
from tailrace.agent.feed import Ended, Feed, Turn, held_name
from tailrace.agent.gathering import MADE, Gathering, Share
from tailrace.agent.lag import Standing
from tailrace.batch import Batch
from tailrace.contracts import Begins, Reduced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.agent.feed import Parsers
    from tailrace.clock import Clock
    from tailrace.contracts import Reduction, Sink, Source
    from tailrace.sources.tail.checkpoint import Checkpoint
    from tailrace.telemetry import Accounts

_SLICE_S: Final = 0.05  # how long the gathering thread waits for a turn before it looks at the clock and the sink again


def _nothing() -> None:
    """Publish nothing: there is no reduction."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the agent is, in lines and bytes that are durable, and bytes known to wait."""

    lines: int
    bytes: int
    backlog_bytes: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch that is on its way: its number, what it settles and makes visible, and the promise."""

    number: int
    shares: Mapping[str, Share]
    marks: Mapping[str, Mapping[str, object]]
    publish: Sequence[Callable[[], None]]
    read_s: Mapping[str, float]  # when the oldest lines of each source were read
    done: Future[None]


@runtime_checkable
class Adopts(Protocol):
    """A source that can take over what another of the same name holds open: a file without a name is lost with it."""

    def adopt(self, old: Source) -> None:
        """Take over from a source that is not read any more; called after `restore`, before `read`."""
        ...


@runtime_checkable
class Keeps(Protocol):
    """A source that keeps in mind what is not durable yet."""

    def stored(self, state: Mapping[str, object]) -> None:
        """Take that a mark, and everything handed out before it, is durable; called in the gathering thread."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """What a reload does: sources that leave, sources that come, some under the name of one that leaves."""

    leave: Sequence[str] = ()
    come: Sequence[Source] = ()
    reduction: Reduction | None = None
    parsers: Parsers | None = None  # declared formats of the sources that come; None = the present ones
    swap_reduction: bool = False  # whether `reduction` takes the place of the present one, even if it is None
    retired: Callable[[], None] = _nothing  # called when all is published that the reduction before it did
    done: Future[None] = field(default_factory=Future)


class Agent:
    """Reads sources until it is told to stop or, when they are one-shot, until all are at their end.

    With `linger` it goes on when every source has ended: others may come.
    """

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
        reduction: Reduction | None = None,
        linger: bool = False,
        parsers: Parsers | None = None,
        batch_bytes: int = limits.COMMIT_BYTES,
    ) -> None:
        self._sink = sink
        self._batch_bytes = batch_bytes
        self._parsers = parsers or {}
        self._checkpoint = checkpoint
        self._accounts = accounts
        self._clock = clock
        self._interval_s = interval_s
        self._restamp = restamp
        self._reduction = reduction
        self._linger = linger
        self._turns: queue.Queue[Turn | Ended] = queue.Queue(maxsize=limits.TURN_QUEUE)
        self._stopping = threading.Event()
        self._feeds = {source.name: self._feed(source) for source in sources}
        self._ended: dict[str, Source] = {}  # one-shot sources that are at their end
        self._gathering = Gathering()
        self._sent: list[Sent] = []
        self._settled = 0  # batches
        self._sent_s = self._flushed_s = float("-inf")
        self._flushed = False  # for the last time
        self._changes: queue.SimpleQueue[Change] = queue.SimpleQueue()
        self._changing: Change | None = None
        self._coming: dict[str, Source] = {}  # of the change under way: they wait for the one before them
        self._durable_lines = 0
        self._durable_bytes = 0

    def run(self, progress: Callable[[Progress], None] | None = None) -> None:
        """Read until `stop` is called or every source is done; raises what stopped a reader or the sink."""
        self._checkpoint.recover(self._last_number())
        if self._reduction is not None:
            self._reduction.restore(self._position(MADE))
        for feed in self._feeds.values():
            self._start(feed)
        try:
            while not self._finished():
                self._gather()
                if progress is not None:
                    backlog = sum(source.backlog_bytes() for source in self.sources())
                    progress(Progress(self._durable_lines, self._durable_bytes, backlog))
        finally:
            self._stopping.set()
            self._unblock()
            for source in self.sources():
                source.close()
            self._checkpoint.close()
            self._give_up_changes()

    def stop(self) -> None:
        """Stop reading; `run` returns when what was read is durable."""
        self._stopping.set()

    def sources(self) -> list[Source]:
        """Return the sources that are read now, and one-shot ones that are at their end; from any thread."""
        return [feed.source for feed in list(self._feeds.values())] + list(self._ended.values())

    def standings(self) -> list[Standing]:
        """Return how things stand with each source that is read now; from any thread."""
        return [self._standing(feed) for feed in list(self._feeds.values())]

    def change(self, change: Change) -> Future[None]:
        """Change sources and reduction between two batches; from any thread, completed when it is done.

        A source that comes under the name of one that leaves goes on where that one stopped, and takes over what it
        holds open if it can (`Adopts`). One that leaves for good is read no further; what is known of it is kept.
        """
        self._changes.put(change)
        return change.done

    # --- the gathering thread -------------------------------------------------------------------

    def _last_number(self) -> int | None:
        agent = self._checkpoint.agent
        if isinstance(self._sink, Begins):
            return self._sink.begin(agent, self._checkpoint)
        return self._sink.last_number(agent)

    def _finished(self) -> bool:
        if self._feeds or self._sent or self._gathering.something() or not self._flushed:
            return False
        return self._stopping.is_set() or not self._linger

    def _gather(self) -> None:
        """Do one step: take a turn, send what is due, settle what is durable."""
        item = self._next()
        if isinstance(item, Ended):
            self._end(item)
        elif item is not None:
            self._take(item)
        now_s = self._clock.monotonic_s()
        last = not self._feeds and not (self._linger and not self._stopping.is_set())
        if last or now_s - self._flushed_s >= self._interval_s:
            self._flush(now_s, last=last)
        due = self._gathering.something() and (last or now_s - self._sent_s >= self._interval_s)
        marks_due = self._gathering.marks and (now_s - self._sent_s >= limits.MARKS_S or last)
        if due or marks_due or self._gathering.full(self._batch_bytes):
            self._send(now_s)
        self._settle(wait=last)
        self._begin_change(now_s)

    def _next(self) -> Turn | Ended | None:
        try:
            return self._turns.get(timeout=_SLICE_S)
        except queue.Empty:
            return None

    def _take(self, turn: Turn) -> None:
        frame = turn.frame()
        self._count_errors(turn.source, frame)
        if self._restamp and frame.height:
            frame = frame.with_columns(_time_ns=pl.col("_observed_ns") + pl.int_range(pl.len()))
        if self._reduction is None or not frame.height:
            reduced = Reduced(frame)
        else:
            reduced = self._reduction.reduce(frame, self._clock.now_ns())
        self._gathering.add(turn, reduced)

    def _count_errors(self, source: str, frame: pl.DataFrame) -> None:
        if "_error" in frame.columns:
            text = "Lines that did not fit their format; they are stored as they came, with `_error`."
            for error, count in frame["_error"].drop_nulls().value_counts().iter_rows():
                self._accounts.count("tailrace_parse_errors_total", text, count, source=source, error=error)

    def _flush(self, now_s: float, *, last: bool) -> None:
        """Take what the reduction has due by the time alone; everything when all sources are at their end."""
        self._flushed_s = now_s
        if self._reduction is not None and not self._flushed:
            final = last and not self._stopping.is_set()
            self._gathering.rows(MADE, self._reduction.flush(self._clock.now_ns(), final=final))
            if last and not final:
                self._reduction.stop()
            self._gathering.mark({MADE: self._reduction.mark()})
        self._flushed = last

    def _send(self, now_s: float, then: Callable[[], None] = _nothing) -> None:
        """Plan what was gathered, and send it if there is any row; `then` is called when all of it is durable."""
        gathering, self._gathering, self._sent_s = self._gathering, Gathering(), now_s
        publish = [then]
        if self._reduction is not None:
            gathering.mark({MADE: self._reduction.mark()})
            publish.insert(0, self._reduction.edition())
        position = self._checkpoint.plan(gathering.marks, batch=bool(gathering.frames))
        if gathering.frames:
            batch = Batch(gathering.frame(), gathering.source, *gathering.input(), position)
            done = self._sink.submit(batch)
        else:  # every row was dropped, or there is news of positions alone
            done = Future()
            done.set_result(None)
        sent = Sent(position.number, gathering.shares, gathering.marks, publish, gathering.read_s, done)
        self._sent.append(sent)

    def _settle(self, *, wait: bool) -> None:
        while self._sent and (wait or self._sent[0].done.done()):
            sent = self._sent[0]
            sent.done.result(timeout=limits.DRAIN_S if self._stopping.is_set() else None)
            self._checkpoint.settle(sent.number)
            self._settled += 1
            del self._sent[0]
            self._tell_stored(sent)
            for publish in sent.publish:
                publish()
            for source, share in sent.shares.items():
                self._account(source, share)

    def _tell_stored(self, sent: Sent) -> None:
        for feed in self._feeds.values():
            if feed.name in sent.marks and isinstance(feed.source, Keeps):
                feed.source.stored(sent.marks[feed.name])

    def _account(self, source: str, share: Share) -> None:
        self._durable_lines += share.lines()
        self._durable_bytes += share.bytes()
        if any(share.stored):
            self._accounts.settle(source, "stored", *share.stored)
        for rule, (lines, size) in share.reduced.items():
            self._accounts.settle(source, "reduced", lines, size)
            text = "Lines that were not stored, by the rule that dropped or counted them."
            self._accounts.count("tailrace_reduced_lines_total", text, lines, source=source, rule=rule)

    def _unblock(self) -> None:
        """Take what readers still want to hand over, so that they see the stop; it is read again next time."""
        while any(feed.alive() for feed in self._feeds.values()):
            self._next()

    def _standing(self, feed: Feed) -> Standing:
        held = [sent.read_s for sent in list(self._sent)]
        on_their_way = [times[feed.name] for times in (*held, self._gathering.read_s) if feed.name in times]
        return Standing(
            feed.name,
            feed.source.backlog_bytes(),
            self._accounts.of(feed.name).bytes["pending"],
            min(on_their_way, default=None),
            idle=feed.idle,
            beat_s=feed.beat_s,
            progress=self._settled,
        )

    # --- feeds that come and go -----------------------------------------------------------------

    def _feed(self, source: Source) -> Feed:
        return Feed(
            source,
            self._turns,
            accounts=self._accounts,
            clock=self._clock,
            stopping=self._stopping,
            parsers=self._parsers,
        )

    def _start(self, feed: Feed) -> None:
        feed.source.restore(self._position(feed.name))
        marks = dict(feed.source.mark())
        feed.start(self._position(held_name(feed.name)), counted=False)
        if marks:  # since when it looks: that must be known even if a crash comes before the first batch is stored
            self._checkpoint.settle(self._checkpoint.plan({feed.name: marks}, batch=False).number)

    def _position(self, name: str) -> dict[str, object]:
        """Return what is known under a name, with all that is on its way."""
        changes = [sent.marks.get(name, {}) for sent in self._sent]
        state = dict(self._checkpoint.state.get(name, {}))
        for changed in (*changes, self._gathering.marks.get(name, {})):
            state.update(changed)
        return {key: value for key, value in state.items() if value is not None}

    def _end(self, ended: Ended) -> None:
        feed = ended.feed
        if ended.error is not None:
            raise ended.error
        del self._feeds[feed.name]
        if self._changing is None or feed.name not in self._changing.leave:
            self._ended[feed.name] = feed.source
            return
        if feed.name in self._coming and not self._stopping.is_set():
            self._succeed(feed.source, self._coming.pop(feed.name))
        feed.source.close()

    def _succeed(self, old: Source, new: Source) -> None:
        """Let a source go on where another of its name stopped."""
        feed = self._feeds[new.name] = self._feed(new)
        new.restore(self._position(new.name))
        if isinstance(new, Adopts):
            new.adopt(old)
        feed.start(self._position(held_name(feed.name)), counted=True)

    def _begin_change(self, now_s: float) -> None:
        """Begin the next change at the border of a batch, or end the one under way."""
        change = self._changing
        if change is not None:
            if any(name in self._feeds and self._feeds[name].leaving() for name in change.leave):
                return
            self._changing = None
            change.done.set_result(None)
        if self._changes.empty() or self._stopping.is_set():
            return
        change = self._changing = self._changes.get()
        if change.swap_reduction:
            self._swap_reduction(change, now_s)
        elif self._gathering.something():
            self._send(now_s)
        if change.parsers is not None:
            self._parsers = change.parsers
        self._exchange(change)

    def _exchange(self, change: Change) -> None:
        """Let sources leave, and those begin whose name nobody has."""
        self._coming = {source.name: source for source in change.come}
        for name in change.leave:
            if name in self._feeds:
                self._feeds[name].leave(final=name not in self._coming)
            elif name in self._ended:
                self._ended.pop(name).close()
        for source in [one for name, one in self._coming.items() if name not in self._feeds]:
            del self._coming[source.name]
            feed = self._feeds[source.name] = self._feed(source)
            self._start(feed)

    def _swap_reduction(self, change: Change, now_s: float) -> None:
        """Go on with another reduction from the state of the present one."""
        if self._reduction is not None:
            self._reduction.stop()
        self._send(now_s, change.retired)
        if change.reduction is not None:
            change.reduction.restore(self._position(MADE))
        self._reduction = change.reduction

    def _give_up_changes(self) -> None:
        """Close what will never be read, and let nobody wait for a change that does not come."""
        for source in self._coming.values():
            source.close()
        changes = [] if self._changing is None else [self._changing]
        while not self._changes.empty():
            changes.append(self._changes.get())
            for source in changes[-1].come:
                source.close()
        for change in changes:
            change.done.cancel()
