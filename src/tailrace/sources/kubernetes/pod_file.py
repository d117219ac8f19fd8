"""Read the pods from a file instead of an API, and again whenever it changes.

The file holds what `kubectl get pods -A -o json` or `-o yaml` prints: a list of pods, or one pod, or several documents.
A file that cannot be read or understood leaves the pods as they were, and is said in `problem`.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import yaml

from tailrace.sources.kubernetes.pods import Pod, pod_of

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.sources.kubernetes.pods import Pods


class PodFile:
    """Keeps `pods` as a file has them, until it is closed."""

    def __init__(self, path: Path, pods: Pods, every_s: float = 1.0) -> None:
        self.place = str(path)
        self.problem = ""  # why pods are not known, or not up to date
        self.failures = 0
        self._path = path
        self._pods = pods
        self._every_s = every_s
        self._seen: tuple[int, int, int] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubernetes-pods", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._stopping.set()
        self._thread.join(timeout=1.0)

    def look(self) -> None:
        """Read the file if it is not the one that was read."""
        try:
            found = self._path.stat()
            seen = (found.st_ino, found.st_size, found.st_mtime_ns)
            if seen == self._seen:
                return
            self._pods.replace(pods_in(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, yaml.YAMLError) as error:
            self.problem = error.strerror or str(error) if isinstance(error, OSError) else f"no list of pods: {error}"
            self.failures += 1
        else:
            self._seen, self.problem = seen, ""

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(self._every_s)


def pods_in(text: str) -> list[Pod]:
    """Return the pods of a JSON or YAML text; raises `ValueError` or `YAMLError` if it is something else."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents: list[Any] = [json.loads(text)] if text.lstrip()[:1] in "{[" else list(yaml.load_all(text, loader))
    found: list[Pod] = []
    for document in documents:
        listed = document.get("items", [document]) if isinstance(document, dict) else document
        if not isinstance(listed, list):
            raise ValueError("neither a list of pods nor a pod")  # noqa: TRY004  the file's mistake, not ours
        pods = [pod_of(item) for item in listed]
        if None in pods:
            raise ValueError("an item has no metadata with a name")
        found += [pod for pod in pods if pod is not None]
    return found
