"""`tailrace metrics`: made, listed, asked and deleted in a folder, as a person does."""

from __future__ import annotations

import json
import time

import pytest

from tailrace.web.times import iso

PERIOD_S = 10
DEFAULT = ("traffic", "sections", "statuses", "bytes")


@pytest.fixture
def start_s():
    """The end of a period that is over for at least one more."""
    return (int(time.time()) // PERIOD_S - 3) * PERIOD_S


@pytest.fixture
def data(tmp_path, run, start_s):
    """Six requests in two periods: (start, start + 10] and (start + 10, start + 20]."""
    requests = [(1, "/shop/1?x=/a", 200, 10), (2, "/shop", 200, 20), (10, "/api/v1", 503, "-")]
    requests += [(11, "/shop/2", 200, 5), (12, "/", 404, 1), (20, "/api#top", 500, 7)]
    lines = []
    for after_s, path, status, size in requests:
        at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(start_s + after_s))
        lines.append(f'10.0.0.1 - - [{at}] "GET {path} HTTP/1.1" {status} {size}\n')
    (tmp_path / "access.log").write_text("".join(lines))
    (tmp_path / "other.log").write_text("no request\n")
    for group, name in (("shop", "access.log"), ("default", "other.log")):
        done = run("collect", tmp_path / name, "--group", group, "--data", tmp_path / "data")
        assert done.code == 0, done.err
    return tmp_path / "data"


def got(run, data, name, *words):
    done = run("metrics", "get", name, *words, "--data", data)
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


def make(run, data, *words):
    done = run("metrics", "create", *words, "--data", data)
    assert (done.code, done.err) == (0, "")
    return done.out


def test_the_default_set_is_made_once(run, tmp_path):
    words = ("metrics", "create", "--default", "--data", tmp_path / "new")
    first, second = run(*words), run(*words)
    assert first.out.splitlines() == [*(f"metric {name}: created" for name in DEFAULT), "alert totaltraffic: created"]
    assert second.out == first.out.replace("created", "already created")
    assert (first.code, second.code, first.err, second.err) == (0, 0, "", "")
    assert run("metrics", "delete", "bytes", "--data", tmp_path / "new").out == "deleted bytes\n"
    assert run(*words).out == second.out.replace("bytes: already created", "bytes: created")


def test_a_database_server_is_not_needed(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PGHOST", "db")
    monkeypatch.setenv("PGPASSWORD", "secret")
    done = run("metrics", "create", "--default", "--data", tmp_path / "new")
    assert (done.code, done.err) == (0, "note: PGHOST, PGPASSWORD: not needed, there is no database server\n")


def test_values_are_those_of_periods_that_are_over_newest_first(run, data, start_s):
    make(run, data, "--default")
    one, two = iso((start_s + 10) * 10**9), iso((start_s + 20) * 10**9)
    assert got(run, data, "bytes") == [f"{two}: 13", f"{one}: 30"]
    assert got(run, data, "sections") == [
        f"{two},/: 1",
        f"{two},/api: 1",
        f"{two},/shop: 1",
        f"{one},/shop: 2",
        f"{one},/api: 1",
    ]
    assert got(run, data, "sections", "--limit", 2) == [f"{two},/: 1", f"{two},/api: 1"]
    assert got(run, data, "statuses", "--top", 1) == [f"{two},200: 1"]
    assert got(run, data, "traffic", "--limit", 1) == [f"{two}: 1"]
    (row,) = got(run, data, "statuses", "--limit", 1, "-o", "jsonl")
    assert json.loads(row) == {"time": two, "labels": {"status": "200"}, "value": 1.0}


def test_the_spelling_of_puppylog(run, data, start_s):
    out = make(run, data, "-id", "magic", "-s", "count", "--prop", "*", "--period", 10, "--refresh_rate", 10)
    assert out == "magic: created\n"
    two = iso((start_s + 20) * 10**9)
    make(
        run, data, "-id", "methods", "-s", "max", "-p", "response_bsize", "-pr", 10, "-rr", 5, "-seg", "request_method"
    )
    assert got(run, data, "methods", "--limit", 1) == [f"{two},GET: 7"]
    described = json.loads(run("metrics", "meta", "methods", "--json", "--data", data).out)
    assert {key: described[key] for key in ("statistic", "property", "period_s", "refresh_s", "segment", "filter")} == {
        "statistic": "max",
        "property": "response_bsize",
        "period_s": 10,
        "refresh_s": 5,
        "segment": "request_method",
        "filter": "",
    }


def test_a_log_group_and_a_filter_choose_lines(run, data, start_s):
    make(run, data, "-id", "all", "-pr", 10, "-g", "shop")
    make(run, data, "-id", "bad", "-pr", 10, "-g", "shop", "-f", "| status >= 500")
    make(run, data, "-id", "none", "-pr", 10, "-f", '{source="nobody"}')
    one, two = iso((start_s + 10) * 10**9), iso((start_s + 20) * 10**9)
    assert got(run, data, "all") == [f"{two}: 3", f"{one}: 3"]
    assert got(run, data, "bad") == [f"{two}: 1", f"{one}: 1"]
    done = run("metrics", "get", "none", "--data", data)
    assert (done.code, done.out, done.err) == (0, "", "none has no values yet\n")


def test_a_metric_of_a_query(run, data, start_s):
    expr = 'sum by (status) (count_over_time({source="shop"} | status >= 500 [10s]))'
    make(run, data, "-id", "errors", "--expr", expr)
    one, two = iso((start_s + 10) * 10**9), iso((start_s + 20) * 10**9)
    assert got(run, data, "errors") == [f"{two},500: 1", f"{one},503: 1"]
    described = dict(
        line.split(maxsplit=1) for line in run("metrics", "meta", "errors", "--data", data).out.splitlines()
    )
    assert (described["expr"], described["period"]) == (expr, "10 s")
    assert run("metrics", "list", "--data", data).out == f"errors  {expr}\n"


def test_late_lines_count_at_once(run, data, start_s, tmp_path):
    make(run, data, "--default")
    assert len(got(run, data, "bytes")) == 2
    at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(start_s - 1))
    (tmp_path / "late.log").write_text(f'10.0.0.1 - - [{at}] "GET / HTTP/1.1" 200 90\n')
    assert run("collect", tmp_path / "late.log", "--data", data).code == 0
    assert got(run, data, "bytes")[-1] == f"{iso(start_s * 10**9)}: 90"


