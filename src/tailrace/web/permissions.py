"""Which token may use which address: the one table, and what is not in it is for nobody.

Comes in: method and path of a request. Goes out: the scope that its token needs, whether a tenant may use it, whether
it changes something that is written down. The first row that fits counts, those without a part that varies before the
others. A test goes over all addresses of the application and fails for one that is not here.

A tenant's requests are answered by an application of its own over its own rows (`web.tenants`), so what may be used by
tenants is decided by what that application can answer: rules, receivers, silences, metrics and the state of files are
of the whole server, and the operator's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from starlette.routing import compile_path

if TYPE_CHECKING:
    import re

    from tailrace.access.model import Scope

READS: Final = frozenset({"GET", "HEAD"})
ASKS: Final = READS | {"POST"}
"""Of questions that may be too long for an address."""

ANY: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
CHANGES: Final = ANY - READS


@dataclass(frozen=True, slots=True)
class Permission:
    """One row: for whom an address is."""

    methods: frozenset[str]
    path: str  # as routes are written
    scope: Scope | None  # None: whoever shows any valid token
    tenants: bool = False  # whether a tenant may
    public: bool = False  # whether nothing has to be shown
    audited: bool = False  # whether who did it is written down


def _public(*paths: str, methods: frozenset[str] = READS) -> list[Permission]:
    return [Permission(methods, path, None, tenants=True, public=True) for path in paths]


def _push(*paths: str, methods: frozenset[str] = ANY) -> list[Permission]:
    return [Permission(methods, path, "push", tenants=True) for path in paths]


def _query(*paths: str, methods: frozenset[str] = ASKS) -> list[Permission]:
    return [Permission(methods, path, "query", tenants=True) for path in paths]


def _view(*paths: str, methods: frozenset[str] = READS) -> list[Permission]:
    """Return rows of what is of all tenants together, so that the operator's people alone may look at it."""
    return [Permission(methods, path, "query") for path in paths]


def _admin(*paths: str, methods: frozenset[str] = CHANGES) -> list[Permission]:
    return [Permission(methods, path, "admin", audited=not methods <= READS) for path in paths]


_LOKI: Final = "/loki/api/v1"
_RULES: Final = (f"{_LOKI}/rules", "/api/prom/rules")

