"""The HTTP API, as its OpenAPI document says it is: no request is answered by a 5xx, and none hangs.

Two ways: values that Schemathesis makes from the document's types, and plausible ones by the name of the parameter
(queries, times, steps that are odd in just one place). For a long run set `TAILRACE_FUZZ_EXAMPLES`.
"""

from __future__ import annotations

import os
import time
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.test_queries import spoilt
from web.conftest import NOW_NS, S, _house

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of a client for applications without a server, which is not used here
    import schemathesis

AS_IT_IS = ("application/vnd.apache.arrow.stream", "application/x-protobuf", "application/x-ndjson")

SLOW_S = 10
NOT_HERE = 501  # what a server without its part says
EXAMPLES = int(os.environ.get("TAILRACE_FUZZ_EXAMPLES", "0"))
ENDLESS = {"/api/v1/logs/tail"}  # events until the client goes
LINES = [
    *('{"level":"error","status":500,"took":"5ms","o":{"id":1}}', "level=info took=1.5s size=1kB", "", "GET /a 200"),
    *("é \x1b[31mred\x1b[0m", '{"broken', "a" * 3_000, "10.0.0.1 - - x"),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Return a client of a server that holds a few lines."""
    houses = _house(tmp_path_factory.mktemp("fuzz"), None)
    client = next(houses).client
    values = [[str(NOW_NS - 60 * S * at), line, {"trace_id": f"{at}"}] for at, line in enumerate(LINES)]
    answer = client.post("/loki/api/v1/push", json={"streams": [{"stream": {"app": "a"}, "values": values}]})
    assert answer.status_code == 204
    yield client
    next(houses, None)


# --- by type ---------------------------------------------------------------------------------------------


@schemathesis.serializer(*AS_IT_IS)
def as_it_is(_, value):
    """Return a body of a kind that Schemathesis cannot write: whatever it made up, no such thing."""
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")


def test_any_value(client):
    described = schemathesis.openapi.from_url(f"{client.base_url}/openapi.json").exclude(path=list(ENDLESS))
    for operation in described.get_all_operations():

        @settings(
            max_examples=EXAMPLES // 20 or 2, deadline=None, suppress_health_check=list(HealthCheck), database=None
        )
        @given(operation.ok().as_strategy())
        def answers(case):
            began = time.monotonic()
            response = case.call()
            assert response.status_code < 500 or response.status_code == NOT_HERE, (
                f"{case.as_curl_command()}\n{response.text}"
            )
            assert time.monotonic() - began < SLOW_S, case.as_curl_command()

        answers()


# --- by name ---------------------------------------------------------------------------------------------

odd = st.sampled_from(
    ["", "0", "-1", "1e999", "NaN", "99999999999999999999", "x", "\x00", "é", "1.5", "1h30m", "now", "[]"]
)
times = st.sampled_from(
    [
        *("1767225000", "1767225600.123", "1767225600000000000", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5+01:00"),
        *(
            "0",
            "1",
            "253402300800",
            "9223372036854775807",
            "-1",
            "now",
            "4000000000",
            "1970-01-01T00:00:00Z",
            "2026-13-01",
        ),
    ]
)
queries = spoilt() | st.sampled_from(
    [
        *('{app="a"}', '{app=~".+"} | json | logfmt', "{}", '{app="a"', 'sum by (level) (rate({app="a"} | json [5m]))'),
        *(
            "vector(1)+vector(1)",
            "1",
            'count_over_time({app="a"}[1h])',
            'topk(2, count_over_time({app="a"} | logfmt [1h]))',
        ),
        *(
            'avg_over_time({app="a"} | logfmt | unwrap duration(took) | __error__="" [1h]) by (level)',
            'absent_over_time({x="y"}[1m])',
        ),
    ]
)
plausible = {
    **dict.fromkeys(("start", "end", "time"), times),
    **dict.fromkeys(("query", "match[]", "match"), queries),
    **dict.fromkeys(
        ("step", "since", "interval", "timeout"), st.sampled_from(["60", "1m", "0.5", "60000ms", "1d", "1y", "1ns"])
    ),
    **dict.fromkeys(("limit", "line_limit", "field_limit"), st.sampled_from(["1", "100", "5000", "5001", "1000000"])),
    "direction": st.sampled_from(["forward", "BACKWARD", "sideways"]),
    "output": st.sampled_from(["jsonl", "csv", "parquet", "raw", "text", "xml"]),
    "targetLabels": st.sampled_from(["app", "app,level", ",", "a b"]),
    "aggregateBy": st.sampled_from(["series", "labels", "x"]),
    "name": st.sampled_from(["app", "level", "trace_id", "__name__", "a b", "service_name"]),
    **dict.fromkeys(("namespace", "group"), st.sampled_from(["ns", "a b", ".."])),
}


@pytest.fixture(scope="module")
def operations(client):
    paths = client.get("/openapi.json").json()["paths"]
    return [
        (path, method, [(one["name"], one["in"]) for one in operation.get("parameters", [])])
        for path, methods in paths.items()
        for method, operation in methods.items()
        if path not in ENDLESS
    ]


@settings(max_examples=EXAMPLES or 300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_plausible_request(client, operations, data):
    path, method, parameters = data.draw(st.sampled_from(operations))
    known = [one for one in operations if one[0] == path and one[1] == "get"]
    names = parameters or (known[0][2] if known and method == "post" else [])
    given_values = {}
    for name, where in names:
        values = plausible.get(name, odd)
        value = data.draw(values | values | values | odd)
        if where == "path":
            path = path.replace(f"{{{name}}}", value.replace("/", "") or "x")
        elif data.draw(st.booleans()) or name == "query":
            given_values[name] = value
    in_body = method == "post" and data.draw(st.booleans())
    headers = {"X-Loki-Response-Encoding-Flags": "categorize-labels"} if data.draw(st.booleans()) else {}
    began = time.monotonic()
    answer = client.request(
        method.upper(),
        path.replace("\x00", "%00"),
        params=None if in_body else given_values,
        data=given_values if in_body else None,
        headers=headers,
    )
    assert answer.status_code < 500 or answer.status_code == NOT_HERE, (
        f"{method} {path} {given_values}: {answer.status_code} {answer.text[:500]}"
    )
    assert time.monotonic() - began < SLOW_S, f"slow: {method} {path} {given_values}"
