"""The clients of Elasticsearch and OpenSearch for Python, and the requests of shippers that cannot run here."""

import gzip
import json

import pytest
from elasticsearch import Elasticsearch
from elasticsearch import helpers as elastic_helpers
from opensearchpy import OpenSearch
from opensearchpy import helpers as open_helpers

from web.conftest import NOW_NS, House, S


@pytest.fixture
def address(house: House) -> str:
    return str(house.client.base_url).rstrip("/")


def documents(count: int, kind: str):
    for number in range(count):
        yield {
            "_op_type": kind,
            "_index": "logs-shop",
            "_id": f"id-{number}",
            "@timestamp": "2026-01-01T00:00:00Z",
            "message": f"line {number}",
            "number": number,
        }


def counted(house: House) -> str:
    asked = {"query": 'sum(count_over_time({index="logs-shop"}[1m]))', "time": str(NOW_NS + 30 * S)}
    [one] = house.client.get("/loki/api/v1/query", params=asked).json()["data"]["result"]
    return one["value"][1]


def test_elasticsearch_py(house, address) -> None:
    with Elasticsearch(f"{address}/elasticsearch", http_compress=True) as client:
        assert client.ping()
        assert client.info()["version"]["number"] == "8.19.0"
        assert client.cluster.health()["status"] == "green"
        assert client.license.get()["license"]["status"] == "active"
        assert client.indices.put_index_template(name="t", index_patterns=["logs-*"])["acknowledged"]
        assert client.indices.exists_index_template(name="t")
        assert elastic_helpers.bulk(client, documents(1_200, "create"), stats_only=True) == (1_200, 0)
        stored, errors = elastic_helpers.bulk(client, documents(1_200, "create"), raise_on_error=False)
        assert stored == 0
        assert {error["create"]["status"] for error in errors} == {409}
    assert counted(house) == "1200"


def test_opensearch_py(house, address) -> None:
    client = OpenSearch(f"{address}/elasticsearch", http_compress=True)
    assert client.ping()
    assert client.info()["cluster_name"] == "tailrace"
    assert open_helpers.bulk(client, documents(1_200, "index"), stats_only=True) == (1_200, 0)
    assert open_helpers.bulk(client, documents(10, "delete"), stats_only=True, raise_on_error=False) == (0, 10)
    client.close()
    assert counted(house) == "1200"


ECS = {"@timestamp": "2026-01-02T03:04:05.678Z", "message": "x", "ecs": {"version": "8.0.0"}, "tags": ["a"]}


def test_filebeat(house) -> None:
    get, put = house.client.get, house.client.put
    hello = get("/elasticsearch/", headers={"user-agent": "Elastic-filebeat/8.17.0"})
    assert hello.json()["version"]["number"] == "8.19.0"
    license_ = get("/elasticsearch/_license", params={"human": "false"}).json()["license"]
    assert (license_["type"], license_["status"]) == ("basic", "active")
    assert get("/elasticsearch/_ilm/policy/filebeat").status_code == 404
    assert put("/elasticsearch/_ilm/policy/filebeat", json={"policy": {}}).json() == {"acknowledged": True}
    assert house.client.head("/elasticsearch/_index_template/filebeat-8.17.0").status_code == 200
    assert put("/elasticsearch/_index_template/filebeat-8.17.0", json={}).json() == {"acknowledged": True}
    assert get("/elasticsearch/_data_stream/filebeat-8.17.0").json() == {}
    assert put("/elasticsearch/_ingest/pipeline/p", json={}).json() == {"acknowledged": True}
    for path in ("", "/", "/_license", "/_nodes/http", "/_xpack", "/_alias/x", "/nothing/here"):
        assert get(f"/elasticsearch{path}").headers["x-elastic-product"] == "Elasticsearch"
    body = "\n".join(json.dumps(line) for line in ({"create": {"_index": "filebeat-8.17.0"}}, ECS)) + "\n"
    answer = house.client.post(
        "/elasticsearch/_bulk",
        params={"filter_path": "errors,items.*.error,items.*.status", "pipeline": "p"},
        content=gzip.compress(body.encode()),
        headers={"content-type": "application/json; charset=UTF-8", "content-encoding": "gzip"},
    )
    assert [item["create"]["status"] for item in answer.json()["items"]] == [201]


def test_fluent_bit(house) -> None:
    body = '{"create":{"_index":"fluent-bit"}}\n{"@timestamp":"2026-01-02T03:04:05.678Z","log":"x","kubernetes":{"pod_name":"p","namespace_name":"n","container_name":"c"}}\n'
    headers = {"content-type": "application/x-ndjson", "user-agent": "Fluent-Bit"}
    answer = house.client.post("/elasticsearch/_bulk", content=body, headers=headers)
    assert answer.content.startswith(b'{"took":')
    assert b'"errors":false,"items":[{"create":{"_index":"fluent-bit","status":201}}]}' in answer.content
    asked = {"query": '{pod="p"}', "start": str(NOW_NS), "end": str(NOW_NS + 10**15)}
    [stream] = house.client.get("/loki/api/v1/query_range", params=asked).json()["data"]["result"]
    expected = {"container": "c", "index": "fluent-bit", "namespace": "n", "pod": "p"}
    assert expected.items() <= stream["stream"].items()
    assert stream["values"][0][1] == "x"


def test_vector(house) -> None:
    assert house.client.get("/elasticsearch/_cluster/health").json()["status"] == "green"
    house.is_ready[0] = False
    assert house.client.get("/elasticsearch/_cluster/health").status_code == 503
    house.is_ready[0] = True
    body = '{"index":{"_index":"vector-2026.01.02"}}\n{"message":"x","timestamp":"2026-01-02T03:04:05.678Z"}\n'
    answer = house.client.post("/elasticsearch/_bulk", params={"timeout": "60s"}, content=body)
    assert b'"errors":true' not in answer.content
    assert answer.json()["items"][0]["index"]["status"] == 201


def test_logstash(house) -> None:
    assert house.client.head("/elasticsearch/").status_code == 200
    assert house.client.get("/elasticsearch/_xpack").json()["license"]["type"] == "basic"
    assert house.client.put("/elasticsearch/_template/logstash", json={}).json() == {"acknowledged": True}
    assert house.client.head("/elasticsearch/logstash-2026").status_code == 200
    assert house.client.get("/elasticsearch/_logstash/pipeline").json() == {}


@pytest.mark.parametrize("path", ["_search", "logs/_search", "_sql", "_cluster/settings", "logs/_doc/1"])
def test_what_is_no_intake_is_not_here(house, path) -> None:
    answer = house.client.get(f"/elasticsearch/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "resource_not_found_exception"
