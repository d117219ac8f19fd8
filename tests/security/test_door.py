"""Attempts to get past the door: guessed tokens, forged headers, sessions, foreign pages, slow and huge requests."""

from __future__ import annotations

import base64
import gzip
import socket
import ssl
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import zstandard
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from access.certificates import certificate
from security.conftest import House, running
from tailrace import limits
from tailrace.access.tokens import Tokens
from tailrace.clock import SystemClock
from tailrace.web import connections, guarded
from tailrace.web.guarded import COOKIE

QUERY = "/loki/api/v1/labels"


def said(house: House, *headers: tuple[str, str], method: str = "GET", path: str = QUERY) -> httpx.Response:
    with house.client() as client:
        return client.request(method, path, headers=list(headers))


# --- tokens -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shown",
    [
        "Bearer",
        "Bearer null",
        "Bearer trl_",
        "Bearer trl_aaaaaaaaaa_" + "a" * 43,
        "Basic " + base64.b64encode(b"admin:admin").decode(),
        "Basic " + base64.b64encode(b"admin:").decode(),
        "Basic %%%",
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "ApiKey x",
        "Digest username=admin",
        "Negotiate abc",
        "Bearer " + "a" * 5_000,
    ],
)
def test_what_is_no_token_is_refused(house: House, shown: str) -> None:
    answer = said(house, ("Authorization", shown))
    assert answer.status_code in {401, 429}
    assert shown.partition(" ")[2][:40].strip() not in answer.text or not shown.partition(" ")[2].strip()


@pytest.mark.parametrize("cut", [slice(0, -1), slice(1, None), slice(0, 15)])
def test_a_part_of_a_token_is_refused(house: House, cut: slice) -> None:
    assert said(house, ("Authorization", f"Bearer {house.tokens['shop'][cut]}")).status_code in {401, 429}


def test_a_token_in_the_address_is_refused(house: House) -> None:
    """Addresses stand in logs, in histories and in the headers of others."""
    token = house.tokens["operator"]
    for name in ("token", "access_token", "api_key", "authorization"):
        assert said(house, path=f"{QUERY}?{name}={token}").status_code == 401


def test_two_tokens_are_refused(house: House) -> None:
    shown = ("Authorization", f"Bearer {house.tokens['shop']}")
    assert said(house, shown, ("Authorization", f"Bearer {house.tokens['bank']}")).status_code == 400


def test_a_peer_that_guesses_has_to_wait_and_nobody_else(tmp_path: Path) -> None:
    with running(tmp_path, access={"tokens": "required"}) as house:
        known = ("Authorization", f"Bearer {house.tokens['query']}")
        assert said(house, known).status_code == 200
        guesses = [said(house, ("Authorization", f"Bearer trl_aaaaaaaaa{n}_{'a' * 43}")) for n in range(10)]
        assert {one.status_code for one in guesses} == {401}
        late = said(house, ("Authorization", f"Bearer {house.tokens['admin']}"))
        assert late.status_code == 429  # also with a token that is right: else a guess would show
        assert 0 < int(late.headers["Retry-After"]) <= 60
        assert said(house, known).status_code == 200  # it was right before


def test_a_revoked_token_is_refused_and_so_is_its_session(tmp_path: Path) -> None:
    with running(tmp_path, access={"tokens": "required"}) as house, house.client() as client:
        token = house.tokens["query"]
        assert client.post("/login", data={"token": token}).status_code == 303
        assert client.get(QUERY).status_code == 200
        assert Tokens(house.control, SystemClock()).revoke(token.split("_")[1])
        house.guard.forget()  # as five seconds do
        assert client.get(QUERY).status_code == 401


