"""Speak with Elasticsearch (7.17, 8, 9) or OpenSearch (1, 2, 3): find hosts, read their documents, act on documents.

What a caller gets is complete or an error: a search of which a shard failed or that ran out of time is one. Failures
that pass (no connection, 429, 502 to 504) are waited for, as `Patience` says. No message has a secret in it.

Documents are read at one point in time: by a PIT and `search_after` in the order of shards where that exists
(Elasticsearch from 7.12), else by a scroll, which every version has. Both pass over everything once, whatever arrives
meanwhile, and neither is bound to the 10,000 of a plain search.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx

from tailrace.condense.documents import MEMBERS
from tailrace.errors import ConfigError, Problem, TailraceError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tailrace.condense.documents import Hit
    from tailrace.condense.settings import Settings
    from tailrace.patience import Patience

    Json = dict[str, Any]  # as the cluster sends it: looked at member by member

KEEP_ALIVE: Final = "5m"
"""How long a point in time lives between two pages."""

_PASSING: Final = (429, 502, 503, 504)
_TIMEOUT_S: Final = 120.0
_PIT_SINCE: Final = (7, 12)
_WHOLE: Final = "allow_partial_search_results=false&ignore_unavailable=true"
_LOST: Final = "search_context_missing_exception"


class ClusterError(TailraceError):
    """The cluster refused a request, or its answer is not what it should be; another attempt would not help."""


class ExpiredError(ClusterError):
    """The point in time that was read is gone: it has to be read again from the start."""


@dataclass(frozen=True, slots=True)
class Product:
    """What answers: its name and version."""

    name: str  # elasticsearch or opensearch
    version: tuple[int, int]

    @property
    def has_pit(self) -> bool:
        """Whether documents are read by a point in time in the order of shards."""
        return self.name == "elasticsearch" and self.version >= _PIT_SINCE


@dataclass(frozen=True, slots=True)
class HostDocuments:
    """A host that has documents, None for those without one; the same `signature` means the same documents."""

    host: str | None
    documents: int
    signature: tuple[float, ...] | None


class Cluster:
    """A connection; one thread uses it."""

    def __init__(self, settings: Settings, patience: Patience, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        self._patience = patience
        self._signed = True
        self._http = httpx.Client(
            base_url=settings.url,
            headers={"authorization": f"ApiKey {settings.api_key}"} if settings.api_key else {},
            auth=(settings.user, settings.password) if settings.user else None,
            verify=_trust(settings),
            timeout=_TIMEOUT_S,
            transport=transport,
            trust_env=False,
        )
        self._product: Product | None = None

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def product(self) -> Product:
        """Return what answers; anything but Elasticsearch and OpenSearch is refused."""
        if self._product is None:
            self._product = self._asked()
        return self._product

    def _asked(self) -> Product:
        response = self._request("GET", "/", accept=(403,))
        official = response.headers.get("x-elastic-product") == "Elasticsearch"
        if response.status_code == httpx.codes.FORBIDDEN and official:
            return Product("elasticsearch", (7, 0))  # the role may not ask; a scroll works in every version
        found = _json(response)
        version = found.get("version")
        version = version if isinstance(version, dict) else {}
        name = str(version.get("distribution", "elasticsearch"))
        try:
            major, minor = (int(part) for part in str(version.get("number")).split(".")[:2])
        except ValueError:
            raise self._stranger() from None
        known = official or found.get("tagline") == "You Know, for Search" or name == "opensearch"
        if not known or (name == "elasticsearch" and (major, minor) >= (7, 14) and not official):
            raise self._stranger()
        if name == "elasticsearch" and major < 7:  # noqa: PLR2004  bulk deletes have no guard before
            raise ClusterError(f"Elasticsearch {major}.{minor} at {self._settings.url} is too old (7 or newer)")
        return Product(name, (major, minor))

    def _stranger(self) -> ClusterError:
        return ClusterError(f"what answers at {self._settings.url} is neither Elasticsearch nor OpenSearch")

    def refresh(self) -> None:
        """Make what was indexed so far visible; a role that may not do that sees it within a second anyway."""
        self._request("POST", f"/{self._index}/_refresh?ignore_unavailable=true", accept=(403,))

    # --- reading ----------------------------------------------------------------------------------

    def hosts(self) -> Iterator[HostDocuments]:
        """Yield the hosts that have documents, page by page."""
        after: Json | None = None
        while True:
            found = self._hosts_page(after)
            for bucket in found["buckets"]:
                stats = bucket.get("sequences", {})
                signature = (stats["count"], stats["min"], stats["max"], stats["sum"]) if stats.get("count") else None
                yield HostDocuments(bucket["key"]["host"], bucket["doc_count"], signature)
            after = found.get("after_key")
            if after is None or not found["buckets"]:
                return

    def _hosts_page(self, after: Json | None) -> Json:
        sources = [{"host": {"terms": {"field": self._settings.host_field, "missing_bucket": True}}}]
        composite: Json = {"size": self._settings.page_size, "sources": sources}
        if after is not None:
            composite["after"] = after
        hosts: Json = {"composite": composite}
        if self._signed:
            hosts["aggs"] = {"sequences": {"stats": {"field": "_seq_no"}}}
        body = {"size": 0, "track_total_hits": False, "aggs": {"hosts": hosts}}
        try:
            answer = self._search(f"/{self._index}/_search?{_WHOLE}", body)
        except ClusterError as error:
            if not self._signed or "_seq_no" not in str(error):
                raise
            self._signed = False  # an index without searchable sequence numbers: all hosts are looked at each time
            return self._hosts_page(after)
        if "aggregations" not in answer:
            raise ClusterError(f"no index is named like {self._settings.index!r}")
        page: Json = answer["aggregations"]["hosts"]
        return page

    def pages(self, host: str | None) -> Iterator[Sequence[Hit]]:
        """Yield all documents of a host, page by page, as of one point in time."""
        field = self._settings.host_field
        query: Json = {"bool": {"filter": [{"term": {field: host}}]}}
        if host is None:
            query = {"bool": {"must_not": [{"exists": {"field": field}}]}}
        body = {
            "size": self._settings.page_size,
            "query": query,
            "_source": list(MEMBERS),
            "seq_no_primary_term": True,
        }
        return self._by_pit(body) if self.product().has_pit else self._by_scroll(body)

    def _by_pit(self, body: Json) -> Iterator[Sequence[Hit]]:
        opened = f"/{self._index}/_pit?keep_alive={KEEP_ALIVE}&ignore_unavailable=true"
        pit = self._json("POST", opened)["id"]
        try:
            after: list[object] | None = None
            while True:
                page = {**body, "pit": {"id": pit, "keep_alive": KEEP_ALIVE}, "sort": ["_shard_doc"]}
                page["track_total_hits"] = False  # which a scroll refuses
                if after is not None:
                    page["search_after"] = after
                answer = self._search("/_search?allow_partial_search_results=false", page)
                pit = answer.get("pit_id", pit)
                hits = answer["hits"]["hits"]
                if hits:
                    yield hits
                    after = hits[-1]["sort"]
                if len(hits) < body["size"]:
                    return
        finally:
            self._request("DELETE", "/_pit", {"id": pit}, accept=(404,))

    def _by_scroll(self, body: Json) -> Iterator[Sequence[Hit]]:
        answer = self._search(f"/{self._index}/_search?scroll={KEEP_ALIVE}&{_WHOLE}", {**body, "sort": ["_doc"]})
        scroll = answer["_scroll_id"]
        try:
            while hits := answer["hits"]["hits"]:
                yield hits
                answer = self._search("/_search/scroll", {"scroll": KEEP_ALIVE, "scroll_id": scroll})
                scroll = answer.get("_scroll_id", scroll)
        finally:
            self._request("DELETE", "/_search/scroll", {"scroll_id": [scroll]}, accept=(404,))

    def _search(self, path: str, body: Json) -> Json:
        answer = self._json("POST", path, body)
        shards = answer.get("_shards", {})
        if answer.get("timed_out") or shards.get("failed"):
            raise TransientError(f"a search is not complete: {shards.get('failed', 0)} shards failed or it timed out")
        return answer

    # --- acting -----------------------------------------------------------------------------------

    def bulk(self, lines: bytes) -> list[Json]:
        """Have actions done and return what became of each, in their order."""
        answer = self._json("POST", "/_bulk", lines)
        items = answer.get("items")
        if not isinstance(items, list):
            raise ClusterError(f"the answer to a bulk request at {self._settings.url} has no items")
        return [next(iter(item.values())) for item in items]

    # --- requests ---------------------------------------------------------------------------------

    @property
    def _index(self) -> str:
        return quote(self._settings.index, safe="*,-+.")

    def _json(self, method: str, path: str, body: Json | bytes | None = None) -> Json:
        return _json(self._request(method, path, body))

    def _request(
        self, method: str, path: str, body: Json | bytes | None = None, accept: Sequence[int] = ()
    ) -> httpx.Response:
        """Send a request until it is answered or patience ends."""
        kind = "application/x-ndjson" if isinstance(body, bytes) else "application/json"
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"content-type": kind} if content is not None else {}
        why = ""
        for pause_s in self._patience.pauses():
            try:
                response = self._http.request(method, path, content=content, headers=headers)
            except httpx.TransportError as error:
                why = f"{type(error).__name__}: {error}"
                if "CERTIFICATE_VERIFY_FAILED" in why:
                    raise ClusterError(f"{self._settings.url}: {error} (give the CA's file: --ca-file)") from None
            else:
                if response.status_code in accept or response.is_success:
                    return response
                why = _reason(response)
                if response.status_code not in _PASSING:
                    raise self._refused(method, path, response, why)
            self._patience.wait(pause_s)
        raise TransientError(f"{self._settings.url} does not answer as it should: {why}")

    def _refused(self, method: str, path: str, response: httpx.Response, why: str) -> ClusterError:
        status = response.status_code
        if _LOST in response.text:
            return ExpiredError(f"the point in time is gone: {why}")
        hints = {
            401: " (check user and password, or the API key)",
            403: " (the role needs read, view_index_metadata, delete and write on the index)",
        }
        hint = hints.get(status, "")
        if "ielddata is disabled" in why:
            hint = f" (the host field must be a keyword: --host-field {self._settings.host_field}.keyword)"
        return ClusterError(f"{self._settings.url}: {method} {path.partition('?')[0]}: {status}: {why}{hint}")


def _trust(settings: Settings) -> ssl.SSLContext | bool:
    if settings.insecure:
        return False
    if not settings.url.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody; reading the system's would take 0.2 s
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError([Problem("CERT_PATH", f"{settings.ca_file}: no certificates: {error}")]) from None


def _json(response: httpx.Response) -> Json:
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ClusterError(f"{response.request.url.copy_with(userinfo=b'')} did not answer with a JSON object")
    return found


def _reason(response: httpx.Response) -> str:
    """Return why a request failed, as the cluster says it."""
    try:
        error = response.json()["error"]
        causes = error.get("root_cause") or [error]
        return str(causes[0].get("reason") or error.get("reason") or error.get("type"))[:300]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return response.text[:200] or response.reason_phrase


def passing(status: int) -> bool:
    """Tell whether a failure of one action may pass."""
    return status in _PASSING
