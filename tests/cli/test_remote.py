"""Asking a server: answers pass through, refusals become the family that they belong to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from tailrace.cli.alerts_places import Server
from tailrace.cli.remote import events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.conftest import Done

LINES = '{a="b"}'


class Script(BaseHTTPRequestHandler):
    """Answers what the test wrote down, and remembers what it was asked."""

    answer: ClassVar[tuple[int, dict[str, str], bytes]] = (200, {}, b"")
    asked: ClassVar[list[Any]] = []

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.asked.append((parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}))
        status, headers, body = self.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_GET  # noqa: N815  names of the standard library

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    Script.asked.clear()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Script)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def script(body: str | bytes, status: int = 200, **headers: str) -> None:
        data = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        monkeypatch.setattr(Script, "answer", (status, named, data))

    return script


def refusal(what: str, line: int | None = None, column: int | None = None, hint: str = "") -> str:
    return json.dumps({"error": {"what": what, "line": line, "column": column, "hint": hint}})


def test_the_bytes_of_the_answer_pass_through(
    run: Callable[..., Done], server: str, answers: Callable[..., None]
) -> None:
    answers('{"line":"grün"}\n' * 3)
    done = run("query", LINES, "--url", server + "/", "-o", "jsonl", "--limit", 0)
    assert (done.code, done.out, done.err) == (0, '{"line":"grün"}\n' * 3, "")
    ((path, asked),) = Script.asked
    assert path == "/api/v1/logs/query"
    assert (asked["query"], asked["limit"], asked["output"], asked["direction"]) == (LINES, "0", "jsonl", "backward")


def test_an_incomplete_answer_is_a_failure(run: Callable[..., Done], server: str, answers: Callable[..., None]) -> None:
    answers("x\n", X_Tailrace_Complete="false", X_Tailrace_Warnings="one file is broken")
    done = run("query", LINES, "--url", server)
    assert (done.code, done.out) == (1, "x\n")
    assert done.err == "warning: one file is broken\nerror: the answer is not complete\n"


def test_a_mistake_that_only_the_server_sees_has_a_caret(
    run: Callable[..., Done], server: str, answers: Callable[..., None]
) -> None:
    answers(refusal("no such thing", 1, 2, "try another"), 400)
    done = run("query", LINES, "--url", server)
    assert done.code == 2
    assert done.err == f"parse error at line 1, col 2: no such thing (try another)\n  {LINES}\n   ^\n"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (refusal("the disk is full"), 503, "127.0.0.1: the disk is full"),
        ("<html>no</html>", 404, "/api/v1/logs/query: HTTP 404 <html>no</html>"),
        ("", 502, "/api/v1/logs/query: HTTP 502"),
        ('{"error": "text"}', 400, '/api/v1/logs/query: HTTP 400 {"error": "text"}'),
    ],
)
def test_a_failure_over_there(
    run: Callable[..., Done], server: str, answers: Callable[..., None], body: str, status: int, said: str
) -> None:
    answers(body, status)
    done = run("query", LINES, "--url", server)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: ")
    assert done.err.rstrip("\n").endswith(said)


def test_an_answer_that_breaks_off_is_a_failure(
    run: Callable[..., Done], server: str, answers: Callable[..., None]
) -> None:
    answers("half", Content_Length="100")
    done = run("query", LINES, "--url", server)
    assert done.code == 1
    assert done.err.startswith(f"error: {server}: ")


def test_nobody_there(run: Callable[..., Done]) -> None:
    done = run("query", LINES, "--url", "http://127.0.0.1:1")
    assert done.code == 1
    assert done.err == "error: http://127.0.0.1:1: [Errno 111] Connection refused (is Tailrace running there?)\n"


@pytest.mark.parametrize("url", ["localhost:9080", "ftp://a/", "", "http://[::"])
def test_an_address_that_is_none(run: Callable[..., Done], url: str) -> None:
    done = run("query", LINES, "--url", url)
    assert done.code == 2
    assert done.err == f"error: --url: {url!r} is no address (write for example http://127.0.0.1:9080)\n"


def event(name: str, data: str) -> str:
    return f"event: {name}\n" + "".join(f"data: {line}\n" for line in data.split("\n")) + "\n"


def row(second: int, line: str, **fields: str) -> str:
    return json.dumps(
        {"time": f"2026-01-02T03:00:0{second}.000000000Z", "labels": {"host": "a"}, "line": line, "fields": fields}
    )


def test_a_tail_shows_lines_and_says_what_it_dropped(
    run: Callable[..., Done], server: str, answers: Callable[..., None]
) -> None:
    lines = row(1, "one", status="200") + "\n" + row(2, "two", level="warn")
    answers(": following\n\n" + event("lines", lines) + event("dropped", "7"), Content_Type="text/event-stream")
    done = run("tail", LINES, "--url", server, "-o", "jsonl")
    assert [json.loads(line) for line in done.out.splitlines()] == [json.loads(line) for line in lines.splitlines()]
    assert done.code == 1
    assert done.err == (
        "warning: 7 lines came faster than a live tail shows them; a query finds them\n"
        f"error: {server}: the server ended the tail\n"
    )


def test_a_tail_as_text(run: Callable[..., Done], server: str, answers: Callable[..., None]) -> None:
    answers(event("lines", row(1, "one", level="warn")))
    assert run("tail", LINES, "--url", server).out == "2026-01-02T03:00:01.000Z warn  one\n"


def test_a_tail_that_fails(run: Callable[..., Done], server: str, answers: Callable[..., None]) -> None:
    answers(event("failed", refusal("the table is gone")))
    done = run("tail", LINES, "--url", server)
    assert (done.code, done.err) == (1, f"error: {server}: the table is gone\n")


def test_events_are_read_as_the_standard_says() -> None:
    stream = ["data:a", "data: b", "", "event: x", "id: 1", "data", "", "event: lost", "", ": c", "data:  d", ""]
    assert list(events(iter(stream))) == [("message", "a\nb"), ("x", ""), ("message", " d")]


# --- what is changed, and answered at once ----------------------------------------------------------

EXPR = 'sum(rate({a="b"}[1m])'


@pytest.mark.parametrize(
    ("body", "status", "code", "said"),
    [
        (
            '{"detail":"Not Found"}',
            404,
            2,
            "error: there is no /api/v1/metrics at {server} (write only http://HOST:PORT",
        ),
        ('{"error":"the group is wrong"}', 400, 2, "error: the group is wrong"),
        ("no such thing", 400, 2, "error: no such thing"),
        (
            refusal("it is cut", 1, 22, "close it"),
            400,
            2,
            "parse error at line 1, col 22: it is cut (close it)\n  sum(",
        ),
        (refusal("the disk is full"), 503, 1, "error: {server}/api/v1/metrics: HTTP 503 the disk is full"),
        (refusal("the metric 'm' is already created"), 409, 1, "to change it, delete it first"),
    ],
)
def test_what_a_server_does_not_take(
    run: Callable[..., Done], server: str, answers: Callable[..., None], body: str, status: int, code: int, said: str
) -> None:
    answers(body, status)
    done = run("metrics", "create", "-id", "m", "--expr", EXPR, "--url", server)
    assert done.code == code
    assert done.err.startswith(said.format(server=server))


def test_a_call_that_nobody_answers(run: Callable[..., Done]) -> None:
    done = run("alerts", "list", "--url", "http://127.0.0.1:1")
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: http://127.0.0.1:1: [Errno 111] Connection refused (is Tailrace running there?)\n"
    done = run("metrics", "list", "--url", "ftp://a/")
    assert (done.code, done.err) == (
        2,
        "error: --url: 'ftp://a/' is no address (write for example http://127.0.0.1:9080)\n",
    )


def test_yaml_is_read_as_json_is(run: Callable[..., Done], server: str, answers: Callable[..., None]) -> None:
    rule = {"type": "alerting", "id": "1", "name": "A", "query": 'rate({a="b"}[1m]) > 0', "health": "unknown"}
    rule |= {"duration": 0, "labels": {}, "annotations": {}, "state": "inactive", "lastError": "", "lastEvaluation": ""}
    answers(json.dumps({"data": {"groups": [{"name": "g", "file": "f", "interval": 60, "rules": [rule]}]}}))
    assert run("alerts", "list", "--url", server).out == 'inactive   A  rate({a="b"}[1m]) > 0\n'
    answers("f:\n- name: g\n  rules: []\n", Content_Type="application/yaml")
    assert Server(server).namespaces() == {"f": {"g": {"name": "g", "rules": []}}}
