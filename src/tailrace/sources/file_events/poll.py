"""Changes by comparing listings: for file systems that report none, network ones above all, and for other systems.

Every round walks the roots and compares what is there with what the round before saw: 33 bytes are remembered per
path, beside the path. A directory is listed again only if its names may have changed (`listings`), what is in it is
looked at in any case. A round may be in steps; the pause between two rounds is the period, and at least as long as a
round took, so that polling never has more than half of a file system's time. What begins and ends between two rounds
is not seen. A rename is told as a removal and a creation; nothing is concluded of folders that cannot be listed.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.sources.file_events import diff
from tailrace.sources.file_events.backend import News
from tailrace.sources.file_events.listings import Listings
from tailrace.sources.file_events.rows import texts
from tailrace.sources.file_events.scan import ROWS, Scan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.ecs import Provider
    from tailrace.sources.file_events.backend import Known
    from tailrace.sources.file_events.devices import Devices
    from tailrace.sources.file_events.scope import Scope


_ENTRIES: Final = 1_000  # of one reading: a network may need a millisecond for each


class Poll:
    """Walks some roots again and again; implements `backend.Backend` and `backend.Slow`.

    The first round tells nothing: what is told of the roots by a walk that begins after it is complete with what later
    rounds find. `known` is not used: the table's view is behind by what is on its way.
    """

    provider: Provider = "poll"
    handle: int | None = None

    def __init__(
        self,
        scope: Scope,
        roots: Sequence[bytes],
        clock: Clock,
        devices: Devices,
        *,
        known: Known | None = None,  # noqa: ARG002  the seam's
        period_s: float,
    ) -> None:
        self.roots: Sequence[bytes] = tuple(roots)
        self._scope = scope
        self._clock = clock
        self._devices = devices
        self._period_s = period_s
        self._memory = _Memory()
        self._listings = Listings(clock)
        self._named: list[pl.Series] = []  # paths that came or went in this round
        self._rounds = 0
        self._refused = 0
        if not any(os.path.lexists(root) or os.path.isdir(os.path.dirname(root)) for root in roots):
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(roots[0]))
        self._round = self._begin()

    @property
    def watching(self) -> bool:
        """Whether the first round is over."""
        return self._rounds > 0

    def due_s(self, now_s: float) -> float | None:
        """Return when the next step is due."""
        return 0.0 if not self._round.done else max(0.0, self._next_s - now_s)

    def read(self, events: int) -> News:
        """Go on with a round; begin one when it is time."""
        news = News()
        if self._round.done:
            if self._clock.monotonic_s() < self._next_s:
                return news
            self._round = self._begin()
        rows = self._round.step(min(events, _ENTRIES))
        if self.watching:
            named = rows.filter(pl.col("event_action").is_in(["created", "deleted"]))["file_path"]
            if len(named):
                self._named.append(named)
            news.rows = rows.with_columns(event_reason=pl.lit(None, ROWS["event_reason"]))
        if self._round.done:
            self._finish()
        return news

    def unwatched(self) -> Sequence[tuple[bytes, str]]:
        """Return nothing: everything that can be listed is polled."""
        return ()

    @property
    def counters(self) -> Mapping[str, int]:
        """Return how many rounds were made, and what is remembered."""
        return {
            "queue": 0,
            "overflows": 0,
            "watches": 0,
            "poll_rounds": self._rounds,
            "polled": len(self._memory.rows),
            "listings_spared": self._listings.spared,
            "refused": self._refused,
        }

    def close(self) -> None:
        """Release what is open."""
        self._round.close()

    def _begin(self) -> Scan:
        self._began_s = self._clock.monotonic_s()
        scan = Scan(self._scope, self._devices, self._memory, remember=True, names=self._listings.names)
        for root in self.roots:
            scan.add(root, "unwatched")
        return scan

    def _finish(self) -> None:
        """Remember what the round saw, and what was seen before where it was refused."""
        now_s = self._clock.monotonic_s()
        self._next_s = now_s + max(self._period_s, now_s - self._began_s)
        self._rounds += 1
        refused = self._round.refused
        self._refused = len(refused)
        folders = texts([os.fsdecode(path) for path, _ in refused]).to_list()
        self._memory.replace(self._round.seen(), folders)
        named, self._named = self._named, []
        told = pl.concat(named) if named else pl.Series(dtype=pl.String)
        whole = self._round.refusals == len(refused)
        self._listings.finish(self._memory.rows, told, [os.fsdecode(path) for path, _ in refused] if whole else None)


class _Memory:
    """What the last round saw; implements `Known`, with lean rows."""

    def __init__(self) -> None:
        self.rows = pl.DataFrame(schema=diff.LEAN)

    def known(self, roots: Sequence[str]) -> pl.DataFrame:
        """Return the rows at or below roots."""
        return self.rows.filter(pl.col("file_path").is_in(list(roots)) | diff.below(roots))

    def replace(self, seen: pl.DataFrame, refused: Sequence[str]) -> None:
        """Take what a round saw; what was known below `refused` stays."""
        kept = self.rows.filter(diff.below(refused)) if refused else self.rows.clear()
        self.rows = pl.concat([diff.missing(kept, seen), seen])
