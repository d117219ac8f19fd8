"""What clients of Elasticsearch ask before they send: who is there, may I, is your set-up done. The answer is yes.

Beats, Elastic Agent and Logstash ask for version and licence, and put templates, pipelines and policies, which mean
nothing here: they are taken and forgotten. Vector asks for the health of the cluster. Every answer says that the
product is Elasticsearch, since clients refuse any other; nothing of its query language is here, so what else is asked
gets 404.
"""

from __future__ import annotations

# ruff: noqa: TC002 -- FastAPI reads the annotations of endpoints at run time
import hashlib
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tailrace.web import elastic_answers as answers
from tailrace.web.elastic_bulk import HEADERS, PREFIX

if TYPE_CHECKING:
    from tailrace.web.services import Services

_NAME: Final = "tailrace"
_LUCENE: Final = "9.12.0"
_LICENSE: Final = {"type": "basic", "mode": "basic", "status": "active"}
_TEMPLATES: Final = ("_index_template", "_template", "_component_template")
_EMPTY: Final = ("_data_stream", "_ingest", "_nodes", "_logstash", "_alias", "_cat", "_ilm")
"""First parts of paths whose answers are empty: there is none of it."""


def routes(services: Services) -> APIRouter:
    """Return the endpoints under the prefix that are no `_bulk`."""
    router = APIRouter(prefix=PREFIX)
    uid = hashlib.sha256(services.host.encode()).hexdigest()

    @router.get("")
    @router.head("", include_in_schema=False)
    @router.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def hello() -> Response:
        """Say that Elasticsearch is here, of the version that the configuration names."""
        return _json(_hello(services, uid))

    @router.get("/_license")
    async def license_() -> Response:
        """Say that everything that is here may be used."""
        return _json({"license": {"uid": _uuid(uid), **_LICENSE, "issued_to": _NAME, "issuer": _NAME}})

    @router.get("/_xpack")
    async def xpack() -> Response:
        """Say the same to older clients."""
        return _json({"build": {}, "features": {}, "license": {"uid": _uuid(uid), **_LICENSE}})

    @router.get("/_cluster/health")
    async def health() -> Response:
        """Say that the cluster of one is well while this server takes lines."""
        green = services.ready()
        known = {"cluster_name": _NAME, "status": "green" if green else "red", "timed_out": False}
        return _json(known | {"number_of_nodes": 1, "number_of_data_nodes": 1}, 200 if green else 503)

    @router.api_route("/{path:path}", methods=["GET", "HEAD", "PUT", "POST", "DELETE"], include_in_schema=False)
    async def set_up(path: str, request: Request) -> Response:
        """Take what belongs to the set-up of clients; all else is not here."""
        return _set_up(request.method, [part for part in path.split("/") if part])

    return router


def _hello(services: Services, uid: str) -> dict[str, Any]:  # Any: JSON of several shapes
    version = {
        "number": services.elasticsearch_version,
        "build_flavor": "default",
        "lucene_version": _LUCENE,
        "minimum_wire_compatibility_version": "7.17.0",
        "minimum_index_compatibility_version": "7.0.0",
    }
    return {
        "name": _NAME,
        "cluster_name": _NAME,
        "cluster_uuid": uid[:22],
        "version": version,
        "tagline": "You Know, for Search",
    }


def _set_up(method: str, parts: list[str]) -> Response:
    """Return the answer to a path of these parts."""
    first = parts[0] if parts else ""
    if method == "HEAD":
        return _json({}) if first in _TEMPLATES or not first.startswith("_") else _nothing(parts)
    if method == "PUT" and (first in (*_TEMPLATES, *_EMPTY) or not first.startswith("_")):
        taken = {"acknowledged": True}
        return _json(taken if first.startswith("_") else taken | {"shards_acknowledged": True, "index": first})
    if method == "GET" and first in _EMPTY and parts[:2] != ["_ilm", "policy"]:
        return _json({})
    if method == "GET" and first in _TEMPLATES and len(parts) == 1:
        return _json({})
    return _nothing(parts)


def _nothing(parts: list[str]) -> Response:
    return _json_bytes(
        answers.failure(404, f"there is no {'/'.join(parts)[:200]!r} here: this server stores logs"), 404
    )


def _json(value: dict[str, Any], status: int = 200) -> Response:  # Any: as above
    return _json_bytes(answers.compact(value), status)


def _json_bytes(body: bytes, status: int) -> Response:
    return Response(body, status, HEADERS, media_type="application/json")


def _uuid(uid: str) -> str:
    return f"{uid[:8]}-{uid[8:12]}-{uid[12:16]}-{uid[16:20]}-{uid[20:32]}"
