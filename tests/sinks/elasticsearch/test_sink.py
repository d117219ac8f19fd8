from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sinks.receivers import Answer, FakeElasticsearch, around, serving
from store.rows import batch
from tailrace.batch import Position
from tailrace.config.load import parse
from tailrace.errors import ConfigError
from tailrace.sinks.delivery import ROW, Rows
from tailrace.sinks.elasticsearch.documents import bulk
from tailrace.sinks.elasticsearch.settings import ElasticsearchSettings
from tailrace.sinks.elasticsearch.sink import elasticsearch_sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_S = 60.0


@pytest.fixture
def fake() -> Iterator[FakeElasticsearch]:
    with serving(FakeElasticsearch()) as made:
        yield made


def submit(fake: FakeElasticsearch, tmp_path: Path, one, **more):
    sink = elasticsearch_sink(ElasticsearchSettings(url=fake.url, **more), around(tmp_path, "elasticsearch"))
    sink.submit(one).result(WAIT_S)
    sink.close()
    return sink


def rows(one) -> Rows:
    return Rows(one.frame.with_row_index(ROW), one.position or Position("a", 0))


def test_rows_become_documents_with_the_names_of_ecs() -> None:
    one = batch(
        ['say "hi"', "two\n\u00fc\u2028"],
        "agent-1",
        7,
        stream='{app="web", host="h", service_name="s", filename="/x.log"}',
        observed_ns=1_700_000_001_000_000_000,
        status=[200, None],
        name=[None, "b,"],
        ok=[True, None],
        took=[0.5, float("nan")],
        _level=["info", None],
        _error=[None, "no JSON"],
    )
    found = [json.loads(line) for line in bulk(rows(one)).splitlines()]
    assert found == [
        {"create": {"_id": "agent-1-7-0"}},
        {
            "@timestamp": "2023-11-14T22:13:20.000000000Z",
            "message": 'say "hi"',
            "labels.app": "web",
            "log.file.path": "/x.log",
            "host.name": "h",
            "service.name": "s",
            "log.level": "info",
            "log.offset": 0,
            "event.created": "2023-11-14T22:13:21.000000000Z",
            "fields.status": 200,
            "fields.ok": True,
            "fields.took": 0.5,
        },
        {"create": {"_id": "agent-1-7-1"}},
        {
            "@timestamp": "2023-11-14T22:13:20.001000000Z",
            "message": "two\n\u00fc\u2028",
            "labels.app": "web",
            "log.file.path": "/x.log",
            "host.name": "h",
            "service.name": "s",
            "log.offset": 10,
            "error.message": "no JSON",
            "event.created": "2023-11-14T22:13:21.000000000Z",
            "fields.name": "b,",
        },
    ]


def test_each_document_is_treated_as_its_own_status_says(fake: FakeElasticsearch, tmp_path: Path) -> None:
    fake.statuses += [201, 429, 409, 503, 400, 201]
    sink = submit(fake, tmp_path, batch([f"line {n}" for n in range(5)], "local", 1), template=False)
    requests = [json.loads(line) for _, _, _, body in fake.requests for line in body.splitlines()]
    created = [one["create"]["_id"] for one in requests if "create" in one]
    assert created == [*(f"local-1-{n}" for n in range(5)), "local-1-1", "local-1-3"]
    (letter,) = sink.dead_letters.letters()
    assert (letter.frame()["_line"].to_list(), dict(letter.reasons)) == (["line 4"], {"400: told: to": 1})
    assert sink.counters == {"sent": 4, "refused": 1, "waiting": 0, "retries": 1}


def test_what_an_operator_can_mend_is_waited_for(fake: FakeElasticsearch, tmp_path: Path) -> None:
    fake.faults += [Answer(401), Answer(403)]
    fake.statuses += [404, 403]  # an index that is not there yet, one that is full
    sink = submit(fake, tmp_path, batch(["x"], "a", 0), template=False)
    assert (list(fake.documents), sink.counters["refused"]) == (["a-0-0"], 0)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"errors":true,"items":[]}',
        b'{"errors":true,"items":[{"create":{}}]}',
        b'{"errors":true,"items":[7]}',
    ],
)
def test_an_answer_that_is_none_delivers_nothing(fake: FakeElasticsearch, tmp_path: Path, body: bytes) -> None:
    fake.faults += [Answer(200, body)]
    sink = submit(fake, tmp_path, batch(["x"], "a", 0), template=False)
    assert sink.counters == {"sent": 1, "refused": 0, "waiting": 0, "retries": 1}
    assert len(fake.requests) == 2


def test_the_template_is_made_once_and_never_replaced(fake: FakeElasticsearch, tmp_path: Path) -> None:
    submit(fake, tmp_path, batch(["x"], "a", 0))
    assert fake.template["index_patterns"] == ["logs-tailrace-default"]
    assert fake.template["template"]["settings"]["index.mapping.ignore_malformed"] is True
    fake.template = {"own": True}
    submit(fake, tmp_path, batch(["y"], "a", 1))
    assert fake.template == {"own": True}


def test_without_the_right_to_make_a_template_documents_still_go(fake: FakeElasticsearch, tmp_path: Path) -> None:
    fake.faults += [Answer(404), Answer(400, b'{"error":"no"}')]
    submit(fake, tmp_path, batch(["x"], "a", 0))
    assert fake.lines() == ["x"]


def test_index_pipeline_and_api_key_are_used(fake: FakeElasticsearch, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("c2VjcmV0\n")
    submit(fake, tmp_path, batch(["x"], "a", 0), index="logs-shop-prod", pipeline="p1", api_key_file=key)
    method, path, headers, _ = fake.requests[-1]
    assert (method, path.split("?")[0]) == ("POST", "/logs-shop-prod/_bulk")
    assert path.endswith("&pipeline=p1")
    assert headers["Authorization"] == "ApiKey c2VjcmV0"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('index: "Logs"', "cannot name a data stream"),
        ('index: "a/b"', "cannot name a data stream"),
        ("user: u, password: p, api_key: k", "password and api_key are given"),
        ("password: p", "a password is given without a user"),
        ("headers: {'a b': x}", "cannot name a header"),
    ],
)
def test_mistakes_are_said_without_the_secret(keys: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(f"sinks: [{{type: elasticsearch, url: 'http://x', {keys}}}]")


@pytest.mark.parametrize(
    "url", ["http://u:hush@x", "ftp://x", "x", "http://", "http://x/?token=hush", "http://x:99999"]
)
def test_an_address_with_credentials_or_of_another_kind_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"sinks: [{{type: elasticsearch, url: '{url}'}}]")
    assert "hush" not in str(caught.value)


def test_secrets_are_masked_where_the_configuration_is_shown() -> None:
    config = parse("sinks: [{type: loki, url: 'http://x', token: hush, headers: {X-Key: hush}}]")
    assert "hush" not in config.model_dump_json()
    assert "hush" not in repr(config)
