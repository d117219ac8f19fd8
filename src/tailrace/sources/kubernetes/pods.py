"""What is known of the pods of a node, apart from their logs.

Filled by one thread (`api`, `pod_file`), asked by another, the reading one, which never waits: what is not known yet is
not known. A deleted pod stays for a grace time, and as long as lines of it wait to be read. No IO here.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Key = tuple[str, str]
"""Namespace and name of a pod."""


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod."""

    namespace: str
    name: str
    uid: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    deleted_s: float | None = None  # on the monotonic clock

    @property
    def key(self) -> Key:
        """What a path tells of it."""
        return self.namespace, self.name


def pod_of(item: Any) -> Pod | None:  # JSON of the API, or what somebody wrote into a file
    """Return the pod that an object of the API describes, None if it is none."""
    meta = item.get("metadata") if isinstance(item, dict) else None
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str):
        return None
    return Pod(
        str(meta.get("namespace") or "default"),
        meta["name"],
        str(meta.get("uid") or ""),
        _texts(meta.get("labels")),
        _texts(meta.get("annotations")),
    )


def _texts(found: object) -> dict[str, str]:
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


class Pods:
    """The pods, by namespace and name; of two with one name, a recreated pod and its predecessor, both by uid."""

    def __init__(self, grace_s: float, now_s: Callable[[], float]) -> None:
        self.version = 0  # rises with every change
        self._grace_s = grace_s
        self._now_s = now_s
        self._lock = threading.Lock()
        self._by_key: dict[Key, dict[str, Pod]] = {}

    def __len__(self) -> int:
        return sum(len(same) for same in list(self._by_key.values()))

    def find(self, namespace: str, name: str, uid: str) -> Pod | None:
        """Return a pod; a static pod has another uid in its path than in the API, so the name decides if it must."""
        with self._lock:
            same = self._by_key.get((namespace, name), {})
            return same.get(uid) or next(reversed(list(same.values())), None)

    def any_deleted(self) -> bool:
        """Tell whether there is a pod that is gone and still known."""
        with self._lock:
            return any(pod.deleted_s is not None for same in self._by_key.values() for pod in same.values())

    def put(self, pod: Pod) -> None:
        """Take up a pod, or what is new about it."""
        with self._lock:
            same = self._by_key.setdefault(pod.key, {})
            if same.get(pod.uid) != pod:
                same.pop(pod.uid, None)
                same[pod.uid] = pod
                self.version += 1

    def delete(self, pod: Pod) -> None:
        """Note that a pod is gone; it stays known for a while."""
        with self._lock:
            same = self._by_key.setdefault(pod.key, {})
            same[pod.uid] = replace(same.get(pod.uid, pod), deleted_s=self._now_s())

    def replace(self, pods: Iterable[Pod]) -> None:
        """Take up a complete list: what is not in it is gone."""
        new = {(pod.key, pod.uid): pod for pod in pods}
        with self._lock:
            known = [pod for same in self._by_key.values() for pod in same.values()]
        for pod in known:
            if pod.deleted_s is None and (pod.key, pod.uid) not in new:
                self.delete(pod)
        for pod in new.values():
            self.put(pod)

    def forget(self, used: set[Key]) -> None:
        """Drop pods that are gone for the grace time, unless lines of them wait to be read."""
        before_s = self._now_s() - self._grace_s
        with self._lock:
            for key in [key for key in self._by_key if key not in used]:
                same = {
                    uid: pod
                    for uid, pod in self._by_key[key].items()
                    if pod.deleted_s is None or pod.deleted_s > before_s
                }
                if same:
                    self._by_key[key] = same
                else:
                    del self._by_key[key]
