"""Ask the API server for the pods of one node, and be told of every change.

A list first, then a watch from its resource version on; a watch that ends is begun again where it ended, and a version
that the server has forgotten (410) asks for a new list. In its own thread: a missing, slow or refusing server costs the
logs nothing but these labels, and is said in `problem`. Each attempt after a failure waits longer, up to a minute.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

from tailrace.sources.kubernetes.pods import Pod, pod_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tailrace.sources.kubernetes.access import Access
    from tailrace.sources.kubernetes.pods import Pods

_PATH: Final = "/api/v1/pods"
_PAGE: Final = 500  # pods of one answer
_WATCH_S: Final = 300  # the server ends a watch after that, which finds connections that died unseen
_CONNECT_S: Final = 10.0
_LONGEST_WAIT_S: Final = 60.0
_GONE: Final = 410
_HINTS: Final = {
    401: "the token is refused: look at `kubernetes.token_file`",
    403: "this account may not list and watch pods: give it a role that may",
}


class _ForgottenError(Exception):
    """The server does not know the resource version any more."""


class PodApi:
    """Keeps `pods` as the API has them, until it is closed."""

    def __init__(self, access: Access, pods: Pods, first_wait_s: float = 1.0) -> None:
        self.place = access.url
        self.problem = ""  # why pods are not known, or not up to date
        self.failures = 0
        self._access = access
        self._pods = pods
        self._first_wait_s = first_wait_s
        self._in_a_row = 0  # failures
        self._version = ""
        self._note = ""  # what is odd about an answer that is none the less one
        self._response: httpx.Response | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubernetes-pods", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; a watch that waits for news is cut off."""
        self._stopping.set()
        response = self._response
        if response is not None:
            with contextlib.suppress(OSError, KeyError, AttributeError):
                response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        import httpx

        while not self._stopping.is_set():
            try:
                with self._client() as client:
                    if not self._version:
                        self._list(client)
                    self._watch(client)
            except _ForgottenError:
                self._version = ""
            except (httpx.HTTPError, OSError, ValueError) as error:
                if self._stopping.is_set():
                    return
                self.problem = _words(error)
                self.failures += 1
                self._in_a_row += 1
            longest_s = min(self._first_wait_s * 2.0 ** min(self._in_a_row, 16), _LONGEST_WAIT_S)
            self._stopping.wait(longest_s * random.uniform(0.5, 1.0))  # noqa: S311  many agents must not come at once

    def _client(self) -> httpx.Client:
        import httpx

        timeout = httpx.Timeout(_CONNECT_S, read=_WATCH_S + _CONNECT_S)
        secure = self._access.url.startswith("https://")
        return httpx.Client(
            base_url=self._access.url,
            headers=self._access.headers(),
            verify=self._access.verify() if secure else True,
            timeout=timeout,
            trust_env=False,  # proxies are for the world outside the cluster
        )

    def _selected(self, **more: str) -> dict[str, str]:
        return {"fieldSelector": f"spec.nodeName={self._access.node}", **more}

    def _list(self, client: httpx.Client) -> None:
        found: list[Pod] = []
        more = {"limit": str(_PAGE)}
        while True:
            answer = client.get(_PATH, params=self._selected(**more), timeout=_CONNECT_S)
            if answer.status_code == _GONE:
                raise _ForgottenError
            answer.raise_for_status()
            page: Any = answer.json()
            found += [pod for item in _items(page) if (pod := pod_of(item)) is not None]
            meta = page.get("metadata") or {}
            if not meta.get("continue"):
                break
            more["continue"] = str(meta["continue"])
        self._pods.replace(found)
        self._version = str(meta.get("resourceVersion") or "0")
        node = self._access.node
        self._note = "" if found else f"there is no pod on a node {node!r}: set `kubernetes.node` or NODE_NAME"

    def _watch(self, client: httpx.Client) -> None:
        """Take changes until the server ends the watch."""
        wanted = self._selected(
            watch="1", resourceVersion=self._version, allowWatchBookmarks="true", timeoutSeconds=str(_WATCH_S)
        )
        with client.stream("GET", _PATH, params=wanted) as answer:
            self._response = answer
            try:
                if answer.status_code == _GONE:
                    raise _ForgottenError
                answer.raise_for_status()
                self.problem, self._in_a_row = self._note, 0
                for line in answer.iter_lines():
                    if line.strip():
                        self._take(json.loads(line))
            finally:
                self._response = None

    def _take(self, event: Any) -> None:  # JSON of the server
        kind, item = event.get("type"), event.get("object") or {}
        if kind == "ERROR":
            if item.get("code") == _GONE:
                raise _ForgottenError
            raise ValueError(str(item.get("message") or "the watch ended with an error"))
        self._version = str((item.get("metadata") or {}).get("resourceVersion") or self._version)
        pod = pod_of(item)
        if kind == "DELETED" and pod is not None:
            self._pods.delete(pod)
        elif kind in {"ADDED", "MODIFIED"} and pod is not None:
            self._pods.put(pod)
            self.problem = self._note = ""


def _items(page: Any) -> Iterator[Any]:  # JSON of the server
    if not isinstance(page, dict):
        raise ValueError("the answer is no list of pods")  # noqa: TRY004  a server's mistake, not ours
    yield from page.get("items") or ()


def _words(error: Exception) -> str:
    """Say what is wrong, and what to do if that is known."""
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        code = error.response.status_code
        return _HINTS.get(code, f"the API answers {code} {error.response.reason_phrase}")
    return str(error) or type(error).__name__
