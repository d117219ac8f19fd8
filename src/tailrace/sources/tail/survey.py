"""What is known of followed files, seen from outside: for commands, while the agent runs or not.

Comes in: the folder of an agent's checkpoint, or a path and the settings of sources. Goes out: rows and reasons.
Nothing is locked, written or kept open; a log that is just being written is read up to its last whole record.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from tailrace.sources.tail import filestat, records, sniff
from tailrace.sources.tail.checkpoint import FORMAT, merge
from tailrace.sources.tail.compressed import codec_of
from tailrace.sources.tail.globs import Scope
from tailrace.sources.tail.identity import HEAD_BYTES, FileId
from tailrace.sources.tail.rotation import temporary
from tailrace.sources.tail.tracked import PARKED

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.sources.tail.checkpoint import Marks
    from tailrace.sources.tail.settings import TailSettings


@dataclass(frozen=True, slots=True)
class FollowedFile:
    """One file of a checkpoint, compared with the disk. What is not known is None."""

    agent: str
    source: str
    path: str
    state: str  # following, finished, parked, gone, replaced, unreadable
    offset: int
    size: int | None  # of the file now; None for one that is compressed or not there
    lag_bytes: int | None
    identity: str  # device, inode and birth, then the generation
    name: str  # the path under which its lines are stored


@dataclass(frozen=True, slots=True)
class Reason:
    """Whether a source follows a path, and why or why not."""

    source: str
    followed: bool
    why: str


def agents(data: Path) -> list[Path]:
    """Return the folders of the agents that left a checkpoint in a data folder."""
    return sorted(path.parent for path in (data / "agents").glob("*/checkpoint.log"))


def position(folder: Path) -> Marks:
    """Return what an agent's log says, with the batches that are on their way; empty if it says nothing."""
    try:
        data = (folder / "checkpoint.log").read_bytes()
    except FileNotFoundError:
        return {}
    found = cast("list[dict[str, Any]]", list(records.decode(data).records))  # proven by their checksums
    if not found or found[0].get("format") != FORMAT:
        return {}
    state: Marks = {}
    waiting: dict[int, Marks] = {}
    for record in found[1:]:
        if "state" in record:
            state, waiting = record["state"], dict(record["open"])
            continue
        for number in [*record["settled"], *record.get("dropped", ())]:
            done = waiting.pop(number, {})
            if number in record["settled"]:
                merge(state, done)
        waiting[record["plan"]] = record["marks"]
    for _, marks in sorted(waiting.items()):
        merge(state, marks)
    return state


def files(agent: str, state: Marks) -> list[FollowedFile]:
    """Return the files of a state, by source and path."""
    rows = [
        _row(agent, source, marks)
        for source, entries in state.items()
        for marks in entries.values()
        if isinstance(marks, dict) and "ino" in marks
    ]
    return sorted(rows, key=lambda row: (row.source, row.path, row.identity))


def _row(agent: str, source: str, entry: object) -> FollowedFile:
    marks = cast("dict[str, Any]", entry)  # as `Tracked.state` writes it
    known = FileId(int(marks["dev"]), int(marks["ino"]), int(marks["born"]))
    state, size = _on_disk(str(marks["path"]), known)
    if marks.get("gone"):
        state, size = "gone", None
    elif state == "following":
        state = "parked" if marks.get(PARKED) else "finished" if marks.get("finished") else state
    if marks.get("packed"):
        size = None
    offset = int(marks["offset"])
    lag = None if size is None else max(0, size - offset)
    identity = f"{known.dev:x}.{known.ino:x}.{known.born_ns:x}.{marks['generation']:x}"
    return FollowedFile(agent, source, str(marks["path"]), state, offset, size, lag, identity, str(marks["name"]))


def _on_disk(path: str, known: FileId) -> tuple[str, int | None]:
    """Return what has become of a file, and its size if it is still there."""
    try:
        found = filestat.look(path)
    except (FileNotFoundError, NotADirectoryError):
        return "gone", None
    except OSError:
        return "unreadable", None
    if not filestat.file_id(path, found).same(known):
        return "replaced", None
    return ("following" if os.access(path, os.R_OK) else "unreadable"), found.size


def same_file(path: str, rows: list[FollowedFile]) -> list[FollowedFile]:
    """Return the rows that are about the file at a path, under whatever name it is known."""
    try:
        number = filestat.file_id(path, filestat.look(path))
    except OSError:
        return [row for row in rows if path in {row.path, row.name}]
    start = f"{number.dev:x}.{number.ino:x}.{number.born_ns:x}."
    return [row for row in rows if row.identity.startswith(start)]


def reason(path: str, name: str, settings: TailSettings) -> Reason:
    """Return whether a source of these settings follows a path, and why."""
    scope = Scope(settings.paths, settings.exclude)
    wanted, left_out = scope.wanting(path), scope.excluding(path)
    if wanted is None:
        hidden = any(part.startswith(".") for part in path.split("/"))
        dots = "; names that begin with a dot are only followed when written out" if hidden else ""
        return Reason(name, followed=False, why=f"none of its paths matches{dots}")
    if left_out is not None:
        return Reason(name, followed=False, why=f"it matches {wanted}, and is excluded by {left_out!r}")
    refused = _refused(path, settings)
    return Reason(name, followed=not refused, why=refused or f"it matches {wanted}")


def _refused(path: str, settings: TailSettings) -> str:
    """Return why a file that is wanted is not read, or an empty text."""
    try:
        found = filestat.look(path)
        if not found.regular:
            return f"it is a {found.kind()}, not a file"
        with open(path, "rb") as file:
            start = file.read(HEAD_BYTES)
    except FileNotFoundError:
        return "there is no such file; it is read when it appears"
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"
    why = sniff.refuse_name(path) or temporary(path)
    if not why and not codec_of(start):
        why = sniff.refuse_head(start, sniff.encoding_at(start, settings.text()))
    return f"it is refused: {why}" if why else ""
