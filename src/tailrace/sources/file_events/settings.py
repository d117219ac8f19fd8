"""The settings of the source of file events."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tailrace import limits
from tailrace.settings import Settings

BackendName = Literal["auto", "fanotify", "inotify", "poll"]
HashName = Literal["xxh3", "sha256", "blake3"]


class FileEventsSettings(Settings):
    """Watch files and folders: what is made, written, renamed and removed, and by whom."""

    type: Literal["file_events"] = "file_events"
    """The kind of source."""

    name: Annotated[str, Field(min_length=1)] = "file_events"
    """Name of this source: the key of its position. Unique in a configuration. The label `source` of its events is
    `file_events` always, the label `service_name` is this name."""

    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    """Files and folders, each with everything below it, on all file systems that are mounted there."""

    exclude: tuple[str, ...] = ()
    """Patterns of paths to leave out, with everything below them: `*` and `?` match within a name, `**` any number of
    folders. A pattern that begins with a slash is a whole path, another one is looked for at any depth. The folder of
    Tailrace's own data is left out always."""

    backend: BackendName = "auto"
    """How to learn of changes. `auto` takes the best that works, per file system: `fanotify` (root: a whole file system
    and who did it), `inotify` (any user: folder by folder), `poll` (anything that can be listed, network file systems
    among it)."""

    scan_at_start: bool = True
    """Look at everything at the start: tell all that is there the first time, and later what changed while nobody
    watched. Without it only changes from now on are told."""

    scan_rate: Annotated[int, Field(ge=0)] = 100_000
    """Files and folders that a scan looks at in a second, at most; 0 is no limit."""

    poll_s: Annotated[float, Field(ge=0.1)] = 30.0
    """Seconds between two rounds of `poll`."""

    hash: tuple[HashName, ...] = ()
    """Hashes of the content to add to events of files that were made or written: `xxh3` tells that it changed,
    `sha256` and `blake3` are evidence."""

    hash_max_bytes: Annotated[int, Field(ge=0)] = 100 * limits.MIB
    """A larger file gets no hash."""

    hash_rate_bytes: Annotated[int, Field(ge=0)] = 50 * limits.MIB
    """Bytes that are read for hashes in a second, at most; 0 is no limit."""

    who: Literal["auto", "proc", "off"] = "auto"
    """Where to learn who did it: `auto` from the kernel (eBPF) where that is allowed, else from `/proc`, which does not
    know processes that are gone already; `off` stores the process id alone. What is not known stays empty."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Further labels of every event."""
