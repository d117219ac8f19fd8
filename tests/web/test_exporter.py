"""The pages of an exporter: who may see what."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tailrace.exposition import Family, Point
from tailrace.web.exporter import create_app


def get(
    path: str,
    *,
    host: str = "127.0.0.1",
    name: str = "localhost",
    token: str | None = None,
    trouble: str = "",
    given: str = "",
) -> httpx.Response:
    """Return a page as somebody at an address sees it."""
    families = [Family("x_total", "counter", "X.", [Point({}, 1)])]
    app = create_app(lambda: families, lambda: ["a: odd"], lambda: trouble, token=token)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(host, 1))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{name}") as client:
            return await client.get(path, headers={"Authorization": given} if given else {})

    return asyncio.run(ask())


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 200), ("::1", 200), ("192.0.2.1", 403), ("nobody", 403)])
def test_lines_are_shown_to_this_machine_only(host: str, status: int) -> None:
    assert get("/unmatched", host=host).status_code == status
    assert get("/metrics", host=host).text.endswith("x_total 1\n")


def test_lines_are_not_shown_to_a_page_that_turned_its_name_to_here() -> None:
    assert get("/unmatched", name="evil.example").status_code == 403
    assert get("/metrics", name="evil.example").status_code == 200


@pytest.mark.parametrize(
    ("given", "status"),
    [("", 401), ("Bearer secret", 200), ("bearer  secret", 200), ("Bearer Secret", 401), ("Basic secret", 401)],
)
def test_a_token_is_asked_for(given: str, status: int) -> None:
    assert {get(path, token="secret", given=given).status_code for path in ("/metrics", "/unmatched")} == {status}
    assert get("/ready", token="secret").status_code == 200


def test_trouble_is_no_health() -> None:
    assert get("/ready").status_code == 200
    told = get("/ready", trouble="x: gone")
    assert (told.status_code, told.text) == (503, "x: gone\n")
    assert "/metrics" in get("/").text
