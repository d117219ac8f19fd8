"""Stream labels from the path under which a file is followed.

`host`, `source`, `filename` and `service_name` always; `namespace`, `pod` and `container` from the path
layouts of Kubernetes, `container` from Docker's. A name that does not fit its layout is a plain file.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# /var/log/pods/<namespace>_<pod>_<uid>/<container>/<n>.log and what it is rotated to
_PODS: Final = re.compile(r".*/pods/(?P<namespace>[^/_]+)_(?P<pod>[^/_]+)_[^/_]+/(?P<container>[^/]+)/\d+\.log[^/]*")
# /var/log/containers/<pod>_<namespace>_<container>-<id>.log; the id may be cut short on long names
_CONTAINERS: Final = re.compile(
    r".*/containers/(?P<pod>[^/_]+)_(?P<namespace>[^/_]+)_(?P<container>[^/]+)-[0-9a-f]{1,64}\.log[^/]*"
)
_DOCKER: Final = re.compile(r".*/containers/(?P<id>[0-9a-f]{12})[0-9a-f]{52}/(?P=id)[0-9a-f]{52}-json\.log[^/]*")
_ROTATED: Final = re.compile(r"([.-]\d[\d.T:_-]*|\.(old|bak))+$")
_EXTENSIONS: Final = (".log", ".txt", ".json", ".jsonl", ".ndjson", ".out", ".err", ".csv")


def labels_of(path: str, *, host: str, source: str, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a file; `extra` replaces what is derived."""
    derived = {"host": host, "source": source, "filename": path, **container_of(path)}
    derived["service_name"] = derived.get("container") or service_of(path)
    return {**derived, **extra}


def container_of(path: str) -> dict[str, str]:
    """Return what the path tells about the container, nothing for other files."""
    found = _PODS.fullmatch(path) or _CONTAINERS.fullmatch(path)
    if found:
        return {name: found[name] for name in ("namespace", "pod", "container")}
    docker = _DOCKER.fullmatch(path)
    return {"container": docker["id"]} if docker else {}


def service_of(path: str) -> str:
    """Return the stem of a file's name: without rotation suffix and extension."""
    name = os.path.basename(path)
    stem = _ROTATED.sub("", name) or name
    return next((stem[: -len(end)] for end in _EXTENSIONS if stem.endswith(end) and stem != end), stem)
