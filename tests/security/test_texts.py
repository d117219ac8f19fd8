"""Texts that want to be more than texts: markup, templates, YAML, patterns, SQL, numbers without end."""

from __future__ import annotations

import time

import pytest

from security.conftest import House
from tailrace.alerts.notify.matchers import _whole
from tailrace.config.document import read_document
from tailrace.errors import QueryError, TailraceError
from tailrace.query import parser

EVIL = [
    "<script>alert('canary')</script>",
    '"><img src=x onerror=alert(1)>',
    "</textarea><svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7*7 }}{% include 'x' %}",
    "\x1b]0;owned\x07\x1b[2J",
]


@pytest.fixture(scope="module")
def written(plain: House) -> House:
    """Lines, labels and fields that are markup."""
    now_ns = time.time_ns()
    streams = [
        {
            "stream": {"app": "xss", "evil": evil},
            "values": [[str(now_ns + at), f'{{"msg":"x","field":{evil!r}}} {evil}']],
        }
        for at, evil in enumerate(EVIL)
    ]
    with plain.client() as client:
        assert client.post("/loki/api/v1/push", json={"streams": streams}).status_code == 204
    return plain


@pytest.mark.parametrize("query", ['{app="xss"}', *(f'{{app="xss"}} |= `{evil}`' for evil in EVIL[:3])])
def test_no_line_or_label_or_query_becomes_markup(written: House, query: str) -> None:
    with written.client() as client:
        answer = client.get("/", params={"q": query})
    assert "xss" in answer.text
    for marked in ("<script>alert", "<img src=x", "<svg onload", 'href="javascript:'):
        assert marked not in answer.text
    assert "49" not in answer.text.partition("{{ 7*7 }}")[0][-4:]
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


def test_no_answer_is_taken_for_markup(written: House) -> None:
    """Failures repeat what was asked: as text, whose kind no browser may guess."""
    with written.client() as client:
        for path in ("/loki/api/v1/query", "/api/v1/query", "/api/v1/logs/query", "/loki/api/v1/push", "/nowhere"):
            answer = client.get(path, params={"query": EVIL[0]})
            assert "text/html" not in answer.headers["Content-Type"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_live_lines_are_written_as_text(written: House) -> None:
    now_ns = time.time_ns() + 10**9
    with written.client() as client, client.stream("GET", "/explore/live", params={"q": '{app="xss"}'}) as live:
        pieces = live.iter_text()
        next(pieces)
        line = [[str(now_ns), EVIL[0]]]
        with written.client() as other:
            other.post("/loki/api/v1/push", json={"streams": [{"stream": {"app": "xss"}, "values": line}]})
        text = ""
        while "alert" not in text:
            text += next(pieces)
    assert "<script>" not in text


# --- templates --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ .__class__ }}",
        '{{ template "x" . }}',
        '{{ env "HOME" }}',
        "{{ call .Labels }}",
        '{{ readFile "/etc/passwd" }}',
        "{% for x in ().__class__.__base__.__subclasses__() %}{% endfor %}",
        '{{ define "T" }}{{ template "T" }}{{ end }}{{ template "T" }}',
    ],
)
def test_a_template_of_a_receiver_reaches_nothing(plain: House, template: str) -> None:
    """It is refused, or says no more than a title does; what cannot be run is replaced by the usual title."""
    with plain.client() as client:
        receiver = {"webhook": "https://93.184.216.34/", "title": template}
        answer = client.put("/api/v1/receivers/template", json={"receiver": receiver})
        client.delete("/api/v1/receivers/template")
    assert answer.status_code in {200, 400}
    if answer.status_code == 200:
        from tailrace.alerts.notify.message import writing
        from tailrace.alerts.notify.sending import example

        said = writing(template, None)(example("x", 1, "")).title
        assert said == template or said.startswith("[FIRING:1] TestReceiver")
    assert "root:" not in answer.text


@pytest.mark.parametrize("stage", ["{{ .__class__ }}", '{{ env "HOME" }}', '{{ __import__("os") }}', '{{ printf "%1000000000d" 1 }}',
                                   '{{ repeat 1000000000 "a" }}'])  # fmt: skip
def test_a_template_of_a_query_reaches_nothing(written: House, stage: str) -> None:
    with written.client() as client:
        answer = client.get("/loki/api/v1/query_range", params={"query": f'{{app="xss"}} | line_format `{stage}`', "limit": "3"})  # fmt: skip
    assert answer.status_code in {200, 400}
    assert len(answer.content) < 1_000_000
    assert "/root" not in answer.text


# --- documents --------------------------------------------------------------------------------------

BILLION = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)
TAGS = ["!!python/object/apply:os.system ['id']", "!!python/name:os.system", "!!python/object/new:object []", "!x y"]


@pytest.mark.parametrize(
    "text", [BILLION, *(f"data: {tag}\n" for tag in TAGS), "a: &a [*a]\n", "{" * 5_000, "[" * 100_000]
)
def test_a_document_that_grows_or_acts_is_refused(text: str) -> None:
    try:
        problems = bool(read_document(text, {}).problems)
    except TailraceError:
        problems = True
    assert problems


