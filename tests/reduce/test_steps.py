"""Each step by rows worked out by hand."""

from __future__ import annotations

import hashlib
import hmac
import json

import polars as pl
import pytest

from reduce.frames import T0, frame, pipeline, run

S = 1_000_000_000


def lines(spec: str, rows: list[dict]) -> list[str]:
    return [row["_line"] for row in run(spec, [frame(rows)])[0]]


def test_keep_and_drop_count_what_they_take() -> None:
    rows = [{"line": "a", "n": 1}, {"line": "bb", "n": 2}, {"line": "ccc"}]
    assert run("steps: [{type: keep, where: n = 1}]", [frame(rows)])[1] == {"1-keep": (2, 7)}
    kept, dropped = run("steps: [{id: x, type: drop, where: n = 1}]", [frame(rows)])
    assert [row["_line"] for row in kept] == ["bb", "ccc"]
    assert dropped == {"x": (1, 2)}


def test_drop_by_age_and_length_joins_its_conditions() -> None:
    rows = [{"t": 0, "line": "old and long"}, {"t": 86_000, "line": "new and long"}, {"t": 0, "line": "old"}]
    assert lines("steps: [{type: drop, older_than_s: 3600}]", rows) == ["new and long"]
    assert lines("steps: [{type: drop, longer_than_bytes: 3}]", rows) == ["old"]
    assert lines("steps: [{type: drop, older_than_s: 3600, longer_than_bytes: 3}]", rows) == ["new and long", "old"]


def test_route_by_the_first_rule_and_by_all() -> None:
    rows = [{"line": "a", "n": 1}, {"line": "b", "n": 2}, {"line": "c"}]
    spec = """
channels: [{name: one, type: stdout}, {name: two, type: stdout}]
steps:
  - type: route
    match: MATCH
    routes: [{where: n >= 1, to: one}, {where: n >= 2, to: [two, store]}]
    unmatched: drop
"""
    first, every = pipeline(spec.replace("MATCH", "first")), pipeline(spec.replace("MATCH", "all"))
    reduced = first.reduce(frame(rows), 0)
    assert reduced.frame["_line"].to_list() == []
    assert sorted(reduced.dropped) == [("1-route/drop", 1, 2), ("1-route/one", 2, 4)]
    reduced = every.reduce(frame(rows), 0)
    assert reduced.frame["_line"].to_list() == ["b"]
    assert sorted(reduced.dropped) == [("1-route/drop", 1, 2), ("1-route/one", 1, 2)]
    sent = [(channel, part["_line"].to_list()) for channel, part in every.steps[0].sent()]
    assert sent == [("one", ["a", "b"]), ("two", ["b"])]


def test_a_channel_of_the_type_store_is_a_stream_of_its_own() -> None:
    spec = """
channels: [{name: audit, type: store}]
steps: [{type: route, match: all, routes: [{where: n >= 1, to: audit}, {where: n = 2, to: store}], unmatched: drop}]
"""
    out, dropped = run(spec, [frame([{"line": "a", "n": 1}, {"line": "b", "n": 2}])])
    shown = [(row["_line"], row["_stream"], row["_in_lines"]) for row in out]
    assert shown == [("a", '{source="audit"}', 0), ("b", '{app="web"}', 1), ("b", '{source="audit"}', 0)]
    assert dropped == {"1-route/audit": (1, 2)}


def test_channels_get_their_rows_when_the_edition_is_published() -> None:
    got: list[str] = []

    class Channel:
        def send(self, rows) -> None:
            got.extend(rows["_line"].to_list())

    from tailrace.reduce.pipeline import Pipeline
    from tailrace.reduce.spec import Spec

    spec = {
        "channels": [{"name": "out", "type": "stdout"}],
        "steps": [{"type": "route", "routes": [{"where": "n = 1", "to": ["out", "store"]}]}],
    }
    made = Pipeline(Spec.model_validate(spec), {"out": Channel()})
    made.reduce(frame([{"line": "a", "n": 1}]), 0)
    publish = made.edition()
    assert got == []
    publish()
    made.edition()()
    assert got == ["a"]


def test_sample_takes_whole_keys_and_weighs_them() -> None:
    rows = [{"user": f"u{number % 500}", "line": str(number)} for number in range(5000)]
    kept, dropped = run("steps: [{type: sample, rate: 10, key: [user]}]", [frame(rows)])
    users = {row["user"] for row in kept}
    assert 20 <= len(users) <= 80  # 50 expected
    assert len(kept) == 10 * len(users)
    assert {row["sample_weight"] for row in kept} == {10}
    assert dropped["1-sample"][0] == 5000 - len(kept)


