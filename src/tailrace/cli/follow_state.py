"""What the checkpoints of a data folder tell about files, for commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.errors import DataError
from tailrace.sources.tail import survey

if TYPE_CHECKING:
    from pathlib import Path


def rows(data: Path | None, agent: str | None = None) -> list[survey.FollowedFile]:
    """Return the files of all agents of a data folder, or of one; an unknown one is a `DataError`."""
    from tailrace.config.folders import data_folder

    folder = data_folder() if data is None else data.expanduser()
    known = survey.agents(folder)
    if agent is not None and agent not in {path.name for path in known}:
        names = ", ".join(path.name for path in known) or "none"
        raise DataError(f"there is no agent {agent!r} in {folder} (known: {names})")
    return [
        row for path in known if agent in {None, path.name} for row in survey.files(path.name, survey.position(path))
    ]