@pytest.mark.parametrize("text", [BILLION, *(f"name: {tag}\nrules: []\n" for tag in TAGS), "{" * 5_000])
def test_a_rule_group_that_grows_or_acts_is_refused(plain: House, text: str) -> None:
    with plain.client() as client:
        answer = client.post("/loki/api/v1/rules/x", content=text, headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 400


# --- patterns ---------------------------------------------------------------------------------------

REDOS = ["(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(?:a?){30}a{30}"]


@pytest.mark.parametrize("pattern", REDOS)
def test_a_pattern_that_backtracks_elsewhere_is_quick(plain: House, pattern: str) -> None:
    """Patterns of people run on an engine whose time is linear; the deadline is of the client and generous."""
    line = "a" * 20_000 + "!"
    now_ns = str(time.time_ns())
    with plain.client() as client:
        client.post("/loki/api/v1/push", json={"streams": [{"stream": {"app": "redos"}, "values": [[now_ns, line]]}]})
        for query in (f'{{app="redos"}} |~ `{pattern}`', f'{{app=~`{pattern}`, app=~".+"}}', f'{{app="redos"}} | regexp `(?P<x>{pattern})`'):  # fmt: skip
            answer = client.get("/loki/api/v1/query_range", params={"query": query})
            assert answer.status_code in {200, 400}


@pytest.mark.parametrize(
    "pattern", ["a{1000}{1000}{1000}", "(" * 2_000 + ")" * 2_000, "(?=a)", "(a)\\1", "[" + "a-z" * 50_000 + "]"]
)
def test_a_pattern_that_is_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(QueryError):
        parser.parse(f'{{app="x"}} |~ `{pattern}`')


@pytest.mark.parametrize(
    "query",
    ["(" * 50_000, "-" * 50_000 + "1", "sum(" * 5_000 + "1" + ")" * 5_000, '{app="x"}' + " | json" * 5_000,
     '{app="x"} | ' + "(" * 20_000, "1" + "+1" * 60_000, '{a="' + "\\" * 100_001 + '"}'],
    ids=["brackets", "minus", "sums", "stages", "conditions", "plus", "escapes"],
)  # fmt: skip
def test_a_query_that_is_too_deep_is_refused(plain: House, query: str) -> None:
    with plain.client() as client:
        answer = client.post("/loki/api/v1/query", data={"query": query})
    assert answer.status_code == 400


# --- numbers and SQL --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": "9" * 5_000},
        {"limit": "-1"},
        {"start": "9" * 5_000},
        {"start": "1e400"},
        {"end": "nan"},
        {"step": "1e-300"},
        {"step": "0"},
        {"start": "0", "end": "9223372036854775807", "step": "1ns"},
        {"time": "-9" * 30},
    ],
    ids=str,
)
def test_numbers_without_end_are_refused(plain: House, asked: dict[str, str]) -> None:
    with plain.client() as client:
        for path in ("/loki/api/v1/query_range", "/api/v1/query_range"):
            answer = client.get(path, params={"query": 'count_over_time({app=~".+"}[1m])', **asked})
            assert answer.status_code in {200, 400, 422}, answer.text
            assert len(answer.content) < 10_000_000


SQL = [
    "' OR '1'='1",
    "x'; DROP TABLE notify_receivers; --",
    'x" UNION SELECT id FROM access_tokens --',
    "%",
    "\\'; --",
]


@pytest.mark.parametrize("text", SQL)
def test_sql_in_names_is_text(plain: House, text: str) -> None:
    with plain.client() as client:
        before = client.get("/api/v1/receivers").json()
        for method, path, asked in (
            ("GET", "/api/v1/alerts/history", {"rule": text, "file": text}),
            ("GET", "/api/v1/rules/evaluations", {"rule": text}),
            ("DELETE", "/loki/api/v1/delete", {"request_id": text}),
            ("GET", "/api/v2/silence/" + text.replace("/", "%2F"), {}),
            ("GET", "/api/v1/receivers/" + text.replace("/", "%2F"), {}),
            ("GET", "/api/v1/metrics/" + text.replace("/", "%2F"), {}),
            ("GET", "/api/v1/notifications", {"state": text}),
            ("GET", "/api/v1/audit", {"limit": text, "before": text}),
        ):
            answer = client.request(method, path, params=asked)
            assert answer.status_code < 500, (path, answer.text)
            assert "sqlite" not in answer.text.lower()
        assert client.get("/api/v1/receivers").json() == before
        assert client.get("/loki/api/v1/labels", headers={"Authorization": f"Bearer trl_{text}"}).status_code in {
            200,
            401,
        }


@pytest.mark.timeout(60)
@pytest.mark.parametrize("pattern", [".*" * 12 + "x", ".?" * 40 + "x", ".+" * 12 + "x", "(a+)+x", ".*.*x", "a.+b|.*c"])
def test_a_matcher_that_backtracks_elsewhere_is_quick(pattern: str) -> None:
    """Tests of alerts and silences: with Python's own engine the first takes longer than the universe."""
    assert not _whole(pattern, "a" * 2_000)


def test_what_a_matcher_means_does_not_depend_on_the_engine() -> None:
    for pattern, value in (
        ("web.*", "web-1"),
        (".*a.+b", "xxaxb"),
        (".*a.*b.*c", "1a2b3c"),
        ("a|b.*", "bcd"),
        ("a.c", "abc"),
    ):
        assert _whole(pattern, value)
        assert _whole(f"(?:{pattern})", value)
        assert not _whole(pattern, "\n")
    assert _whole(".*", "a\nb")


def test_a_list_of_tests_without_end_is_refused(plain: House) -> None:
    with plain.client() as client:
        answer = client.get("/api/v2/alerts", params={"filter": 'a="b",' * 2_000})
    assert answer.status_code == 400