def test_what_goes_on_ends_with_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "LOOK_S", 0.0)
    monkeypatch.setattr("tailrace.web.live.SILENCE_S", 0.25)
    with running(tmp_path, access={"tokens": "required"}) as house:
        asked, token = {"query": '{app=~".+"}', "q": '{app=~".+"}'}, house.tokens["query"]
        url = f"ws://127.0.0.1:{house.port}/loki/api/v1/tail?{httpx.QueryParams(asked)}"
        headers = {"Authorization": f"Bearer {token}"}
        with (
            house.client("query") as client,
            client.stream("GET", "/explore/live", params=asked) as live,
            connect(url, additional_headers=headers, proxy=None) as tail,
        ):
            pieces = live.iter_text()
            assert "following" in next(pieces)
            assert Tokens(house.control, SystemClock()).revoke(token.split("_")[1])
            house.guard.forget()  # as five seconds do
            with house.client("push") as pushing:  # no line of these is told
                body = {"streams": [{"stream": {"app": "web"}, "values": [[str(time.time_ns()), "later"]]}]}
                assert pushing.post("/loki/api/v1/push", json=body).status_code == 204
            with pytest.raises(httpx.RemoteProtocolError):  # broken off, not ended
                assert "later" not in "".join(pieces)
            with pytest.raises(ConnectionClosedError, match="1008"):
                tail.recv(timeout=60)


# --- sessions and foreign pages ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(house: House) -> Iterator[httpx.Client]:
    with house.client() as client:
        answer = client.post("/login", data={"token": house.tokens["operator"], "next": "/explore"})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/explore")
        yield client


def test_the_page_offers_to_log_out_and_that_ends_the_session(house: House) -> None:
    with house.client() as client:
        client.post("/login", data={"token": house.tokens["query"]})
        stolen = f"{COOKIE}={client.cookies[COOKIE]}"
        assert 'action="/logout"' in client.get("/").text
        assert client.post("/logout").headers["Location"] == "/login"
        assert not client.cookies
        assert client.get(QUERY, headers={"Cookie": stolen}).status_code == 401
    assert said(house, ("Authorization", f"Bearer {house.tokens['query']}")).status_code == 200
    assert 'action="/logout"' not in said(house, ("Authorization", f"Bearer {house.tokens['query']}"), path="/").text


def test_a_token_in_a_cookie_is_not_ended_by_a_logout(house: House) -> None:
    with house.client(None, Cookie=f"{COOKIE}={house.tokens['query']}") as client:
        assert client.post("/logout").status_code == 303
        assert client.get(QUERY).status_code == 200


def test_a_session_cannot_be_read_or_sent_by_pages(house: House) -> None:
    with house.client() as client:
        cookie = client.post("/login", data={"token": house.tokens["query"]}).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert house.tokens["query"] not in cookie


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
@pytest.mark.parametrize("path", ["/loki/api/v1/rules/x", "/api/v2/silences", "/logout", "/login"])
def test_a_foreign_page_cannot_change_anything(browser: httpx.Client, headers: dict[str, str], path: str) -> None:
    assert browser.post(path, headers=headers, content=b"{}").status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1.evil.example"]
)
def test_a_websocket_of_a_foreign_page_is_refused(house: House, origin: str) -> None:
    url = f"ws://127.0.0.1:{house.port}/loki/api/v1/tail?query=%7Bapp%3D~%22.%2B%22%7D"
    headers = {"Authorization": f"Bearer {house.tokens['query']}"}
    with pytest.raises(InvalidStatus) as refused, connect(url, origin=origin, additional_headers=headers, proxy=None):
        pass
    assert refused.value.response.status_code == 403


def test_a_websocket_without_a_token_is_refused(house: House) -> None:
    url = f"ws://127.0.0.1:{house.port}/loki/api/v1/tail?query=%7Bapp%3D~%22.%2B%22%7D"
    with pytest.raises(InvalidStatus) as refused, connect(url, proxy=None):
        pass
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:9080"])
def test_a_name_that_was_turned_to_this_machine_is_refused(plain: House, host: str) -> None:
    assert said(plain, ("Host", host)).status_code == 403


@pytest.mark.parametrize(
    "where",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/x\r\nSet-Cookie: a=b"],
)
def test_the_login_leads_nowhere_else(house: House, where: str) -> None:
    with house.client() as client:
        answer = client.post("/login", data={"token": house.tokens["query"], "next": where})
    assert answer.headers["Location"] == "/"
    assert len(answer.headers.get_list("Set-Cookie")) == 1


