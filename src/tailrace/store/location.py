"""Which place a table has: a folder, or what a URL names with its mirror in the data folder."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from tailrace.store.bucket import Bucket, ObjectSettings
from tailrace.store.place import Folder
from tailrace.store.urls import url_of

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.files import Files
    from tailrace.store.place import Place

MIRRORS: Final = "mirrors"
"""Folder in the data folder that holds what is near of tables in object storage, a folder for each URL."""

LOGS: Final = "logs"


def located(root: Path, url: str, settings: ObjectSettings, files: Files) -> Place:
    """Return the place of a table: its root if the URL is none."""
    if url_of(url) is None:
        return Folder(root, files, settings=settings)
    from tailrace.store.objects import ObjectPlace  # it costs an import that folders do not need

    return ObjectPlace(Bucket(url, settings), root)


def place_of_logs(data: Path, url: str, settings: ObjectSettings | None, files: Files) -> Place:
    """Return the place of the table `logs`: in the data folder, or below a URL."""
    settings = settings or ObjectSettings()
    if not url:
        return located(data / LOGS, "", settings, files)
    return located(mirror(data, url) / LOGS, f"{url}/{LOGS}", settings, files)


def mirror(data: Path, url: str) -> Path:
    """Return the folder that mirrors what lies below a URL."""
    return data / MIRRORS / hashlib.sha256(url.encode()).hexdigest()[:16]