def test_sample_without_a_key_is_even_and_the_same_every_time() -> None:
    rows = [{"line": str(number)} for number in range(20_000)]
    kept = lines("steps: [{type: sample, rate: 20}]", rows)
    assert 880 <= len(kept) <= 1120  # 1,000 expected, four standard deviations
    assert kept == lines("steps: [{type: sample, rate: 20}]", rows)


def test_sample_keeps_errors_and_leaves_others_alone() -> None:
    rows = [{"level": "error"}, {"level": "info"}, {"app": "db", "level": "info"}] * 50
    kept, _ = run("steps: [{type: sample, rate: 1000000, where: app = 'web'}]", [frame(rows)])
    assert [row.get("sample_weight") for row in kept] == [1, None] * 50
    assert [row["_level"] for row in kept] == ["error", "info"] * 50


def test_throttle_lets_a_burst_through_and_then_the_rate() -> None:
    # 4 rows a second for 3 s; the bucket holds 3 and gains 1 a second: 3, then 1, then 1.
    rows = [{"t": number / 4, "line": str(number)} for number in range(12)]
    kept, dropped = run("steps: [{id: t, type: throttle, rate_per_s: 1, burst: 3}]", [frame(rows)])
    assert [row["_line"] for row in kept] == ["0", "1", "2", "4", "8", "7 lines suppressed by t"]
    assert kept[-1]["suppressed_lines"] == 7
    assert kept[-1]["suppressed_first_ns"] == T0 + 3 * S // 4
    assert dropped == {"t": (7, 7 * 2 + 2)}  # two of them have two digits


def test_throttle_has_a_bucket_for_each_key() -> None:
    rows = [{"t": 0, "app": app, "line": f"{app}{number}"} for number in range(3) for app in ("web", "db")]
    spec = "steps: [{id: t, type: throttle, rate_per_s: 1, key: [app]}]"
    assert lines(spec, rows) == ["web0", "db0", "2 lines suppressed by t: app=db", "2 lines suppressed by t: app=web"]


def test_dedupe_gives_one_row_with_count_and_times() -> None:
    rows = [
        {"t": 1, "line": "a", "id": 1},
        {"t": 2, "line": "b", "id": 2},
        {"t": 4, "line": "a", "id": 3},
        {"t": 12, "line": "a", "id": 4},
        {"t": 3, "line": "late", "id": 5},
    ]
    spec = "steps: [{type: dedupe, ignore: [id], window_s: 10, lateness_s: 1}]"
    kept, dropped = run(spec, [frame(rows)])
    shown = [(r["_line"], r["id"], r.get("dedupe_count"), r.get("dedupe_last_ns"), r["_in_lines"]) for r in kept]
    assert shown == [
        ("a", 1, 2, T0 + 4 * S, 0),  # the window closes with the row at 12 s
        ("b", 2, None, None, 0),
        ("late", 5, None, None, 1),
        ("a", 4, None, None, 0),
    ]
    assert dropped == {"1-dedupe": (4, 8)}


def test_dedupe_at_once_says_how_often_afterwards() -> None:
    rows = [{"t": number, "line": f"took {number} ms"} for number in range(3)]
    spec = "steps: [{type: dedupe, ignore_numbers: true, emit: at_once}]"
    kept, dropped = run(spec, [frame(rows)])
    assert [(row["_line"], row.get("dedupe_count")) for row in kept] == [("took 0 ms", None), ("took 0 ms", 3)]
    assert dropped == {"1-dedupe": (2, 20)}


def test_dedupe_by_count_begins_anew() -> None:
    spec = "steps: [{type: dedupe, key: [line], max_count: 2, window_s: 60}]"
    kept, _ = run(spec, [frame([{"t": number} for number in range(5)])])
    assert [row.get("dedupe_count") for row in kept] == [2, 2, None]
    assert [row["dedupe_first_ns"] for row in kept[:2]] == [T0, T0 + 2 * S]