def test_old_lines_have_values_if_the_metric_goes_back_to_them(run, tmp_path):
    lines = [f'h - - [03/May/2015:10:00:{second:02} +0000] "GET /a HTTP/1.1" 200 {second}\n' for second in (5, 7, 15)]
    lines.append('h - - [01/May/2015:10:00:01 +0000] "GET /b HTTP/1.1" 200 1\n')
    (tmp_path / "old.log").write_text("".join(lines))
    data = tmp_path / "data"
    assert run("collect", tmp_path / "old.log", "--data", data).code == 0
    make(run, data, "-id", "old", "-s", "sum", "-p", "bytes", "-pr", 10, "--backfill", "all")
    make(run, data, "-id", "new", "-pr", 10)
    assert got(run, data, "old") == ["2015-05-03T10:00:20Z: 15", "2015-05-03T10:00:10Z: 12"]  # of a day
    assert got(run, data, "old", "--from", "2015-05-01T00:00:00Z")[-1] == "2015-05-01T10:00:10Z: 1"
    assert got(run, data, "old", "--to", "2015-05-03T10:00:19Z") == ["2015-05-03T10:00:10Z: 12"]
    assert run("metrics", "get", "new", "--data", data).err == "new has no values yet\n"


def test_a_metric_cannot_be_changed(run, data):
    make(run, data, "-id", "m")
    again = run("metrics", "create", "-id", "m", "-s", "sum", "-p", "bytes", "--data", data)
    assert (again.code, again.out) == (1, "m: already created\n")
    assert "tailrace metrics delete m" in again.err
    assert run("metrics", "delete", "m", "--data", data).out == "deleted m\n"
    make(run, data, "-id", "m", "-s", "sum", "-p", "bytes")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create",), "a metric needs a name"),
        (("create", "--default", "-id", "x"), "--default makes a set of its own, without --id"),
        (("create", "-id", "x", "-s", "sum"), "sum is of a property"),
        (("create", "-id", "x", "-s", "summ", "-p", "bytes"), "did you mean 'sum'?"),
        (("create", "-id", "x", "-p", 'a"b'), "is no property"),
        (("create", "-id", "x", "-pr", "1.5"), "--period 1.5 is not a whole number of seconds"),
        (("create", "-id", "x", "-g", "a", "-f", '{b="c"}'), "--group and a selector"),
        (("create", "-id", "x", "--expr", "rate({a", "-s", "sum"), "--expr says all of it, without --stat"),
        (("create", "-id", "x", "--expr", "rate({a"), "parse error at line 1, col 8"),
        (("create", "-id", "x y"), "is no name for a metric"),
        (("get", "trafic"), "did you mean 'traffic'?"),
        (("delete", "nobody"), "there is no metric 'nobody' (there are: bytes, sections, statuses, traffic)"),
        (("meta", "nobody", "--url", "http://127.0.0.1:1"), "name two tables"),
    ],
)
def test_mistakes_are_said(run, data, words, said):
    make(run, data, "--default")
    done = run("metrics", *words, "--data", data)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_before_the_first_line_there_are_no_values(run, tmp_path):
    make(run, tmp_path / "new", "--default")
    done = run("metrics", "get", "traffic", "--data", tmp_path / "new")
    assert (done.code, done.err) == (0, "traffic has no values yet\n")
    done = run("metrics", "list", "--data", tmp_path / "typo")
    assert done.code == 1
    assert not (tmp_path / "typo").exists()
