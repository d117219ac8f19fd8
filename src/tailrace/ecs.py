r"""The words of a file event: columns, actions and origins, by the names of the Elastic Common Schema.

One event is one row of the table `logs` with the label `source="file_events"`. On its way in it is one JSON document,
as Elastic's file-integrity modules write it (`{"@timestamp": …, "event": {"action": ["created"]}, "file": …}`), one a
line, so that our own events and those of other agents take the same way: the parser `file_integrity` makes the
columns below of it, `twin` folds them into the present state.

Reading order is `event_sequence`: it rises with each event of one host, also over restarts of its agent, and breaks
ties of equal times. Documents of other agents have none; their order is `_time_ns`, then the order in which they came.

A document may be nested (`{"file": {"path": …}}`) or dotted (`{"file.path": …}`), as Elastic takes both; the parser is
three times as fast with dotted ones, and our own source writes those: `member` names them. A member that is null costs.

A path is text. Bytes of a name that are no UTF-8 are written as `\xff` (backslash, x, two digits).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

Action = Literal[
    "initial_scan", "created", "updated", "attributes_modified", "moved", "deleted", "config_change", "none", "gap"
]
"""What happened; `gap` is ours: a span of time in which events may have been missed, closed by a rescan."""

Provider = Literal["fanotify", "inotify", "poll", "ebpf", "scan", "import"]
"""How an event was learned, column `event_provider`; `scan` is a difference that a rescan found."""

Confidence = Literal["exact", "merged", "synthetic", "inferred"]
"""Column `event_confidence`: as the kernel said it, of several merged by it, found by a scan, or concluded."""

MOMENT: Final = "%Y-%m-%dT%H:%M:%S%.9fZ"
"""How times of a file are written, for `Expr.dt.strftime`: always nine digits, since a rescan compares the texts."""

COLUMNS: Final[Mapping[str, pl.DataType]] = {
    "event_action": pl.String(),  # one action, or several joined by a comma in their order: `deleted,created`
    "event_kind": pl.String(),  # `event`; `state` for a gap
    "event_module": pl.String(),  # `file_integrity`
    "event_provider": pl.String(),
    "event_confidence": pl.String(),
    "event_reason": pl.String(),  # why it is told: `moved_in`, `moved_out`, `delete_tree`, `overflow`, `restart`, …
    "event_sequence": pl.Int64(),
    "event_start": pl.String(),  # of a gap or a folded act: its span, RFC 3339
    "event_end": pl.String(),
    "event_count": pl.Int64(),  # of a folded act: how many paths it was about
    "event_bytes": pl.Int64(),  # and the sizes of the files among them, if all are known
    "file_path": pl.String(),  # absolute
    "file_old_path": pl.String(),  # of a `moved` that knows both ends: where it was; `file_path` is where it is
    "file_type": pl.String(),  # file, dir, symlink, fifo, socket, char_device, block_device
    "file_target_path": pl.String(),  # of a symlink
    "file_size": pl.Int64(),  # bytes
    "file_allocated": pl.Int64(),  # bytes on disk, blocks times 512
    "file_links": pl.Int64(),  # names of the inode
    "file_inode": pl.String(),
    "file_device": pl.String(),  # what makes inode numbers unique on the host: the file system's UUID, else its device
    "file_mode": pl.String(),  # four octal digits, `0640`
    "file_uid": pl.String(),
    "file_gid": pl.String(),
    "file_owner": pl.String(),
    "file_group": pl.String(),
    "file_mtime": pl.String(),  # RFC 3339, up to nanoseconds, `Z`
    "file_ctime": pl.String(),
    "file_hash_xxh3": pl.String(),  # of the content, hexadecimal; further kinds are columns of their own
    "file_hash_sha256": pl.String(),
    "file_hash_blake3": pl.String(),
    "process_pid": pl.Int64(),
    "process_name": pl.String(),
    "process_executable": pl.String(),
    "process_command_line": pl.String(),
    "process_parent_pid": pl.Int64(),
    "user_id": pl.String(),
    "user_name": pl.String(),
    "container_id": pl.String(),
}
"""The columns of a file event that have a meaning here; a document's other members become columns as well."""

_DEEPER: Final = ("hash_", "parent_")  # second words of columns that are objects themselves


def member(column: str) -> str:
    """Return the dotted name of the member of a document that holds a column's value.

    >>> member("file_hash_xxh3"), member("process_command_line")
    ('file.hash.xxh3', 'process.command_line')
    """
    outer, _, inner = column.partition("_")
    deeper = next((word for word in _DEEPER if inner.startswith(word)), "")
    return f"{outer}.{deeper.replace('_', '.')}{inner.removeprefix(deeper)}"


GONE: Final = ("deleted", "moved")
"""Last actions after which a path is gone, when nothing else tells that it lives (`file_path` of a lone `moved`)."""

STREAM_SOURCE: Final = "file_events"
"""Value of the label `source` of all file events."""
