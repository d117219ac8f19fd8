"""What is known of the pods of a node, apart from their logs.

Filled by one thread (`api`, `pod_file`), asked by another, the reading one, which never waits: what is not known yet is
not known. A deleted pod stays for a grace time, and as long as lines of it wait to be read. What is known survives a
restart in the marks of the source: so the first lines after it have their labels, and those of deleted pods too. No IO
here.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

MARK: Final = "@pod "
"""The keys of marks of pods begin so; the name follows."""

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

    def only(self, labels: Sequence[str], annotations: Sequence[str]) -> Pod:
        """Return the pod with these keys only; `*` is all."""
        return replace(self, labels=_only(self.labels, labels), annotations=_only(self.annotations, annotations))


def _only(found: Mapping[str, str], chosen: Sequence[str]) -> Mapping[str, str]:
    return found if "*" in chosen else {key: value for key, value in found.items() if key in chosen}


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


def _state(pod: Pod) -> dict[str, object]:
    return {
        "uid": pod.uid,
        "labels": dict(pod.labels),
        "annotations": dict(pod.annotations),
        "deleted": pod.deleted_s is not None,
    }


def _texts(found: object) -> dict[str, str]:
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


class Pods:
    """The pods, by namespace and name; of two with one name, a recreated pod and its predecessor, both by uid."""

    def __init__(
        self, grace_s: float, now_s: Callable[[], float], keep: Callable[[Pod], Pod] = lambda pod: pod
    ) -> None:
        self.version = 0  # rises with every change
        self._keep = keep
        self._changed: set[Key] = set()  # since the last mark
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
        pod = self._keep(pod)
        with self._lock:
            same = self._by_key.setdefault(pod.key, {})
            if same.get(pod.uid) != pod:
                same.pop(pod.uid, None)
                same[pod.uid] = pod
                self._changed.add(pod.key)
                self.version += 1

    def delete(self, pod: Pod) -> None:
        """Note that a pod is gone; it stays known for a while."""
        with self._lock:
            same = self._by_key.setdefault(pod.key, {})
            same[pod.uid] = replace(same.get(pod.uid) or self._keep(pod), deleted_s=self._now_s())
            self._changed.add(pod.key)

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
                if len(same) < len(self._by_key[key]):
                    self._changed.add(key)
                if same:
                    self._by_key[key] = same
                else:
                    del self._by_key[key]

    def mark(self) -> dict[str, object]:
        """Return what changed since the last mark, as JSON: the pods of a name, null if there is none any more."""
        with self._lock:
            changed, self._changed = self._changed, set()
            return {
                MARK + "/".join(key): [_state(pod) for pod in self._by_key.get(key, {}).values()] or None
                for key in changed
            }

    def restore(self, key: str, state: Any) -> None:  # JSON of our own making; a foreign one fails in the next lines
        """Take up pods as a mark had them; raises `KeyError`, `TypeError` or `ValueError` if it is none."""
        namespace, name = key.removeprefix(MARK).split("/")
        for each in state:
            pod = Pod(namespace, name, str(each["uid"]), _texts(each["labels"]), _texts(each["annotations"]))
            self.put(pod)
            if each["deleted"]:
                self.delete(pod)
        self._changed.discard((namespace, name))
