"""An HTTP server that speaks Elasticsearch (or OpenSearch) as far as a condenser needs it, true to the real API.

`test_elastic_server.py` drives it with the official client. Tests hold the state in their hands: `indices`, `expire`,
`reject` (answers 429 or worse), `before` (called with each request, for events that arrive meanwhile).
"""

from __future__ import annotations

import base64
import json
import threading
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from condense.elastic_state import WINDOW, Document, Failure, Index, composite, filtered, matches, resolve

# ruff: noqa: TRY301, PLR0911 -- one route a return, one refusal a raise: as the rules of the API are listed

Found = list[tuple[Index, Document]]


class Elastic:
    """A cluster of one node, served on a free port until `close`."""

    def __init__(
        self,
        distribution: str = "elasticsearch",
        version: str = "8.19.3",
        *,
        basic: tuple[str, str] | None = None,
        api_key: str | None = None,
        context: Any = None,  # an ssl.SSLContext
    ) -> None:
        self.distribution, self.version = distribution, version
        self.indices: dict[str, Index] = {}
        self.requests: list[tuple[str, str]] = []
        self.before: Callable[[str, str], None] = lambda _method, _path: None
        self.reject: list[tuple[str, int]] = []  # part of a path, status: the next request that has it fails
        self.reject_items: dict[str, list[int]] = {}  # ids and the statuses of their next actions
        self._contexts: dict[str, Any] = {}
        self._count = 0
        self._lock = threading.RLock()
        self._allowed = set()
        if basic is not None:
            self._allowed.add("Basic " + base64.b64encode(":".join(basic).encode()).decode())
        if api_key is not None:
            self._allowed.add("ApiKey " + api_key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        scheme = "http"
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    # --- for tests --------------------------------------------------------------------------------

    def index(self, name: str, **settings: Any) -> Index:
        """Make an index with the mapping of Elastic's integration, as far as it matters here."""
        fields = {"host.name": "keyword", "file.path": "keyword", "@timestamp": "date", **settings.pop("fields", {})}
        made = self.indices[name] = Index(name, fields=fields, **settings)
        return made

    def add(self, name: str, *sources: dict[str, Any], refresh: bool = True) -> None:
        with self._lock:
            for source in sources:
                self._count += 1
                self.indices[name].write(f"d{self._count}", source)
            if refresh:
                self.indices[name].refresh()

    def sources(self) -> list[dict[str, Any]]:
        """Return all documents, refreshed or not."""
        return [one.source for index in self.indices.values() for one in index.documents.values()]

    def expire(self) -> None:
        """Let the points in time and scrolls end."""
        self._contexts.clear()

    # --- HTTP -------------------------------------------------------------------------------------

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        elastic = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet, or the client waits 40 ms for the second
            disable_nagle_algorithm = True

            def log_message(self, *_: object) -> None:
                pass

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status, answer = elastic.answer(self.command, self.path, dict(self.headers.items()), body)
                data = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                if elastic.distribution == "elasticsearch" and elastic.number >= (7, 14):
                    self.send_header("X-elastic-product", "Elasticsearch")
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="security" charset="UTF-8"')
                accept = self.headers.get("accept", "")
                kind = accept if "vnd.elasticsearch+json" in accept else "application/json"
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815  names of the library

        return Handler

    @property
    def number(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split(".")[:2])

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        split = urllib.parse.urlsplit(target)
        path = split.path.rstrip("/") or "/"
        parameters = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))
        headers = {name.lower(): text for name, text in headers.items()}
        self.before(method, target)
        with self._lock:
            self.requests.append((method, target))
            for number, (part, status) in enumerate(self.reject):
                if part in path:
                    del self.reject[number]
                    kind = "es_rejected_execution_exception" if status == 429 else "unavailable"
                    return status, Failure(status, kind, "rejected execution of coordinating operation").body()
            try:
                if self._allowed and headers.get("authorization") not in self._allowed:
                    why = f"missing or wrong authentication credentials for REST request [{target}]"
                    raise Failure(401, "security_exception", why)
                return 200, self._route(method, path, parameters, headers, body)
            except Failure as failure:
                if failure.status == 200:
                    return 200, None
                return failure.status, failure.body()

    def _route(self, method: str, path: str, parameters: dict[str, str], headers: dict[str, str], body: bytes) -> Any:
        parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
        if body and not headers.get("content-type"):
            raise Failure(406, "media_type_header_exception", "Content-Type header is missing")
        match parts:
            case [""]:
                return self._info()
            case ["_bulk"] if method in ("POST", "PUT"):
                return self._bulk(body, None, parameters)
            case [name, "_bulk"] if method in ("POST", "PUT"):
                return self._bulk(body, name, parameters)
            case ["_search", "scroll"] if method == "DELETE":
                return self._close([*self._json(body)["scroll_id"]])
            case ["_search", "scroll"]:
                return self._scroll(self._json(body))
            case ["_pit"] if method == "DELETE" and self._has_pit:
                return self._close([self._json(body)["id"]])
            case [pattern, "_pit"] if method == "POST" and self._has_pit:
                return self._open(pattern, parameters)
            case ["_search"]:
                return self._search(None, parameters, self._json(body))
            case [pattern, "_search"]:
                return self._search(pattern, parameters, self._json(body))
            case [pattern, "_refresh"]:
                found = self._resolve(pattern, parameters)
                for index in found:
                    index.refresh()
                return {"_shards": {"total": len(found), "successful": len(found), "failed": 0}}
            case [pattern, "_count"]:
                return {"count": sum(len(index.visible) for index in self._resolve(pattern, parameters))}
            case [name, "_doc", id_] if method == "GET":
                found = self.indices[name].documents.get(id_)
                return {"_index": name, "_id": id_, "found": found is not None} | (
                    {"_source": found.source, "_seq_no": found.seq, "_primary_term": found.term} if found else {}
                )
            case [name] if method == "PUT" and not name.startswith("_"):
                if name in self.indices:
                    raise Failure(400, "resource_already_exists_exception", f"index [{name}] already exists")
                fields = {
                    key: one["type"]
                    for key, one in self._json(body or b"{}").get("mappings", {}).get("properties", {}).items()
                }
                self.index(name, fields=fields)
                return {"acknowledged": True, "shards_acknowledged": True, "index": name}
        raise Failure(400, "illegal_argument_exception", f"no handler found for uri [{path}] and method [{method}]")

    def _info(self) -> dict[str, Any]:
        version: dict[str, Any] = {"number": self.version, "lucene_version": "9.12.0"}
        if self.distribution == "opensearch":
            version["distribution"] = "opensearch"
            return {
                "name": "node",
                "cluster_name": "test",
                "version": version,
                "tagline": "The OpenSearch Project: https://opensearch.org/",
            }
        return {
            "name": "node",
            "cluster_name": "test",
            "version": {**version, "build_flavor": "default"},
            "tagline": "You Know, for Search",
        }

    @property
    def _has_pit(self) -> bool:
        return self.distribution == "elasticsearch" and self.number >= (7, 10)

    @staticmethod
    def _json(body: bytes) -> dict[str, Any]:
        try:
            found = json.loads(body or b"{}")
        except ValueError:
            raise Failure(400, "json_parse_exception", "Unexpected character") from None
        if not isinstance(found, dict):
            raise Failure(400, "parsing_exception", "Expected [START_OBJECT]")
        return found

    def _resolve(self, pattern: str, parameters: dict[str, str]) -> list[Index]:
        lenient = parameters.get("ignore_unavailable") == "true"
        hidden = any(word in parameters.get("expand_wildcards", "") for word in ("hidden", "all"))
        return resolve(self.indices, pattern, lenient=lenient, hidden=hidden)

    # --- searches ---------------------------------------------------------------------------------

    def _open(self, pattern: str, parameters: dict[str, str]) -> dict[str, Any]:
        if "keep_alive" not in parameters:
            raise Failure(
                400, "action_request_validation_exception", "Validation Failed: 1: [keep_alive] is not specified;"
            )
        found = [(index, one) for index in self._resolve(pattern, parameters) for one in index.visible]
        return {"id": self._remember("pit", found)}

    def _remember(self, kind: str, what: Any) -> str:
        self._count += 1
        name = base64.b64encode(f"{kind}-{self._count}".encode()).decode()
        self._contexts[name] = what
        return name

    def _close(self, names: list[str]) -> dict[str, Any]:
        freed = [name for name in names if self._contexts.pop(name, None) is not None]
        if not freed:
            raise Failure(404, "search_context_missing_exception", "No search context found")
        return {"succeeded": True, "num_freed": len(freed)}

    def _context(self, name: str) -> Any:
        if name not in self._contexts:
            raise Failure(404, "search_context_missing_exception", f"No search context found for id [{name}]")
        return self._contexts[name]

    def _search(self, pattern: str | None, parameters: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        known = {
            "size", "from", "query", "_source", "seq_no_primary_term", "version", "track_total_hits", "sort", "pit",
            "search_after", "aggs", "aggregations",
        }  # fmt: skip
        if unknown := set(body) - known:
            name = min(unknown)
            raise Failure(400, "parsing_exception", f"unknown key [{name}] for a START_OBJECT in [{name}].")
        size = body.get("size", 10)
        if size + body.get("from", 0) > WINDOW:
            why = f"Result window is too large, from + size must be less than or equal to: [{WINDOW}]"
            raise Failure(400, "illegal_argument_exception", why)
        pit = body.get("pit")
        if pit is not None and pattern is not None:
            raise Failure(
                400,
                "action_request_validation_exception",
                "Validation Failed: 1: [indices] cannot be used with point in time. Do not specify any index with point in time.;",
            )
        if pit is not None and {"ignore_unavailable", "expand_wildcards", "allow_no_indices"} & set(parameters):
            why = "Validation Failed: 1: [indicesOptions] cannot be used with point in time;"
            raise Failure(400, "action_request_validation_exception", why)
        if pit is not None and "scroll" in parameters:
            why = "Validation Failed: 1: using [point in time] is not allowed in a scroll context;"
            raise Failure(400, "action_request_validation_exception", why)
        if pit is not None and not self._has_pit:
            raise Failure(400, "parsing_exception", "Unknown key for a START_OBJECT in [pit].")
        if pit is not None:
            indices, found = (
                list({id(index): index for index, _ in self._context(pit["id"])}.values()),
                self._context(pit["id"]),
            )
        else:
            indices = self._resolve(pattern or "_all", parameters)
            found = [(index, one) for index in indices for one in index.visible]
        if "query" in body:
            found = [(index, one) for index, one in found if matches(index, one, body["query"])]
        answer: dict[str, Any] = {
            "took": 1,
            "timed_out": False,
            "_shards": {
                "total": sum(index.shards for index in indices),
                "successful": sum(index.shards for index in indices),
                "skipped": 0,
                "failed": 0,
            },
        }
        aggregations = body.get("aggs", body.get("aggregations"))
        if "scroll" in parameters:
            if "search_after" in body:
                raise Failure(
                    400,
                    "action_request_validation_exception",
                    "Validation Failed: 1: `search_after` cannot be used in a scroll context.;",
                )
            if body.get("track_total_hits") is False:
                why = "Validation Failed: 1: disabling [track_total_hits] is not allowed in a scroll context;"
                raise Failure(400, "action_request_validation_exception", why)
            if body.get("from"):
                why = "Validation Failed: 1: using [from] is not allowed in a scroll context;"
                raise Failure(400, "action_request_validation_exception", why)
            if size == 0:
                raise Failure(
                    400,
                    "action_request_validation_exception",
                    "Validation Failed: 1: [size] cannot be [0] in a scroll context;",
                )
            answer["_scroll_id"] = self._remember("scroll", {"left": found[size:], "body": body})
        answer["hits"] = {"max_score": None, "hits": self._page(found, body, pit is not None)}
        if body.get("track_total_hits") is not False:
            answer["hits"]["total"] = {"value": len(found), "relation": "eq"}
        if aggregations and indices:
            answer["aggregations"] = {name: composite(indices, found, one) for name, one in aggregations.items()}
        if pit is not None:
            answer["pit_id"] = pit["id"]
        return answer

    def _page(self, found: Found, body: dict[str, Any], pit: bool) -> list[dict[str, Any]]:
        given = body.get("sort", [])
        given = given.split(",") if isinstance(given, str) else given
        sort = [one if isinstance(one, str) else next(iter(one)) for one in given]
        for name in sort:
            if name == "_shard_doc" and self.distribution == "opensearch":
                raise Failure(400, "query_shard_exception", "No mapping found for [_shard_doc] in order to sort on")
            if name == "_shard_doc" and not pit:
                raise Failure(
                    400,
                    "action_request_validation_exception",
                    "Validation Failed: 1: [_shard_doc] sort field cannot be used without [point in time];",
                )
            if name not in ("_shard_doc", "_doc"):
                raise Failure(400, "query_shard_exception", f"No mapping found for [{name}] in order to sort on")
        after = body.get("search_after")
        numbered = list(enumerate(found))
        if after is not None:
            if len(after) != max(1, len(sort)):
                why = f"search_after has {len(after)} value(s) but sort has {len(sort)}."
                raise Failure(400, "illegal_argument_exception", why)
            numbered = [(number, one) for number, one in numbered if number > after[0]]
        return [
            self._hit(index, one, body) | ({"sort": [number]} if sort else {})
            for number, (index, one) in numbered[: body.get("size", 10)]
        ]

    @staticmethod
    def _hit(index: Index, one: Document, body: dict[str, Any]) -> dict[str, Any]:
        hit = {
            "_index": index.name,
            "_id": one.id,
            "_score": None,
            "_source": filtered(one.source, body.get("_source")),
        }
        return hit | ({"_seq_no": one.seq, "_primary_term": one.term} if body.get("seq_no_primary_term") else {})

    def _scroll(self, body: dict[str, Any]) -> dict[str, Any]:
        held = self._context(body["scroll_id"])
        size = held["body"].get("size", 10)
        now, held["left"] = held["left"][:size], held["left"][size:]
        hits = [self._hit(index, one, held["body"]) for index, one in now]
        return {
            "_scroll_id": body["scroll_id"],
            "took": 1,
            "timed_out": False,
            "_shards": {"total": 1, "failed": 0},
            "hits": {"hits": hits},
        }

    # --- bulk -------------------------------------------------------------------------------------

    def _bulk(self, body: bytes, default: str | None, parameters: dict[str, str]) -> dict[str, Any]:
        if not body:
            raise Failure(400, "parse_exception", "request body is required")
        if not body.endswith(b"\n"):
            raise Failure(400, "illegal_argument_exception", "The bulk request must be terminated by a newline [\\n]")
        lines = [line for line in body.split(b"\n") if line]
        items, number = [], 0
        actions = []
        while number < len(lines):
            action = self._json(lines[number])
            if len(action) != 1 or next(iter(action)) not in ("index", "create", "delete", "update"):
                why = f"Malformed action/metadata line [{number + 1}], expected field [create], [delete], [index] or [update] but found [{next(iter(action), '')}]"
                raise Failure(400, "illegal_argument_exception", why)
            [(kind, about)] = action.items()
            allowed = {"_index", "_id", "if_seq_no", "if_primary_term", "routing", "retry_on_conflict", "require_alias"}
            if unknown := set(about) - allowed:
                why = f"Action/metadata line [{number + 1}] contains an unknown parameter [{min(unknown)}]"
                raise Failure(400, "illegal_argument_exception", why)
            number += 1
            source = None
            if kind != "delete":
                if number >= len(lines):
                    raise Failure(
                        400, "illegal_argument_exception", "The bulk request must be terminated by a newline [\\n]"
                    )
                source = self._json(lines[number])
                number += 1
            if ("if_seq_no" in about) != ("if_primary_term" in about):
                raise Failure(
                    400,
                    "action_request_validation_exception",
                    "Validation Failed: 1: ifSeqNo is set, but primary term is [0];",
                )
            if kind in ("delete", "update") and not about.get("_id"):
                raise Failure(400, "action_request_validation_exception", "Validation Failed: 1: id is missing;")
            actions.append((kind, {"_index": default, **about}, source))
        for kind, about, source in actions:
            items.append({kind: self._act(kind, about, source)})
        if parameters.get("refresh") in ("true", "", "wait_for"):
            for index in self.indices.values():
                index.refresh()
        return {"took": 1, "errors": any(next(iter(item.values()))["status"] >= 300 for item in items), "items": items}

    def _act(self, kind: str, about: dict[str, Any], source: dict[str, Any] | None) -> dict[str, Any]:
        name, id_ = about["_index"], about.get("_id")
        if id_ is None:
            self._count += 1
            id_ = f"auto{self._count}"
        shown = {"_index": name, "_id": id_}
        if self.reject_items.get(id_):
            status = self.reject_items[id_].pop(0)
            cause = {"type": "es_rejected_execution_exception", "reason": "rejected execution of primary operation"}
            return {**shown, "status": status, "error": cause}
        try:
            index = self.indices.get(name)
            if index is None:
                if kind in ("delete", "update"):
                    raise Failure(404, "index_not_found_exception", f"no such index [{name}]")
                index = self.index(name)
            if kind == "update" and id_ not in index.documents:
                raise Failure(404, "document_missing_exception", f"[{id_}]: document missing")
            if kind == "create" and id_ in index.documents:
                raise Failure(
                    409,
                    "version_conflict_engine_exception",
                    f"[{id_}]: version conflict, document already exists (current version [1])",
                )
            index.guard(id_, about.get("if_seq_no"), about.get("if_primary_term"))
            if kind == "delete":
                if id_ not in index.documents:
                    return {**shown, "result": "not_found", "status": 404}
                index.delete(id_)
                return {**shown, "result": "deleted", "status": 200, "_seq_no": 0, "_primary_term": 1}
            if kind == "update":
                source = merged(index.documents[id_].source, (source or {}).get("doc", {}))
            before = id_ in index.documents
            made = index.write(id_, source or {})
        except Failure as failure:
            return {**shown, "status": failure.status, "error": {"type": failure.kind, "reason": failure.reason}}
        status = 200 if before else 201
        return {
            **shown,
            "result": "updated" if before else "created",
            "status": status,
            "_seq_no": made.seq,
            "_primary_term": 1,
        }


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return a document with members changed, as a partial update does it."""
    both = dict(old)
    for name, value in new.items():
        both[name] = (
            merged(both[name], value) if isinstance(value, dict) and isinstance(both.get(name), dict) else value
        )
    return both
