"""The seams of the source `file_events`: what learns of changes, what walks folders, what was known before.

=========  ===============================  ==============================================================
seam       implemented by                   called by
=========  ===============================  ==============================================================
`Backend`  `fanotify`, `inotify`, `poll`    the source, in its one reading thread
`Walk`     `scan.Scan`                      the source, between two reads: baseline, gaps, what was moved in
`Known`    the twin, where the table is      the walk, once per root
=========  ===============================  ==============================================================

Paths are bytes on this side, as the kernel has them; `metadata.text` makes the text of them that the table holds.

Order. One thread reads, looks (`lstat`) and numbers. A row of an event gets its number after its object was looked at,
and every change that comes after the look gives an event of its own, read later: a row with a larger number is never
staler. A walk sees what events that are not read yet will tell; so its rows wait until those are read, lose what
they touched, and are numbered then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import polars as pl

    from tailrace.ecs import Provider

CREATED: Final = 0x1
DELETED: Final = 0x2
MOVED: Final = 0x4
UPDATED: Final = 0x8
ATTRIBUTES: Final = 0x10
FOLDER: Final = 0x20
"""The object is a directory."""
MOVED_IN: Final = 0x40
"""With CREATED: it came from outside the scope."""
MOVED_OUT: Final = 0x80
"""With DELETED: it went out of the scope; a directory took with it what is below."""
SYNTHETIC: Final = 0x100
"""No event said so: it was found by looking."""
INFERRED: Final = 0x200
"""Concluded from something else, as two halves of a rename that were joined."""
EXCHANGED: Final = 0x400
"""The object changed places with another; its name lives on with other metadata."""

ACTIONS: Final = CREATED | DELETED | MOVED | UPDATED | ATTRIBUTES

Reason = Literal["baseline", "restart", "overflow", "moved_in", "unwatched", "exchanged"]
"""Why folders are walked, and why the rows that come of it are told."""


@dataclass(slots=True)
class Changes:
    """Events as columns, oldest first; all lists have the same length.

    One entry is one event as the kernel gave it, several actions of one object merged as bits. `stats` is the object
    as it was found at the path where it is now (`lstat`), None when it is not there any more, or is another one there.
    An entry with a stat lives; without one the last action decides.
    """

    bits: list[int] = field(default_factory=list)
    paths: list[bytes] = field(default_factory=list)  # where it was when it happened
    old_paths: list[bytes | None] = field(default_factory=list)  # of MOVED with both ends in scope
    stats: list[os.stat_result | None] = field(default_factory=list)
    inodes: list[int] = field(default_factory=list)  # of the object, also of one that is gone; 0 = unknown
    pids: list[int] = field(default_factory=list)  # 0 = unknown
    targets: dict[int, bytes] = field(default_factory=dict)  # of symlinks, by the place in the lists

    def add(
        self,
        bits: int,
        path: bytes,
        stat: os.stat_result | None = None,
        *,
        old_path: bytes | None = None,
        inode: int = 0,
        pid: int = 0,
    ) -> None:
        """Append one event."""
        self.bits.append(bits)
        self.paths.append(path)
        self.old_paths.append(old_path)
        self.stats.append(stat)
        self.inodes.append(inode)
        self.pids.append(pid)

    def __len__(self) -> int:
        return len(self.bits)


@dataclass(frozen=True, slots=True)
class Gap:
    """A span of time in which events of some folders may have been missed; a walk of them closes it."""

    roots: tuple[bytes, ...]
    start_ns: int
    end_ns: int
    reason: Reason


@dataclass(slots=True)
class News:
    """What one read of a back end found.

    `rows` are for back ends that compare listings: finished rows as a `Walk` gives them. `walk` names folders whose
    content has to be walked because no event will tell of it: moved in, or made before they were watched.
    """

    changes: Changes = field(default_factory=Changes)
    rows: pl.DataFrame | None = None
    gaps: list[Gap] = field(default_factory=list)
    walk: list[tuple[bytes, Reason]] = field(default_factory=list)
    silent: list[bytes] = field(default_factory=list)  # folders of whose content nothing is told yet; `walk` follows
    more: bool = False  # something waits already: read again without waiting


class Backend(Protocol):
    """One way to learn of changes below some roots.

    Must: be watching when the constructor returns, or say since when it is (`Slow`), so that a walk begun afterwards
    misses nothing; report what it
    lost as a `Gap`; leave out what the scope excludes; go on after any error of one path. Must not: block in `read`,
    raise for one path, write anywhere. Raises `OSError` from the constructor when it cannot work for a root at all:
    the source then tries the next one, and says so.

    One thread calls it.
    """

    provider: Provider

    @property
    def roots(self) -> Sequence[bytes]:
        """The roots that it watches: those that it was made for."""
        ...

    @property
    def handle(self) -> int | None:
        """A descriptor that is readable when there is news; None if only time tells."""
        ...

    def due_s(self, now_s: float) -> float | None:
        """Return in how many seconds `read` should be called although the handle is silent; None = only on news.

        A poll says when the next round begins; inotify when a half of a rename has waited long enough.
        """
        ...

    def read(self, events: int) -> News:
        """Return at most about so many events without waiting for any."""
        ...

    def unwatched(self) -> Sequence[tuple[bytes, str]]:
        """Return folders that it cannot watch although they are in its roots, and why; the source polls them."""
        ...

    @property
    def counters(self) -> Mapping[str, int]:
        """Return `queue` (events that wait, as far as known), `overflows`, `watches`, and what else it counts."""
        ...

    def close(self) -> None:
        """Release what it holds; nothing is read afterwards."""
        ...


@runtime_checkable
class Slow(Protocol):
    """A back end that watches only some readings after it was made; no walk of its roots begins before."""

    @property
    def watching(self) -> bool:
        """Whether it would tell of a change that happens now."""
        ...


class Walk(Protocol):
    """A walk under way, in steps, over one or more roots; the source takes a step between two reads of events.

    `scan.Scan(scope, devices, known=None)` makes one. Rows are events without time, number and process: `event_action`
    (`initial_scan`; after a gap `created`, `updated`, `attributes_modified`, `deleted`), `event_confidence`
    (`synthetic`), `event_reason` (that of `add`), and all `file_*` columns of `ecs`. Only differences to what is known
    of a root come out; with nothing known everything does: as `initial_scan` for `baseline` and `restart`, else as
    `created`. A directory's row comes before the rows of its content.

    Must: give the removal of what is known and gone, a removed directory by one row (its content goes with it). Must
    not: leave the file system of a root, follow symlinks, raise for one path.
    """

    def add(self, root: bytes, reason: Reason) -> None:
        """Walk a file or folder too, after what is being walked; while others are walked, too."""
        ...

    def step(self, entries: int) -> pl.DataFrame:
        """Look at so many entries more, about, and return their rows, possibly none."""
        ...

    @property
    def done(self) -> bool:
        """Whether everything added was walked."""
        ...

    @property
    def refused(self) -> Sequence[tuple[bytes, str]]:
        """Folders that could not be listed, and why."""
        ...


class Known(Protocol):
    """What is known of the files of this host; the twin, where the table is local."""

    def known(self, roots: Sequence[str]) -> pl.DataFrame:
        """Return one row per living path at or below the roots, with the `file_*` columns of `ecs`."""
        ...
