"""Read namespace, pod and container out of the path of a log.

Comes in: a path in one of the three layouts that runtimes and the kubelet use. Goes out: a `Container` with what could
be read; a name that does not fit completely gives what it has, one that fits nothing gives None. Opens nothing.

==========================================================  ======================================================
`/var/log/pods/NAMESPACE_POD_UID/CONTAINER/RESTART.log`     complete, and the files themselves lie here
`/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log`        links; the name is cut at 251 bytes, and so is the id
`/var/lib/docker/containers/ID/ID-json.log`                 Docker's own
==========================================================  ======================================================

Rotated files have more behind the name: `0.log.20260305-101500.gz`, `…-json.log.1`. No pod, and no namespace, has a `_`
in its name; containers may have a `-`, so an id is behind the last one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Final

_PODS: Final = re.compile(
    r"(?P<root>.*)/pods/(?P<namespace>[a-z0-9.-]+)_(?P<pod>[a-z0-9.-]+)(?:_(?P<pod_uid>[^/]*))?/"
    r"(?P<container>[^/]+)/(?:(?P<restart>\d+)\.log)?[^/]*"
)
_LINKS: Final = re.compile(
    r"(?P<root>.*)/containers/(?P<pod>[a-z0-9.-]+)_(?P<namespace>[a-z0-9.-]+)_"
    r"(?P<container>[^/]+?)(?:-(?P<container_id>[0-9a-f]{1,64}))?\.log[^/]*"
)
_DOCKER: Final = re.compile(
    r"(?P<root>.*)/lib/docker/containers/(?P<container_id>[0-9a-f]{64})/(?P=container_id)-json\.log[^/]*"
)
_ID: Final = re.compile(r"[0-9a-f]{64}")
_ROTATED: Final = re.compile(r"(?<=\.log)[.-][^/]*$")
_SHORT_ID: Final = 12  # digits that Docker itself shows


@dataclass(frozen=True, slots=True)
class Container:
    """What is known of the container that wrote a file; an empty text is unknown."""

    namespace: str = ""
    pod: str = ""
    container: str = ""
    container_id: str = ""
    pod_uid: str = ""
    restart: str = ""

    def labels(self) -> dict[str, str]:
        """Return what has few values: these become stream labels."""
        container = self.container or self.container_id[:_SHORT_ID]
        named = {"namespace": self.namespace, "pod": self.pod, "container": container}
        return {name: value for name, value in named.items() if value}

    def fields(self) -> dict[str, str]:
        """Return what has a value of its own for every container: these become fields."""
        named = {"container_id": self.container_id, "pod_uid": self.pod_uid, "restart": self.restart}
        return {name: value for name, value in named.items() if value}

    def with_more(self, other: Container | None) -> Container:
        """Return this with what only the other knows; of two ids the longer one, since link names cut them."""
        if other is None:
            return self
        known = {field.name: getattr(self, field.name) or getattr(other, field.name) for field in fields(self)}
        known["container_id"] = max(self.container_id, other.container_id, key=len)
        return Container(**known)


def container_at(path: str) -> Container | None:
    """Return what a path tells about the container.

    >>> container_at("/var/log/pods/shop_cart-0_5e0b/web/3.log")
    Container(namespace='shop', pod='cart-0', container='web', container_id='', pod_uid='5e0b', restart='3')
    >>> container_at("/var/log/syslog")
    """
    found = _PODS.fullmatch(path) or _LINKS.fullmatch(path) or _DOCKER.fullmatch(path)
    if found is None:
        return None
    known = {name: value or "" for name, value in found.groupdict().items()}
    root = known.pop("root")
    # Folders of these names may be anywhere: outside of `log` only what has an id is taken for what it seems.
    if (
        not root.endswith("/log")
        and not (known.get("pod_uid") and known["restart"])
        and not _ID.fullmatch(known.get("container_id", ""))
    ):
        return None
    return Container(**known)


def links_folder(path: str) -> str | None:
    """Return the folder whose link names tell the ids of the containers that log to paths like this one."""
    pods = _PODS.fullmatch(path)
    if pods:
        return f"{pods['root']}/containers"
    docker = _DOCKER.fullmatch(path)
    return f"{docker['root']}/log/containers" if docker else None


def rank(path: str) -> int:
    """Return which of the paths of one file names it, the lowest.

    Links tell least. Docker's own path stands beside the files that were rotated away, so it is not worse than others.

    >>> rank("/var/log/pods/shop_cart-0_5e0b/web/3.log"), rank("/var/log/containers/a_b_c-0.log"), rank("/var/log/x")
    (1, 2, 0)
    """
    return 1 if _PODS.fullmatch(path) else 2 if _LINKS.fullmatch(path) else 0


def live_path(path: str) -> str:
    """Return the path that a container's log had before it was rotated.

    >>> live_path("/x/0.log.20260305-101500.gz"), live_path("/x/a-json.log.1"), live_path("/x/0.log")
    ('/x/0.log', '/x/a-json.log', '/x/0.log')
    """
    return _ROTATED.sub("", path)
