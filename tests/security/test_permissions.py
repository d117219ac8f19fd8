"""Every address of the application has a permission, and asks for it."""

from __future__ import annotations

import re

import pytest
from fastapi import APIRouter, FastAPI

from security.conftest import CANARY, House, routes
from tailrace.access.model import SCOPES
from tailrace.web.permissions import NOBODY, TABLE, permission

KNOWN = {"name": "x", "namespace": "x", "group": "x", "number": "1", "rest": "x"}


def filled(path: str) -> str:
    """Return an address of a route, its parts filled in.

    >>> filled("/loki/api/v1/label/{name}/values")
    '/loki/api/v1/label/x/values'
    """
    return re.sub(r"{(\w+)(?::\w+)?}", lambda part: KNOWN.get(part[1], "x"), path)


def test_every_route_has_a_permission(house: House) -> None:
    found = routes(house.app)
    assert len(found) > 100
    unknown = [one for one in found if permission(one[0], filled(one[1])) is NOBODY]
    assert unknown == [], "give these a row in web/permissions.py"


def test_a_route_without_a_permission_is_found(house: House) -> None:
    router = APIRouter()
    router.get("/api/v1/novelty/{name}")(lambda: None)
    assert ("GET", "/api/v1/novelty/{name}") in routes(_with(router))
    assert permission("GET", "/api/v1/novelty/x") is NOBODY


def _with(router: APIRouter) -> FastAPI:
    app = FastAPI()
    app.include_router(router)
    return app


def test_nothing_but_the_login_and_health_is_public() -> None:
    public = {(method, row.path) for row in TABLE if row.public for method in row.methods}
    assert public == {
        ("GET", "/ready"), ("HEAD", "/ready"), ("GET", "/static/{name}"), ("HEAD", "/static/{name}"),
        ("GET", "/login"), ("HEAD", "/login"), ("POST", "/login"), ("POST", "/logout"),
    }  # fmt: skip


def test_every_change_is_written_down() -> None:
    for row in TABLE:
        if row.scope == "admin" and row.methods - {"GET", "HEAD"}:
            assert row.audited, row.path


def test_every_route_refuses_who_shows_nothing(house: House) -> None:
    let_in = []
    with house.client() as client:
        for method, path in routes(house.app):
            if permission(method, filled(path)).public:
                continue
            status = client.request(method, filled(path)).status_code
            if status != 401:
                let_in.append((method, path, status))
    assert let_in == []


@pytest.mark.parametrize("scope", SCOPES)
def test_every_route_refuses_a_token_of_another_scope(house: House, scope: str) -> None:
    let_in = []
    with house.client(scope) as client:
        for method, path in routes(house.app):
            needed = permission(method, filled(path))
            if needed.public or needed.scope in (None, scope):
                continue
            status = client.request(method, filled(path)).status_code
            if status != 403:
                let_in.append((method, path, status))
    assert let_in == []


def test_every_route_of_the_whole_server_refuses_tenants(house: House) -> None:
    let_in = []
    with house.client("shop") as client:
        for method, path in routes(house.app):
            if not permission(method, filled(path)).tenants:
                status = client.request(method, filled(path)).status_code
                if status != 403:
                    let_in.append((method, path, status))
    assert let_in == []


@pytest.mark.parametrize("path", ["/metrics\n", "//metrics", "/METRICS", "/metrics/", "/%2e/metrics", "/x/../metrics"])
def test_a_path_that_is_written_otherwise_is_not_let_through(house: House, path: str) -> None:
    with house.client("push") as client:
        answer = client.get(house.address.rstrip("/") + path.replace("\n", "%0A"))
    assert answer.status_code == 403
    assert all(canary not in answer.text for canary in CANARY.values())


def test_who_the_agents_are_is_the_operators_to_see(house: House) -> None:
    with house.client("query") as client:
        assert client.get("/ship/v1/agents").status_code == 200
    with house.client("push") as client:
        assert client.get("/ship/v1/agents").status_code == 403
        assert client.get("/ship/v1/agents/one-0").status_code != 403
    assert not permission("GET", "/ship/v1/agents").tenants