def test_the_login_page_writes_what_it_was_given_as_text(house: House) -> None:
    with house.client() as client:
        page = client.get("/login", params={"next": '/"><script>alert(1)</script>'}).text
    assert "<script>alert" not in page


def test_a_stolen_shape_of_a_cookie_is_refused(house: House) -> None:
    for value in ("x", "trl_aaaaaaaaaa_" + "a" * 43, "' OR 1=1 --", '"'):
        assert said(house, ("Cookie", f"{COOKIE}={value}")).status_code in {401, 429}


# --- requests as bytes ------------------------------------------------------------------------------


def raw(port: int, data: bytes, timeout_s: float = 30) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
        connection.sendall(data)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
            if b"\r\n\r\n" in answer and b"chunked" not in answer:
                return answer
    return answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /ready HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",
        b"GET /ready HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"GET /ready HTTP/1.1\r\nHost: x\r\n X: folded\r\nBad Name: y\r\n\r\n",
        b"GET /re\x01ady HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /loki/api/v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /loki/api/v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /loki/api/v1/push HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        b"GET /ready HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 1_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_clean_request_is_refused(plain: House, request_bytes: bytes) -> None:
    with socket.create_connection(("127.0.0.1", plain.port), 60) as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        try:
            answer = connection.recv(65_536)
        except ConnectionResetError:
            answer = b""
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("value", ["x\r\nSet-Cookie: a=b", "x%0d%0aSet-Cookie:%20a=b"])
def test_no_header_is_split_by_what_is_sent_back(plain: House, value: str) -> None:
    with plain.client() as client:
        for path in ("/explore/edit", "/", "/login"):
            answer = client.get(path, params={"q": f'{{app="{value}"}} |= "{value}"', "next": value, "in": value})
            assert "a=b" not in str(answer.headers.get_list("Set-Cookie"))


@pytest.mark.parametrize("path", ["/static/../../../etc/passwd", "/static/..%2f..%2fetc%2fpasswd", "/static/%2e%2e/login.html",
                                  "/static//etc/passwd", "/static/explorer.css%00.txt"])  # fmt: skip
