import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import polars as pl
import pytest

from tailrace.query import lines
from tailrace.query.run import Request
from tailrace.web import exports
from tailrace.web.exports import Progress, Wanted
from web.conftest import NOW_NS, House, S, wait_until

EVERY = '{service_name="app"}'
JOB = "0123456789abcdef" * 2


@pytest.fixture
def many(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """Nine lines of two hosts that are read three at a time; only the oldest has a code."""
    monkeypatch.setattr(lines, "LARGEST_STRETCH", 3)
    house.store((-9 * S, "nine"), host="a", level="warn", fields={"code": 7})
    house.store(*[(-n * S, f"=line {n}") for n in range(8, 0, -1)], host="b")
    return house


def ask(house: House, output: str, **given: str) -> httpx.Response:
    return house.client.get("/api/v1/logs/query", params={"query": EVERY, "limit": "0", "output": output, **given})


def test_csv_in_pages_has_the_columns_of_all_lines(many: House) -> None:
    answer = ask(many, "csv")
    assert answer.headers["x-tailrace-complete"] == "true"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert list(rows[0]) == ["time", "host", "service_name", "code", "level", "line"]
    assert [row["line"] for row in rows] == [*(f"'=line {n}" for n in range(1, 9)), "nine"]
    assert (rows[-1]["code"], rows[-1]["level"], rows[0]["code"]) == ("7", "warn", "")
    assert rows[-1]["time"] == "2025-12-31T23:59:51.000000000Z"


def test_the_guard_of_formulas_can_be_switched_off(many: House) -> None:
    assert "'=line" not in ask(many, "csv", guard="0").text
    assert ask(many, "csv", guard="0").text.count("=line") == 8


def test_parquet_in_pages_is_one_table(many: House) -> None:
    table = pl.read_parquet(io.BytesIO(ask(many, "parquet").content))
    assert table.columns == ["time", "host", "service_name", "code", "level", "line"]
    assert table["line"].to_list() == [*(f"=line {n}" for n in range(1, 9)), "nine"]
    assert table["time"].to_list()[-1] == datetime(2025, 12, 31, 23, 59, 51, tzinfo=UTC)
    assert table["code"].to_list() == [*[None] * 8, "7"]


def test_the_footer_of_parquet_says_what_it_holds(many: House) -> None:
    about = pl.read_parquet_metadata(io.BytesIO(ask(many, "parquet", start=str(NOW_NS - 5 * S)).content))
    assert about["tailrace.query"] == EVERY
    assert about["tailrace.from"] == "2025-12-31T23:59:55Z"
    assert about["tailrace.complete"] == "True"


def test_the_columns_that_are_shown_in_their_order(many: House) -> None:
    answer = ask(many, "csv", columns="code,level,nothing,host")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["time", "code", "level", "nothing", "host", "line"]
    assert rows[-1][1:] == ["7", "warn", "", "a", "nine"]
    whole = [json.loads(line) for line in ask(many, "jsonl", columns="code").text.splitlines()]
    assert (whole[0]["labels"], whole[0]["fields"], whole[-1]["fields"]) == ({}, {}, {"code": "7"})
    leveled = json.loads(ask(many, "jsonl", columns="host,level").text.splitlines()[-1])
    assert (leveled["labels"], leveled["fields"]) == ({"host": "a"}, {"level": "warn"})


@pytest.mark.parametrize("columns", ["=cmd()", "a,b c", "a," * 201, "é"])
def test_columns_are_names_and_not_too_many(many: House, columns: str) -> None:
    answer = ask(many, "csv", columns=columns)
    assert (answer.status_code, "columns" in answer.text) == (400, True)


def test_names_of_columns_do_not_meet(many: House) -> None:
    head = ask(many, "csv", columns="time,line,_time_ns,host,host").text.splitlines()[0]
    assert head == "time,time_extracted,line_extracted,_time_ns_extracted,host,line"


def test_json_lines_end_with_a_record_when_asked(many: House) -> None:
    *rows, last = ask(many, "jsonl", record="1", start=str(NOW_NS - 20 * S)).text.splitlines()
    assert len(rows) == 9
    said = {"query": EVERY, "from": "2025-12-31T23:59:40Z", "to": "2026-01-01T00:00:00Z"}
    assert json.loads(last) == {"export": {"rows": 9, "complete": True, **said}}
    assert ask(many, "jsonl", comment="1").text.count("\n") == 9
    assert ask(many, "raw", comment="1", record="0").text.endswith("nine\n# 9 rows, complete\n")
    assert ask(many, "csv", comment="1").text.endswith("# 9 rows, complete\n")


@pytest.mark.parametrize(("output", "whole"), [("csv", "time,line\n"), ("raw", ""), ("jsonl", "")])
def test_nothing_is_a_file_too(house: House, output: str, whole: str) -> None:
    assert ask(house, output).text == whole
    assert pl.read_parquet(io.BytesIO(ask(house, "parquet").content)).columns == ["time", "line"]


def test_the_name_of_the_file_says_query_and_range(many: House) -> None:
    answer = ask(many, "csv", download="1", start=str(NOW_NS - 60 * S))
    name = "tailrace_service_name-app_20251231T235900Z_20260101T000000Z.csv"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert "content-disposition" not in ask(many, "csv").headers


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "raw"])
def test_what_breaks_off_is_an_error_and_no_short_file(
    many: House, form: exports.Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = exports.pages

    def broken(*given: object) -> Iterator[object]:
        found = real(*given)  # type: ignore[arg-type]
        yield next(found)
        if second or form in ("jsonl", "raw"):
            raise OSError("the disk is gone")
        second.append(True)
        yield from found

    second: list[bool] = []
    monkeypatch.setattr(exports, "pages", broken)
    with pytest.raises((httpx.RemoteProtocolError, httpx.HTTPStatusError)):  # the latter where nothing was sent yet
        ask(many, form, job=JOB).raise_for_status()
    progress = many.client.get(f"/explore/export/{JOB}").json()
    assert (progress["state"], progress["why"]) == ("failed", "the disk is gone")


def test_how_far_an_export_is_can_be_looked_at(many: House) -> None:
    assert many.client.get(f"/explore/export/{JOB}").status_code == 404
    size = len(ask(many, "csv", job=JOB, start=str(NOW_NS - 20 * S)).content)
    found = many.client.get(f"/explore/export/{JOB}").json()
    assert found == {"state": "done", "rows": "9", "bytes": str(size), "share": 1.0, "why": ""}
    ask(many, "csv", job="../x")
    assert many.client.get("/explore/export/..%2fx").status_code == 404


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_cancelled_export_ends(many: House, form: exports.Form) -> None:
    asked, progress = Request(EVERY, NOW_NS - 20 * S, NOW_NS), Progress()
    pieces = exports.file(
        Request(asked.query, asked.start_ns, asked.end_ns, limit=0), Wanted(form), many.services, progress
    )
    next(pieces)
    progress.cancel()
    with pytest.raises(Exception, match="cancelled"):
        list(pieces)
    assert progress.state == "cancelled"


def test_who_goes_away_ends_it(many: House) -> None:
    progress = Progress()
    pieces = exports.file(Request(EVERY, NOW_NS - 20 * S, NOW_NS, limit=0), Wanted("jsonl"), many.services, progress)
    next(pieces)
    pieces.close()
    assert (progress.state, progress.cancelled()) == ("cancelled", True)


def test_a_file_is_of_one_version_of_the_table(many: House) -> None:
    progress = Progress()
    pieces = exports.file(Request(EVERY, NOW_NS - 20 * S, NOW_NS, limit=0), Wanted("csv"), many.services, progress)
    head = next(pieces)
    many.store((-10 * S, "while it is sent"), host="c", fields={"new": 1})
    assert b"while it is sent" not in head + b"".join(pieces)
    assert progress.rows == 9


def test_exports_that_are_remembered_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "KNOWN", 2)
    known = exports.Exports()
    for number in range(3):
        known.begin(f"{number:032x}")
    assert [known.get(f"{number:032x}") is not None for number in range(3)] == [False, True, True]


def test_the_page_offers_what_the_search_shows(many: House) -> None:
    page = many.client.get("/explore/export", params={"q": EVERY, "cols": "code,host", "from": "now-1h"}).text
    assert 'name="columns" value="level,service_name,code,host"' in page
    assert f'name="start" value="{NOW_NS - 3_600 * S}"' in page
    assert many.client.get("/explore/export", params={"q": "{"}).status_code == 400
    chart = many.client.get("/explore/export", params={"q": f"count_over_time({EVERY}[1m])", "from": "now-1h"}).text
    assert re.search(r'name="step" value="(30|60)s"', chart)
    assert 'name="columns"' not in chart


def test_cancelling_is_for_who_knows_the_name(many: House) -> None:
    ask(many, "csv", job=JOB)
    assert many.client.post(f"/explore/export/{JOB}/cancel").status_code == 204
    assert many.client.post(f"/explore/export/{'f' * 32}/cancel").status_code == 404
    wait_until(lambda: many.client.get(f"/explore/export/{JOB}").json()["state"] == "done")
