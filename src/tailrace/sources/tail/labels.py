"""Stream labels from the path under which a file is followed.

`host`, `source`, `filename` and `service_name` always; `namespace`, `pod` and `container` from the paths of containers'
logs. A name that fits none of their layouts is a plain file.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from tailrace.sources.kubernetes.paths import container_at

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROTATED: Final = re.compile(r"([.-]\d[\d.T:_-]*|\.(old|bak))+$")
_EXTENSIONS: Final = (".log", ".txt", ".json", ".jsonl", ".ndjson", ".out", ".err", ".csv")


def labels_of(
    path: str, *, host: str, source: str, extra: Mapping[str, str], known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the labels of a file; `extra` replaces what is derived, `known` what the path tells of the container."""
    told = container_of(path) if known is None else known
    derived = {"host": host, "source": source, "filename": path, **told}
    derived["service_name"] = derived.get("container") or service_of(path)
    return {**derived, **extra}


def container_of(path: str) -> dict[str, str]:
    """Return what the path tells about the container, nothing for other files."""
    found = container_at(path)
    return found.labels() if found else {}


def service_of(path: str) -> str:
    """Return the stem of a file's name: without rotation suffix and extension."""
    name = os.path.basename(path)
    stem = _ROTATED.sub("", name) or name
    return next((stem[: -len(end)] for end in _EXTENSIONS if stem.endswith(end) and stem != end), stem)
