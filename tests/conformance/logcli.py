"""A client that asks, reads and follows as logcli does: exact requests, batches with their seams, tail with reconnects.

Written from the description of the HTTP API. It is strict where real decoders are: an entry has two parts without the
flag, a time is a string of digits, a failure is one line of text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

P = "/loki/api/v1"
Entry = tuple[int, str, dict[str, str]]


class RefusedError(Exception):
    """The server answered with a failure."""


@dataclass
class Logcli:
    """One command line against one server."""

    http: httpx.Client
    requests: list[str] = field(default_factory=list)

    def _get(self, path: str, **parameters: object) -> dict:
        answer = self.http.get(f"{P}/{path}", params=parameters, headers={"User-Agent": "loki-logcli/3.7.0"})
        self.requests.append(str(answer.url))
        if answer.status_code // 100 != 2:
            assert answer.headers["content-type"].startswith("text/plain")
            raise RefusedError(f"Error response from server: {answer.text} ({answer.status_code})")
        assert answer.headers["content-type"].startswith("application/json")
        return answer.json()

    # --- queries ------------------------------------------------------------------------------------

    def instant(self, query: str, at_ns: int, limit: int = 30) -> list[tuple[dict[str, str], float, str]]:
        data = self._get("query", query=query, limit=limit, time=at_ns, direction="BACKWARD")["data"]
        assert data["resultType"] == "vector"
        return [(one["metric"], one["value"][0], one["value"][1]) for one in data["result"]]

    def batch(self, query: str, start_ns: int, end_ns: int, limit: int, *, forward: bool) -> list[Entry]:
        direction = "FORWARD" if forward else "BACKWARD"
        data = self._get("query_range", query=query, limit=limit, start=start_ns, end=end_ns, direction=direction)[
            "data"
        ]
        assert data["resultType"] == "streams"
        entries: list[Entry] = []
        for stream in data["result"]:
            for value in stream["values"]:
                assert len(value) == 2, "a third part breaks the decoder"
                assert isinstance(value[0], str)
                entries.append((int(value[0]), value[1], stream["stream"]))
        entries.sort(key=lambda entry: entry[0], reverse=not forward)
        return entries

    def query(
        self, query: str, start_ns: int, end_ns: int, *, limit: int, batch: int, forward: bool = False
    ) -> list[Entry]:
        """Ask batch by batch: the next begins at the last time, and what was printed already is dropped."""
        printed: list[Entry] = []
        last: list[Entry] = []
        while len(printed) < limit:
            want = min(batch, limit - len(printed) + len(last))
            found = self.batch(query, start_ns, end_ns, want, forward=forward)
            fresh = [entry for entry in found if entry not in last]
            printed += fresh
            if len(found) < want or not fresh:
                if len(found) >= want and not fresh:
                    raise RefusedError("increase the batch size: more entries than that have the same time")
                break
            at = found[-1][0]
            last = [entry for entry in found if entry[0] == at]
            start_ns, end_ns = (at, end_ns) if forward else (start_ns, at + 1)
        return printed[:limit]

    def matrix(self, query: str, start_ns: int, end_ns: int, step_s: float) -> dict[str, list[tuple[float, str]]]:
        data = self._get(
            "query_range", query=query, limit=100, start=start_ns, end=end_ns, step=step_s, direction="BACKWARD"
        )
        assert data["data"]["resultType"] == "matrix"
        return {json.dumps(one["metric"]): [tuple(v) for v in one["values"]] for one in data["data"]["result"]}

    # --- lists --------------------------------------------------------------------------------------

    def labels(self, start_ns: int, end_ns: int) -> list[str]:
        return self._get("labels", start=start_ns, end=end_ns)["data"]

    def label(self, name: str, start_ns: int, end_ns: int) -> list[str]:
        return self._get(f"label/{name}/values", start=start_ns, end=end_ns)["data"]

    def series(self, selector: str, start_ns: int, end_ns: int) -> list[dict[str, str]]:
        return self._get("series", match=selector, start=start_ns, end=end_ns)["data"]

    def stats(self, selector: str, start_ns: int, end_ns: int) -> dict[str, int]:
        return self._get("index/stats", query=selector, start=start_ns, end=end_ns)

    def volume(self, selector: str, start_ns: int, end_ns: int, limit: int = 30) -> list[tuple[dict[str, str], int]]:
        data = self._get("index/volume", query=selector, start=start_ns, end=end_ns, limit=limit, aggregateBy="series")
        assert data["data"]["resultType"] == "vector"
        return [(one["metric"], int(one["value"][1])) for one in data["data"]["result"]]

    def detected_fields(self, query: str, start_ns: int, end_ns: int) -> list[dict]:
        body = self._get(
            "detected_fields", query=query, start=start_ns, end=end_ns, line_limit=1000, field_limit=30, step="1m0s"
        )
        return body.get("fields", [])

    # --- follow -------------------------------------------------------------------------------------

    def tail(
        self, query: str, *, limit: int = 30, start_ns: int, delay_for: int = 0, retries: int = 5
    ) -> Iterator[Entry]:
        """Yield entries as they come; a connection that breaks (1006) is made again from the last time."""
        base = str(self.http.base_url).rstrip("/").replace("http", "ws", 1)
        while True:
            asked = httpx.QueryParams({"query": query, "limit": limit, "start": start_ns, "delay_for": delay_for})
            try:
                with connect(f"{base}{P}/tail?{asked}", proxy=None) as socket:
                    for text in socket:
                        message = json.loads(text)
                        for stream in message["streams"]:
                            for value in stream["values"]:
                                assert len(value) == 2
                                start_ns = max(start_ns, int(value[0]))
                                yield int(value[0]), value[1], stream["stream"]
            except ConnectionClosed as error:
                if error.rcvd is not None or not retries:
                    raise
                retries -= 1
            else:
                return  # closed with 1000
