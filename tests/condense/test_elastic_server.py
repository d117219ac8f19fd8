"""The test server, driven by the official client: what that accepts and understands is the API."""

from __future__ import annotations

import elasticsearch
import pytest
from elasticsearch import helpers

from condense.conftest import INDEX
from condense.elastic_server import Elastic


@pytest.fixture
def client(elastic: Elastic):
    with elasticsearch.Elasticsearch(elastic.url, retry_on_status=(), max_retries=0) as made:
        yield made


def fill(client, count: int) -> None:
    actions = (
        {"_op_type": "create", "_index": INDEX, "_id": str(n), "host": {"name": f"h{n % 3}"}, "file": {"path": f"/{n}"}}
        for n in range(count)
    )
    assert helpers.bulk(client, actions, refresh=True) == (count, [])


def test_the_client_accepts_the_product(client) -> None:
    assert client.info()["version"]["number"] == "8.19.3"


def test_indexed_documents_are_found_after_a_refresh(client) -> None:
    client.bulk(operations=[{"index": {"_index": INDEX, "_id": "1"}}, {"host": {"name": "h"}}])
    assert client.search(index=INDEX)["hits"]["hits"] == []
    client.indices.refresh(index=".ds-*")
    [hit] = client.search(index=".ds-logs*", seq_no_primary_term=True)["hits"]["hits"]
    assert (hit["_id"], hit["_source"], hit["_seq_no"], hit["_primary_term"]) == ("1", {"host": {"name": "h"}}, 0, 1)


def test_patterns_leave_hidden_indices_out_unless_they_are_meant(client) -> None:
    fill(client, 2)
    assert client.search(index="*", allow_no_indices=True)["hits"]["hits"] == []
    assert len(client.search(index="*", expand_wildcards="all")["hits"]["hits"]) == 2
    assert client.search(index="none*")["hits"]["hits"] == []
    with pytest.raises(elasticsearch.NotFoundError):
        client.search(index="none")
    assert client.search(index="none", ignore_unavailable=True)["hits"]["hits"] == []


def test_a_point_in_time_with_search_after_is_one_state(client) -> None:
    fill(client, 25)
    pit = client.open_point_in_time(index=INDEX, keep_alive="1m")["id"]
    client.bulk(operations=[{"delete": {"_index": INDEX, "_id": "7"}}], refresh=True)
    seen, after = [], None
    while True:
        page = client.search(pit={"id": pit, "keep_alive": "1m"}, size=10, sort=["_shard_doc"], search_after=after)
        hits = page["hits"]["hits"]
        if not hits:
            break
        seen += [hit["_id"] for hit in hits]
        after = hits[-1]["sort"]
    assert sorted(seen, key=int) == [str(n) for n in range(25)]
    assert client.close_point_in_time(id=pit)["num_freed"] == 1
    with pytest.raises(elasticsearch.NotFoundError, match="search_context_missing"):
        client.search(pit={"id": pit}, sort=["_shard_doc"])


def test_the_clients_scan_by_scroll(client) -> None:
    fill(client, 25)
    found = list(helpers.scan(client, index=INDEX, size=10, query={"query": {"term": {"host.name": "h1"}}}))
    assert sorted(int(hit["_id"]) for hit in found) == [n for n in range(25) if n % 3 == 1]


def test_a_composite_aggregation_in_pages(client) -> None:
    fill(client, 10)
    client.bulk(operations=[{"index": {"_index": INDEX}}, {"file": {"path": "/x"}}], refresh=True)
    sources = [{"host": {"terms": {"field": "host.name", "missing_bucket": True}}}]
    seen, after = [], {}
    while True:
        about = {"size": 2, "sources": sources, **({"after": after} if after else {})}
        aggs = {"hosts": {"composite": about, "aggs": {"seq": {"stats": {"field": "_seq_no"}}}}}
        found = client.search(index=INDEX, size=0, aggs=aggs)["aggregations"]["hosts"]
        if not found["buckets"]:
            break
        seen += [(one["key"]["host"], one["doc_count"], one["seq"]["max"]) for one in found["buckets"]]
        after = found["after_key"]
    assert seen == [(None, 1, 10.0), ("h0", 4, 9.0), ("h1", 3, 7.0), ("h2", 3, 8.0)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"size": 10_001}, "Result window is too large"),
        ({"query": {"fuzzy_thing": {}}}, "unknown query"),
        ({"sort": ["_shard_doc"]}, "without \\[point in time\\]"),
        (
            {"aggs": {"a": {"composite": {"sources": [{"h": {"terms": {"field": "host.name"}}}], "after": "x"}}}},
            "after doesn't support",
        ),
        (
            {"aggs": {"a": {"composite": {"sources": [{"h": {"terms": {"field": "agent.name"}}}]}}}},
            "Fielddata is disabled",
        ),
        ({"pit": {"id": "x"}, "index": INDEX}, "cannot be used with point in time"),
        ({"pit": {"id": "x"}, "ignore_unavailable": True}, "indicesOptions"),
        ({"scroll": "1m", "track_total_hits": False}, "not allowed in a scroll context"),
        ({"scroll": "1m", "size": 0}, "cannot be \\[0\\] in a scroll context"),
    ],
)
def test_searches_that_the_real_one_refuses(client, arguments, says) -> None:
    fill(client, 1)
    with pytest.raises(elasticsearch.BadRequestError, match=says):
        client.search(**{"index": INDEX, **arguments} if "pit" not in arguments else arguments)


def test_guards_of_bulk_actions(client) -> None:
    fill(client, 3)

    def act(kind, **about):
        line = {kind: {"_index": INDEX, **about}}
        [item] = client.bulk(operations=[line] if kind == "delete" else [line, {"doc": {"a": 1}}])["items"]
        return item[kind]["status"]

    assert act("delete", _id="0", if_seq_no=9, if_primary_term=1) == 409
    assert act("update", _id="1", if_seq_no=1, if_primary_term=1) == 200
    assert act("delete", _id="1", if_seq_no=1, if_primary_term=1) == 409
    assert act("delete", _id="0", if_seq_no=0, if_primary_term=1) == 200
    assert act("delete", _id="0", if_seq_no=0, if_primary_term=1) == 409
    assert act("delete", _id="0") == 404
    assert act("update", _id="0") == 404
    with pytest.raises(elasticsearch.BadRequestError, match="unknown parameter"):
        act("delete", _id="2", _seq_no=1)
    with pytest.raises(elasticsearch.BadRequestError, match="primary term"):
        act("delete", _id="2", if_seq_no=1)


def test_who_may_not_is_told() -> None:
    server = Elastic(basic=("elastic", "right"))
    try:
        for auth, good in ((("elastic", "wrong"), False), (("elastic", "right"), True)):
            with elasticsearch.Elasticsearch(server.url, basic_auth=auth) as client:
                if good:
                    client.info()
                else:
                    with pytest.raises(elasticsearch.AuthenticationException):
                        client.info()
    finally:
        server.close()


def test_another_product_is_refused_by_the_client() -> None:
    server = Elastic("opensearch", "2.19.1")
    try:
        with elasticsearch.Elasticsearch(server.url) as client, pytest.raises(elasticsearch.UnsupportedProductError):
            client.info()
    finally:
        server.close()
