"""Find out more about a container than the path of its log tells, on the disk of its node.

Comes in: a path. Goes out: a `Container`, as complete whichever of the layouts the file was found in: a link is
followed; the folder of links tells the ids of files in the folder of pods, and the pods of Docker's files; Docker's
own file beside a log tells names. Costs some looks at folders, so it is done once per file, when its first lines go
out. What cannot be read is unknown; nothing is raised.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tailrace import limits
from tailrace.sources.kubernetes.paths import Container, container_at, links_folder, live_path

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOPS: Final = 8  # links in a row: the kubelet makes one, with Docker two
_DOCKER_BYTES: Final = 1 * limits.MIB


def resolve(path: str) -> Container | None:
    """Return everything that the disk tells about the container that writes to a path, None for other files."""
    found: Container | None = None
    places = list(_places(path))
    for place in places:
        here = container_at(place)
        found = here if found is None else found.with_more(here)
    if found is None:
        return None
    for place in places:
        folder = links_folder(place)
        if folder is not None:
            found = found.with_more(_by_links(folder, place, found))
            found = found.with_more(_by_docker(place))
    return found


def _places(path: str) -> Iterator[str]:
    """Yield a path and those that it leads to, link by link."""
    for _ in range(_HOPS):
        yield path
        try:
            target = Path(path).readlink()
        except OSError:
            return
        path = os.path.normpath(Path(path).parent / target)


def _by_links(folder: str, path: str, known: Container) -> Container | None:
    """Return what the name of a link to a path, and the path of the pod that it leads to, tell."""
    start = f"{known.pod}_{known.namespace}_{known.container}-" if known.pod else ""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(start)]
    except OSError:
        return None
    for name in names:
        link = container_at(f"{folder}/{name}")
        if link is None or not (start or (link.container_id and known.container_id.startswith(link.container_id))):
            continue
        places = list(_places(f"{folder}/{name}"))
        for place in places[1:]:
            link = link.with_more(container_at(place))
        if live_path(path) in places or _same(link, known):
            return link
    return None


def _same(link: Container, known: Container) -> bool:
    """Tell whether a link leads to a known container, wherever the folders of its node are mounted."""
    if known.pod_uid and known.restart:
        return (link.pod_uid, link.restart) == (known.pod_uid, known.restart)
    return bool(known.container_id) and known.container_id == link.container_id


def _by_docker(path: str) -> Container | None:
    """Return what Docker's file beside a log tells."""
    if not live_path(path).endswith("-json.log"):
        return None
    try:
        with (Path(path).parent / "config.v2.json").open("rb") as file:
            told: Any = json.loads(file.read(_DOCKER_BYTES))  # Docker's own form, of any version
        labels = told.get("Config", {}).get("Labels") or {}
        name = str(told.get("Name") or "").removeprefix("/")
    except (OSError, ValueError, AttributeError):
        return None
    return Container(
        namespace=str(labels.get("io.kubernetes.pod.namespace", "")),
        pod=str(labels.get("io.kubernetes.pod.name", "")),
        container=str(labels.get("io.kubernetes.container.name", name)),
        pod_uid=str(labels.get("io.kubernetes.pod.uid", "")),
    )