TABLE: Final[tuple[Permission, ...]] = (
    *_public("/ready", "/static/{name}", "/login"),
    *_public("/login", "/logout", methods=frozenset({"POST"})),
    Permission(READS, "/openapi.json", None, tenants=True),
    # --- bringing lines, and alerts as Prometheus brings them
    *_push(f"{_LOKI}/push", "/ingest/jsonline", "/v1/logs", "/otlp/v1/logs"),
    *_push("/elasticsearch", "/elasticsearch/{rest:path}", "/ship/v1/{rest:path}"),
    Permission(frozenset({"POST"}), "/api/v2/alerts", "push", audited=False),
    # --- reading lines
    # --- the page: search for everybody who may ask, the rest for the operator's people
    Permission(READS, "/theme", None, tenants=True),
    *_query("/", "/explore", "/explore/{rest:path}", "/line/{rest:path}", "/logs/{rest:path}", methods=READS),
    *_query("/explore/export/{job}/cancel", methods=frozenset({"POST"})),
    *_query("/explore/history", methods=frozenset({"POST"})),
    *_view("/saved", "/saved/{rest:path}", "/s/{rest:path}", "/dashboard", "/dashboard/{rest:path}"),
    *_view("/metrics-from-logs", "/metrics-from-logs/{rest:path}", "/files", "/files/{rest:path}"),
    *_view("/alerts", "/alerts/{rest:path}", "/pipeline", "/pipeline/{rest:path}"),
    *(replace(row, audited=True) for row in _view("/saved/{rest:path}", "/dashboard/{rest:path}", methods=CHANGES)),
    *_admin("/metrics-from-logs/{rest:path}", "/alerts/{rest:path}", "/files/{rest:path}", "/pipeline/{rest:path}"),
    *_query(f"{_LOKI}/query", f"{_LOKI}/query_range", f"{_LOKI}/format_query", f"{_LOKI}/status/buildinfo"),
    *_query(f"{_LOKI}/labels", f"{_LOKI}/label", f"{_LOKI}/label/{{name}}/values", f"{_LOKI}/series"),
    *_query(f"{_LOKI}/detected_labels", f"{_LOKI}/detected_fields", f"{_LOKI}/detected_field/{{name}}/values"),
    *_query(f"{_LOKI}/index/stats", f"{_LOKI}/index/volume", f"{_LOKI}/index/volume_range"),
    *_query(f"{_LOKI}/patterns", f"{_LOKI}/drilldown-limits"),
    *_query(f"{_LOKI}/tail", "/loki/api/v2alpha/tail", methods=READS),
    *_query("/api/v1/query", "/api/v1/query_range", "/api/v1/labels", "/api/v1/label/{name}/values", "/api/v1/series"),
    *_query("/api/v1/status/buildinfo", methods=READS),
    *_query("/api/v1/logs/query", "/api/v1/logs/tail", "/api/v1/explain"),
    # --- looking at what is of the whole server
    *_view("/metrics", "/status", "/services", "/ship/v1/agents"),
    *_view(f"{_LOKI}/delete", "/api/v1/metadata", "/api/v1/rules", "/api/v1/alerts", "/api/v1/rules/evaluations"),
    *(row for rules in _RULES for row in _view(rules, f"{rules}/{{namespace}}", f"{rules}/{{namespace}}/{{group}}")),
    *_view("/prometheus/api/v1/rules", "/prometheus/api/v1/alerts"),
    *_view("/api/v1/rules/backtest", "/api/v1/alerts/history", methods=ASKS),
    *_view("/api/v1/files/ls", "/api/v1/files/du", "/api/v1/files/diff", "/api/v1/files/history", methods=ASKS),
    *_view("/api/v1/files/usage", "/api/v1/files/health", methods=ASKS),
    *_view("/api/v1/metrics", "/api/v1/metrics/{name}", "/api/v1/metrics/{name}/values"),
    *_view("/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/silences", "/api/v2/silence/{name}", "/api/v2/status"),
    *_view("/api/v2/receivers", "/api/v1/receivers", "/api/v1/receivers/{name}", "/api/v1/notifications"),
    # --- changing what is kept or told
    *_admin("/config", "/api/v1/audit", methods=READS),
    *_admin(f"{_LOKI}/delete", "/api/v1/files/condense", "/api/v1/metrics", "/api/v1/metrics/{name}"),
    *(row for rules in _RULES for row in _admin(f"{rules}/{{namespace}}", f"{rules}/{{namespace}}/{{group}}")),
    *_admin("/api/v2/silences", "/api/v2/silence/{name}"),
    *_admin("/api/v1/receivers/{name}", "/api/v1/receivers/{name}/test"),
    *_admin("/api/v1/notifications/{number}", "/api/v1/notifications/{number}/retry"),
)

NOBODY: Final = Permission(ANY, "", "admin", audited=True)
"""What is not in the table: with a token of an operator the application says that there is nothing."""


def permission(method: str, path: str) -> Permission:
    """Return the row of a request; a websocket is a GET."""
    plain, patterns = _prepared()
    found = plain.get((method, path))
    if found is not None:
        return found
    return next((row for row, pattern in patterns if method in row.methods and pattern.fullmatch(path)), NOBODY)


@lru_cache(maxsize=1)
def _prepared() -> tuple[dict[tuple[str, str], Permission], list[tuple[Permission, re.Pattern[str]]]]:
    """Return the rows by method and path, and those whose path has a part that varies."""
    plain = {(method, row.path): row for row in reversed(TABLE) for method in row.methods if "{" not in row.path}
    return plain, [(row, compile_path(row.path)[0]) for row in TABLE if "{" in row.path]
