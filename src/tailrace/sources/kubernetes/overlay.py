"""Labels and annotations of pods, laid over what the paths of their logs tell.

Comes in: a container, as its path tells it, and the settings. Goes out: further labels and fields, empty while nothing
is known, each with a prefix so that nothing that the path tells is ever replaced. A change of the pods is seen by
`version`: what was made of an older one is to be made again. Never waits.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tailrace.batch import sanitize_name
from tailrace.contracts import Followed
from tailrace.sources.kubernetes.access import access_of
from tailrace.sources.kubernetes.pod_file import PodFile
from tailrace.sources.kubernetes.pods import Pods

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.sources.kubernetes.api import PodApi
    from tailrace.sources.kubernetes.paths import Container
    from tailrace.sources.kubernetes.settings import KubernetesSettings


class Overlay:
    """What `settings` ask for; asks in threads of its own, from `start` to `close`."""

    def __init__(self, settings: KubernetesSettings, host: str) -> None:
        labels = (*settings.labels, *settings.fields)
        self.pods = Pods(settings.grace_s, time.monotonic, lambda pod: pod.only(labels, settings.annotations))
        self.wanted = settings.wanted
        self._settings = settings
        self._host = host
        self._keepers: list[PodApi | PodFile] = []

    def start(self) -> None:
        """Begin to ask, if anything is asked for."""
        settings = self._settings
        if not self.wanted or self._keepers:
            return
        if settings.file is not None:
            self._keepers.append(PodFile(settings.file, self.pods))
        access = access_of(settings, self._host)
        if access is not None:
            from tailrace.sources.kubernetes.api import PodApi

            self._keepers.append(PodApi(access, self.pods))

    @property
    def version(self) -> int:
        """A number that rises when more or something else is known."""
        return self.pods.version

    def of(self, container: Container) -> tuple[dict[str, str], dict[str, str]]:
        """Return the labels and the fields of a container's lines."""
        pod = self.pods.find(container.namespace, container.pod, container.pod_uid) if container.pod else None
        if pod is None:
            return {}, {}
        chosen = self._settings
        labels = _named("pod_label_", pod.labels, chosen.labels, ())
        fields = _named("pod_label_", pod.labels, chosen.fields, chosen.labels)
        return labels, fields | _named("pod_annotation_", pod.annotations, chosen.annotations, ())

    def restore(self, key: str, state: object) -> None:
        """Take up what a mark had; `ValueError` and its like if that is nothing, or not asked for any more."""
        if not self.wanted:
            raise ValueError(key)
        self.pods.restore(key, state)

    def mark(self) -> Mapping[str, object]:
        """Return what changed since the last mark."""
        return self.pods.mark()

    def status(self) -> Sequence[Followed]:
        """Return why something is not known."""
        return [
            Followed(keeper.place, 0, 0, "unreadable", keeper.problem) for keeper in self._keepers if keeper.problem
        ]

    @property
    def counters(self) -> Mapping[str, int]:
        """How many pods are known, and how often asking failed."""
        return {"pods": len(self.pods), "pod_failures": sum(keeper.failures for keeper in self._keepers)}

    def close(self) -> None:
        """Stop asking."""
        for keeper in self._keepers:
            keeper.close()


def _named(prefix: str, found: Mapping[str, str], chosen: Sequence[str], besides: Sequence[str]) -> dict[str, str]:
    """Return the chosen keys, or all but those of `besides`, with names that labels and fields may have."""
    keys = [key for key in found if key not in besides] if "*" in chosen else [key for key in chosen if key in found]
    return {prefix + sanitize_name(key): found[key] for key in keys if found[key]}