def test_no_file_is_reached_by_a_path(plain: House, path: str) -> None:
    answer = raw(plain.port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"root:" not in answer


def test_a_connection_that_says_nothing_is_closed(plain: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.2)
    with socket.create_connection(("127.0.0.1", plain.port), 60) as connection:
        assert gone(connection)


def test_a_head_that_drips_is_closed(plain: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.2)
    with socket.create_connection(("127.0.0.1", plain.port), 60) as connection:
        connection.sendall(b"GET /ready HTTP/1.1\r\nHo")
        assert gone(connection)


def test_a_body_that_drips_is_refused(plain: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "BODY_WAIT_S", 0.2)
    head = b"POST /api/v1/query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nquery"
    assert b" 408 " in raw(plain.port, head, 60)


def test_more_connections_than_there_may_be_are_closed(plain: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS", 3)
    held = [socket.create_connection(("127.0.0.1", plain.port), 60) for _ in range(8)]
    until_s, ended = time.monotonic() + 60, set[int]()
    try:
        for connection in held:
            connection.settimeout(0.1)
        while len(ended) < 3 and time.monotonic() < until_s:
            ended |= {at for at, connection in enumerate(held) if at not in ended and closed(connection)}
        assert len(ended) >= 3
    finally:
        for connection in held:
            connection.close()


def gone(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def closed(connection: socket.socket) -> bool:
    try:
        return gone(connection)
    except TimeoutError:
        return False


# --- bodies that are more than they look ------------------------------------------------------------

LARGE = limits.PUSH_BODY_BYTES + limits.MIB
HUGE = b'{"streams":[' + b" " * LARGE


def snappy_bomb() -> bytes:
    """Return a snappy block that says it is four gigabytes, and is a few bytes."""
    return bytes([0xFF, 0xFF, 0xFF, 0xFF, 0x0F]) + b"\x00a"


@pytest.mark.parametrize(
    ("encoding", "kind", "body"),
    [
        ("gzip", "application/json", gzip.compress(HUGE, 9)),
        ("gzip", "application/json", gzip.compress(HUGE[: LARGE // 2], 9) + gzip.compress(b" " * LARGE, 9)),
        ("deflate", "application/json", zlib.compress(HUGE, 9)),
        ("zstd", "application/json", zstandard.compress(HUGE, 19)),
        ("", "application/x-protobuf", snappy_bomb()),
        ("gzip", "application/json", gzip.compress(b"{}")[:-6]),
        ("gzip", "application/json", b"\x1f\x8b" + b"\x00" * 100),
        ("br", "application/json", b"x"),
        ("gzip, gzip, gzip", "application/json", b"x"),
    ],
    ids=["gzip", "gzip of two", "deflate", "zstd", "snappy", "cut", "broken", "unknown", "nested"],
)
def test_a_bomb_is_refused(plain: House, encoding: str, kind: str, body: bytes) -> None:
    headers = {"Content-Type": kind, **({"Content-Encoding": encoding} if encoding else {})}
    with plain.client() as client:
        answer = client.post("/loki/api/v1/push", content=body, headers=headers)
    assert answer.status_code in {400, 413, 415}, answer.text


@pytest.mark.parametrize("path", ["/api/v1/query", "/login", "/api/v2/silences", "/loki/api/v1/rules/x"])
def test_a_form_that_is_too_long_is_refused(plain: House, path: str) -> None:
    with plain.client() as client:
        answer = client.post(path, content=b"a=" + b"b" * (limits.FORM_BYTES + 1))
    assert answer.status_code in {400, 413}


# --- what is let in ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic " + base64.b64encode(b"ann:of the proxy").decode()},
        {"Authorization": "Negotiate abc"},
        {"Cookie": f"{COOKIE}=of-another-time"},
        {"Cookie": f"{COOKIE}=trl_aaaaaaaaaa_{'a' * 43}"},
        {"X-Scope-OrgID": "fake"},
    ],
    ids=str,
)
def test_on_this_machine_everybody_is_let_in_whatever_a_proxy_passes_on(plain: House, headers: dict[str, str]) -> None:
    plain.guard._wrong.clear()
    assert said(plain, *headers.items()).status_code == 200


def test_a_wrong_token_is_refused_even_where_none_is_needed(plain: House) -> None:
    """Who shows one means to be somebody."""
    plain.guard._wrong.clear()
    assert said(plain, ("Authorization", f"Bearer trl_aaaaaaaaaa_{'a' * 43}")).status_code == 401


def test_over_tls_a_cookie_never_travels_without(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path, "server", "server")
    tls = {"certificate": str(pem), "key": str(key)}
    with running(tmp_path / "d", access={"tokens": "required"}, tls=tls) as house:
        assert house.address.startswith("https://")
        trust = ssl.create_default_context(cafile=pem)
        address = house.address.replace("127.0.0.1", "localhost")
        with httpx.Client(base_url=address, verify=trust, timeout=60, trust_env=False) as client:
            cookie = client.post("/login", data={"token": house.tokens["query"]}).headers["Set-Cookie"]
            assert "; Secure" in cookie
            assert client.get(QUERY).status_code == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(house.address.replace("https", "http"), timeout=60, trust_env=False)


def test_client_certificates_let_in_without_a_token(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path, "server", "server")
    ca, ca_key = certificate(tmp_path, "ca", "clients")
    tls = {"certificate": str(pem), "key": str(key), "client_ca": str(ca)}
    with running(tmp_path / "d", listen="0.0.0.0:0", tls=tls) as house:
        trust = ssl.create_default_context(cafile=pem)
        address = f"https://localhost:{house.port}"
        with pytest.raises(httpx.HTTPError), httpx.Client(verify=trust, timeout=60, trust_env=False) as client:
            client.get(address + QUERY)
        trust.load_cert_chain(ca, ca_key)
        with httpx.Client(verify=trust, timeout=60, trust_env=False) as client:
            assert client.get(address + QUERY).status_code == 200