def test_dedupe_beyond_its_keys_lets_rows_through() -> None:
    spec = "steps: [{type: dedupe, key: [line], max_keys: 1}]"
    made = pipeline(spec)
    out = made.reduce(frame([{"line": "a"}, {"line": "b"}, {"line": "b"}]), 0).frame
    assert out["_line"].to_list() == ["b", "b"]
    assert made.counters["1-dedupe"] == {"rows beyond the bound": 2}


def test_rename_keeps_a_value_that_is_there() -> None:
    rows = [{"user": "a"}, {"user": "b", "login": "c"}, {}]
    kept, _ = run("steps: [{type: rename, fields: {user: login}}]", [frame(rows)])
    assert [row.get("login") for row in kept] == ["a", "c", None]


def test_fields_are_kept_or_dropped_and_lines_stay() -> None:
    rows = [{"a": 1, "b": 2, "c": 3, "line": "l"}]
    assert {"a", "c"} <= run("steps: [{type: drop_fields, fields: [b, x]}]", [frame(rows)])[0][0].keys()
    (row,) = run("steps: [{type: keep_fields, fields: [b]}]", [frame(rows)])[0]
    assert {name for name in row if not name.startswith("_")} == {"b"}
    assert row["_line"] == "l"


AGGREGATE = """
steps:
  - id: requests
    type: aggregate
    window_s: 10
    by: [app, status]
    lateness_s: 2
    fields: {n: count, bytes: sum(size), low: min(size), high: max(size), mean: avg(size), a: first(path), z: last(path)}
"""


def test_aggregate_by_hand() -> None:
    rows = [
        {"t": 1, "status": 200, "size": 10, "path": "/a"},
        {"t": 9, "status": 200, "size": 30, "path": "/b"},
        {"t": 5, "status": 500, "app": "db"},
        {"t": 11, "status": 200, "size": 1, "path": "/c"},
        {"t": 8, "status": 200, "size": 20, "path": "/d"},  # not too late: 11 s is not past 10 s + 2 s
        {"t": 12, "status": 200, "path": "/e"},
        {"t": 7, "status": 200, "size": 99, "line": "late"},
    ]
    out, dropped = run(AGGREGATE, [frame(rows)])
    fields = ("app", "status", "n", "bytes", "low", "high", "mean", "a", "z")
    assert [tuple(row.get(name) for name in fields) for row in out if row["_format"] == "aggregate"] == [
        ("db", 500, 1, None, None, None, None, None, None),
        ("web", 200, 3, 60, 10, 30, 20.0, "/a", "/b"),
        ("web", 200, 2, 1, 1, 1, 1.0, "/c", "/e"),
    ]
    assert [row["_line"] for row in out] == [
        "n=1 app=db status=500",
        "n=3 bytes=60 low=10 high=30 mean=20.0 a=/a z=/b app=web status=200",
        "late",
        "n=2 bytes=1 low=1 high=1 mean=1.0 a=/c z=/e app=web status=200",
    ]
    assert out[0]["_stream"] == '{source="requests"}'
    assert [row["_time_ns"] for row in out] == [T0, T0, T0 + 7 * S, T0 + 10 * S]
    assert dropped == {"requests": (6, 12)}


