"""Give blocks of containers' logs the labels and fields of their container and pod.

Comes in: blocks with the origin that their path gives. Goes out: the same blocks; those of containers with an origin
that knows more. Costs one look-up per block; the disk is asked once per file, when its first lines go out, and a few
times more while the id of the container is unknown, since the kubelet makes the link that tells it after the log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from tailrace.sources.kubernetes.paths import container_at
from tailrace.sources.kubernetes.resolve import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tailrace.contracts import Block, Origin
    from tailrace.sources.kubernetes.overlay import Overlay
    from tailrace.sources.kubernetes.paths import Container

_LOOKS: Final = 10


class File(Protocol):
    """What is asked of a followed file."""

    name: str
    finished: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """What was made of the origin of a container's file, and of which version of the pods."""

    base: Origin
    made: Origin
    container: Container
    version: int
    looks: int

    @property
    def settled(self) -> bool:
        """Whether another look at the disk tells nothing more."""
        return bool(self.container.container_id) or self.looks >= _LOOKS


class Containers:
    """The containers of one source; `labels` makes the labels of a path and of what is known of its container."""

    def __init__(self, overlay: Overlay, labels: Callable[[str, Mapping[str, str]], Mapping[str, str]]) -> None:
        self._overlay = overlay
        self._labels = labels
        self._known: dict[str, _Known] = {}
        self._others: set[str] = set()  # files that no container writes

    def describe(self, blocks: Iterable[Block], files: Mapping[str, File]) -> list[Block]:
        """Return the blocks with what is known of their containers; `files` are the followed ones by key."""
        made: list[Block] = []
        for block in blocks:
            file = files.get(block.origin.key)
            origin = block.origin
            if file is not None and origin.key not in self._others:
                origin = self._origin(origin, file.name)
            made.append(block if origin is block.origin else replace(block, origin=origin))
        return made

    def forget(self, files: Mapping[str, File]) -> None:
        """Drop what is known of files that are read to their end, and of pods that are gone and read."""
        reading = {key for key in (*self._known, *self._others) if key in files and not files[key].finished}
        self._known = {key: known for key, known in self._known.items() if key in reading}
        self._others &= reading
        if self._overlay.pods.any_deleted():
            unread = (container_at(file.name) for file in files.values() if not file.finished)
            self._overlay.pods.forget({(found.namespace, found.pod) for found in unread if found is not None})

    def _origin(self, base: Origin, path: str) -> Origin:
        known = self._known.get(base.key)
        version = self._overlay.version
        if known is not None and known.settled:
            if known.base is base and known.version == version:
                return known.made
            container, looks = known.container, known.looks
        else:
            found, looks = resolve(path), 1 if known is None else known.looks + 1
            if found is None:
                self._others.add(base.key)
                return base
            container = found
        made = self._made(base, path, container)
        self._known[base.key] = _Known(base, made, container, version, looks)
        return made

    def _made(self, base: Origin, path: str, container: Container) -> Origin:
        labels, fields = self._overlay.of(container)
        return replace(base, labels=self._labels(path, container.labels() | labels), fields=container.fields() | fields)
