"""`tailrace explain file PATH`: whether a file is followed, by what, from where, and why not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tailrace.cli import follow_state, output
from tailrace.sources.tail import survey

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.config.model import Config


@dataclass(frozen=True, slots=True)
class FileExplained:
    """The answer about one path."""

    path: str
    followed: bool
    reasons: tuple[survey.Reason, ...]  # one for each source of files in the configuration
    known: tuple[survey.FollowedFile, ...]  # what the checkpoints say about this file, under any name


def explain_file(path: str, config: Config) -> FileExplained:
    """Return why a path is followed or not, by the configuration and by what was read so far."""
    from tailrace.agent.wiring import outside

    reasons = tuple(
        survey.reason(path, source.name, outside(config.data, source))
        for source in config.sources
        if source.type == "files"
    )
    known = survey.same_file(path, follow_state.rows(config.data))
    return FileExplained(path, any(reason.followed for reason in reasons), reasons, tuple(known))


def show(found: FileExplained, *, json: bool) -> None:
    """Print the answer."""
    if json:
        output.as_json(asdict(found))
        return
    known = any(row.state == "following" for row in found.known)  # by `up PATH…`, or an import
    refused = "not followed by this configuration" if known else "not followed"
    output.line(f"{found.path}: {'followed' if found.followed else refused}")
    for reason in found.reasons:
        output.line(f"  source {reason.source}: {'yes' if reason.followed else 'no'}, {reason.why}")
    if not found.reasons:
        output.line("  the configuration has no source of files")
    for row in found.known:
        output.line(f"  {_far(row)}")
    if not found.known:
        output.line("  nothing was read of it so far")


def _far(row: survey.FollowedFile) -> str:
    """Say how far an agent has read a file."""
    lag = "" if not row.lag_bytes else f", {row.lag_bytes:,} bytes wait"
    size = "" if row.size is None else f" of {row.size:,}"
    under = "" if row.path == row.name else f", as a rotated file of {row.name}"
    how_far = f"read to byte {row.offset:,}{size}{lag} ({row.state}, {row.path}{under})"
    return f"agent {row.agent}, source {row.source}: {how_far}"


def absolute(path: Path) -> str:
    """Return the path from the root on; a link in it stays."""
    from tailrace.cli import paths

    return paths.absolute([path])[0]