def test_sliding_windows_count_a_row_in_each_of_them() -> None:
    spec = "steps: [{type: aggregate, window_s: 4, slide_s: 2, fields: {n: count}}]"
    out, _ = run(spec, [frame([{"t": 0}, {"t": 3}, {"t": 3.5}])])
    assert [((row["_time_ns"] - T0) // S, row["n"]) for row in out] == [(-2, 1), (0, 3), (2, 2)]


def test_aggregate_beyond_its_keys_counts_together() -> None:
    spec = "steps: [{type: aggregate, window_s: 9, by: [u], max_keys: 2, fields: {n: count}}]"
    out, _ = run(spec, [frame([{"t": 0, "u": user} for user in "abcdacb"])])
    assert {row["u"]: row["n"] for row in out} == {"a": 2, "b": 2, "__other__": 3}


def test_sketches_are_as_exact_as_they_say() -> None:
    rows = [
        {"t": 0, "v": value, "u": f"u{value % 1000}", "path": "/a" if value % 3 else f"/{value}"}
        for value in range(1, 10_001)
    ]
    fields = '{users: distinct(u), p50: "quantile(v, 0.5)", p99: "quantile(v, 0.99)", top: "topk(path, 1)"}'
    (row,) = run(f"steps: [{{type: aggregate, window_s: 60, fields: {fields}}}]", [frame(rows)])[0]
    assert row["users"] == pytest.approx(1000, rel=0.07)  # three standard errors
    assert row["p50"] == pytest.approx(5000, rel=0.0101)
    assert row["p99"] == pytest.approx(9900, rel=0.0101)
    assert json.loads(row["top"]) == [["/a", 6667], ["__other__", 3333 - 999]]  # 999 paths had a place of their own


def test_windows_close_when_nothing_comes_any_more() -> None:
    made = pipeline("steps: [{type: aggregate, window_s: 10, lateness_s: 5, fields: {n: count}}]")
    made.reduce(frame([{"t": 1}]), 100 * S)
    assert len(made.flush(114 * S, final=False).frame) == 0
    assert made.flush(115 * S, final=False).frame["n"].to_list() == [1]
    assert len(made.flush(999 * S, final=True).frame) == 0
    out = made.reduce(frame([{"t": 2, "line": "late"}]), 120 * S).frame
    assert out["_line"].to_list() == ["late"]


def test_a_time_far_ahead_does_not_close_everything() -> None:
    made = pipeline("steps: [{type: aggregate, window_s: 10, fields: {n: count}}]")
    made.reduce(frame([{"t": 1}, {"t": 10**8}, {"t": 86_455}]), 0)
    assert made.counters["1-aggregate"] == {}


REDACTED = {
    "card 4111 1111 1111 1111, order 4111111111111112": "card [card], order 4111111111111112",
    "password=hunter2&x=1": "[password]&x=1",
    "key AKIAABCDEFGHIJKLMNOP end": "key [aws_key] end",
    "postgres://bob:pw@db/x": "[url_password]db/x",
    "mail bob@example.com": "mail bob@example.com",
}


def test_redact_masks_secrets_in_line_and_fields() -> None:
    rows = [{"line": text, "note": text} for text in REDACTED]
    out, dropped = run("steps: [{type: redact}]", [frame(rows)])
    assert [row["_line"] for row in out] == list(REDACTED.values())
    assert [row["note"] for row in out] == list(REDACTED.values())
    assert dropped == {}


def test_redact_addresses_and_patterns_of_ones_own_where_a_rule_holds() -> None:
    rows = [{"line": "10.0.0.1 a@b.org 2001:db8::1 T-12"}, {"app": "db", "line": "10.0.0.1"}]
    spec = "steps: [{type: redact, mask: [email, ipv4, ipv6], patterns: {id: 'T-[0-9]+'}, where: app = 'web'}]"
    assert lines(spec, rows) == ["[ipv4] [email] [ipv6] [id]", "10.0.0.1"]


def test_redact_hashes_fields_and_their_value_in_the_line() -> None:
    key = "0123456789abcdef"
    expected = hmac.new(key.encode(), b"bob", hashlib.sha256).hexdigest()[:32]
    rows = [{"line": "user=bob in", "user": "bob"}, {"line": "user=bob", "user": None}, {"line": "n", "user": "bob"}]
    out, _ = run(f"steps: [{{type: redact, hash: [user], key: {key}}}]", [frame(rows)])
    assert [row.get("user") for row in out] == [expected, None, expected]
    assert [row["_line"] for row in out] == [f"user={expected} in", "user=bob", "n"]


def test_redact_hashes_fields_that_have_no_column_of_their_own() -> None:
    key = "0123456789abcdef"
    digest = {text: hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:32] for text in ("bob", "7")}
    whole = frame([{"line": "user bob in"}, {"line": "user 7"}, {"line": "no user"}, {"line": "n"}])
    whole = whole.with_columns(_more=pl.Series(['{"user": "bob", "b": 1}', '{"user":7}', '{"of": "user"}', None]))
    out, _ = run(f"steps: [{{type: redact, hash: [user], key: {key}}}]", [whole])
    assert [json.loads(row["_more"]) if row.get("_more") else None for row in out] == [
        {"user": digest["bob"], "b": 1},
        {"user": digest["7"]},
        {"of": "user"},
        None,
    ]
    assert [row["_line"] for row in out] == [f"user {digest['bob']} in", f"user {digest['7']}", "no user", "n"]


def test_redact_finds_cards_in_numbers() -> None:
    out, _ = run("steps: [{type: redact}]", [frame([{"card": 4111111111111111}, {"card": 4111111111111112}])])
    assert [row["card"] for row in out] == ["[card]", "4111111111111112"]
