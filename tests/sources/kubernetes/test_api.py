"""A list, a watch, and every way in which a server may fail."""

from __future__ import annotations

import contextlib
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sources.kubernetes.fake_api import FakeApi, pod, until
from tailrace.sources.kubernetes.access import Access
from tailrace.sources.kubernetes.api import PodApi
from tailrace.sources.kubernetes.pods import Pods

Start = Callable[..., PodApi]


@pytest.fixture
def fake() -> Iterator[FakeApi]:
    server = FakeApi()
    yield server
    server.close()


@pytest.fixture
def start(fake: FakeApi) -> Iterator[Start]:
    with contextlib.ExitStack() as stack:

        def make(**more: Path) -> PodApi:
            api = PodApi(Access(fake.url, "node-a", **more), Pods(600, time.monotonic), first_wait_s=0.01)
            stack.callback(api.close)
            return api

        yield make


def app(api: PodApi, name: str = "web") -> str | None:
    found = api._pods.find("shop", name, "")
    return None if found is None else found.labels.get("app")


def test_a_list_and_then_every_change(fake: FakeApi, start: Start) -> None:
    fake.pods = [pod("web", app="a")]
    api = start()
    until(lambda: app(api) == "a")
    assert (fake.requests[0][0], fake.requests[0][1]["fieldSelector"]) == ("list", "spec.nodeName=node-a")
    fake.tell("MODIFIED", pod("web", version=11, app="b"))
    until(lambda: app(api) == "b")
    fake.tell("ADDED", pod("db", "u2", version=12, app="c"))
    until(lambda: app(api, "db") == "c")
    fake.tell("DELETED", pod("web", version=13, app="b"))
    until(api._pods.any_deleted)
    assert app(api) == "b"  # known for the grace time
    assert (api.problem, api.failures) == ("", 0)


def test_a_long_list_comes_in_pages(fake: FakeApi, start: Start) -> None:
    fake.page = 2
    fake.pods = [pod(f"web-{number}", f"u{number}", app=str(number)) for number in range(5)]
    api = start()
    until(lambda: len(api._pods) == 5)
    assert [asked.get("continue") for kind, asked, _ in fake.requests if kind == "list"] == [None, "2", "4"]


def test_a_watch_that_ends_goes_on_where_it_was(fake: FakeApi, start: Start) -> None:
    fake.pods = [pod("web", app="a")]
    api = start()
    fake.tell("BOOKMARK", {"metadata": {"resourceVersion": "77"}})
    fake.events.put(None)
    until(lambda: sum(kind == "watch" for kind, _, _ in fake.requests) == 2)
    assert [asked["resourceVersion"] for kind, asked, _ in fake.requests if kind == "watch"] == ["10", "77"]
    assert [kind for kind, _, _ in fake.requests] == ["list", "watch", "watch"]
    assert api.failures == 0


def test_a_dropped_connection_is_made_again(fake: FakeApi, start: Start) -> None:
    fake.pods = [pod("web", app="a")]
    api = start()
    fake.tell("MODIFIED", pod("web", version=11, app="b"))
    until(lambda: app(api) == "b")
    fake.events.put(b"")
    until(lambda: api.failures >= 1)
    until(lambda: api.problem == "", "the next watch ends the problem, without any event")
    fake.tell("MODIFIED", pod("web", version=12, app="c"))
    until(lambda: app(api) == "c")
    assert [asked["resourceVersion"] for kind, asked, _ in fake.requests if kind == "watch"][:2] == ["10", "11"]
    assert api.problem == ""


@pytest.mark.parametrize("how", ["status", "event"])
def test_a_forgotten_version_asks_for_a_new_list(fake: FakeApi, start: Start, how: str) -> None:
    fake.pods = [pod("web", app="a"), pod("old", "u9", app="x")]
    if how == "status":
        fake.statuses = [200, 410]
    api = start()
    if how == "event":
        fake.tell("ERROR", {"code": 410, "message": "too old resource version"})
    until(lambda: app(api) is not None)
    fake.pods = [pod("web", app="b")]
    until(lambda: app(api) == "b" or sum(kind == "list" for kind, _, _ in fake.requests) >= 2)
    until(lambda: [kind for kind, _, _ in fake.requests][:4] == ["list", "watch", "list", "watch"])
    assert api.failures == 0


def test_a_refused_token_is_read_again(fake: FakeApi, start: Start, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")
    fake.pods = [pod("web", app="a")]
    fake.statuses = [401] * 3
    api = start(token_file=token)
    until(lambda: api.failures >= 1)
    assert "token is refused" in api.problem
    token.write_text("new\n")
    until(lambda: app(api) == "a")
    assert (fake.requests[0][2], fake.requests[-1][2]) == ("Bearer old", "Bearer new")
    until(lambda: api.problem == "")


def test_what_stands_against_it_is_said(fake: FakeApi, start: Start) -> None:
    fake.statuses = [403] * 100
    api = start()
    until(lambda: "may not list" in api.problem)
    fake.statuses = [500] * 100
    until(lambda: "answers 500" in api.problem)
    fake.statuses = []
    until(lambda: "no pod on a node 'node-a'" in api.problem)
    fake.tell("ADDED", pod("web", app="a"))
    until(lambda: api.problem == "")


def test_nonsense_is_a_failure_like_any_other(fake: FakeApi, start: Start) -> None:
    fake.pods = [pod("web", app="a")]
    api = start()
    fake.events.put(b"{not json\n")
    fake.events.put(None)
    until(lambda: api.failures == 1)
    fake.tell("MODIFIED", pod("web", version=12, app="c"))
    until(lambda: app(api) == "c")


def test_no_server_at_all(start: Start, fake: FakeApi, tmp_path: Path) -> None:
    api = PodApi(Access("http://127.0.0.1:1", "node-a"), Pods(600, time.monotonic), first_wait_s=0.01)
    until(lambda: api.failures >= 2)
    assert api.problem
    api.close()
    missing = start(token_file=tmp_path / "none")
    until(lambda: "none" in missing.problem)


def test_a_stop_cuts_off_a_watch_that_waits(fake: FakeApi, start: Start) -> None:
    fake.pods = [pod("web", app="a")]
    api = start()
    until(lambda: api._response is not None)
    before_s = time.monotonic()
    api.close()
    assert not api._thread.is_alive()
    assert time.monotonic() - before_s < 0.9


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_a_certificate_is_checked_and_a_stop_cuts_off_a_secure_watch(tmp_path: Path) -> None:
    made = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=api",
    ]
    names = [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(tmp_path / "key"),
        "-out",
        str(tmp_path / "ca.crt"),
    ]
    subprocess.run(["openssl", *made, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.crt", tmp_path / "key")
    server = FakeApi(context)
    server.pods = [pod("web", app="a")]
    try:
        stranger = PodApi(Access(server.url, "node-a"), Pods(600, time.monotonic), first_wait_s=0.01)
        until(lambda: "CERTIFICATE_VERIFY_FAILED" in stranger.problem)
        stranger.close()
        api = PodApi(
            Access(server.url, "node-a", None, tmp_path / "ca.crt"), Pods(600, time.monotonic), first_wait_s=0.01
        )
        until(lambda: api._response is not None)
        assert app(api) == "a"
        api.close()
        assert not api._thread.is_alive()
        missing = PodApi(
            Access(server.url, "node-a", None, tmp_path / "none"), Pods(600, time.monotonic), first_wait_s=0.01
        )
        until(lambda: missing.failures > 0)
        assert str(tmp_path / "none") in missing.problem
        missing.close()
    finally:
        server.close()
