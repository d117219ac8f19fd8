"""A table in object storage, against an S3 server in a process of its own."""

from __future__ import annotations

import os
import random
from itertools import count
from typing import TYPE_CHECKING

import polars as pl
import pytest

from s3 import Bucket, Server, client, serving
from store.rows import DAY_NS, START_NS, batch
from tailrace import limits
from tailrace.contracts import Needle
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import ConfigError, TableError, TransientError
from tailrace.store import log
from tailrace.store import objects as module
from tailrace.store.bucket import Bucket as OurBucket
from tailrace.store.bucket import ObjectSettings
from tailrace.store.cache import IN_USE_S
from tailrace.store.compact import compact
from tailrace.store.delete import delete
from tailrace.store.deleted import deleted
from tailrace.store.info import info
from tailrace.store.table import LogTable
from tailrace.store.vacuum import vacuum
from tailrace.store.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NUMBER = count()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def bucket(server: Server) -> Bucket:
    return server.bucket("logs")


@pytest.fixture
def url(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    return f"{bucket.url}/{next(NUMBER)}"


def lines(table: LogTable, *needles: Needle) -> list[str]:
    segments = table.snapshot().segments(0, 2**62).holding(needles)
    engine = PolarsEngine()
    frame = engine.scan(segments, {"_line": pl.String()})
    return sorted(engine.collect(frame)["_line"])


def keys(bucket: Bucket, prefix: str) -> list[str]:
    found = client(bucket.endpoint).list_objects_v2(Bucket=bucket.name, Prefix=prefix.removeprefix(f"{bucket.url}/"))
    return [one["Key"] for one in found.get("Contents", [])]


def test_what_one_program_commits_another_one_reads(url: str, tmp_path: Path) -> None:
    one = LogTable.open(tmp_path / "one", create=True, url=url)
    one.commit([batch(["a", "b"], "agent", 0)])
    one.sync()
    other = LogTable.open(tmp_path / "other", url=url)
    assert lines(other) == ["a", "b"]
    one.commit([batch(["a", "b"], "agent", 0), batch(["c"], "agent", 1)])
    other.commit([batch(["d"], "elsewhere", 7, status=[200])])
    assert lines(one) == lines(other) == ["a", "b", "c", "d"]
    assert (one.last_number("agent"), one.last_number("elsewhere")) == (1, 7)
    assert verify(other).faults == ()


def test_columns_that_two_add_at_once_are_both_there(url: str, tmp_path: Path) -> None:
    one = LogTable.open(tmp_path / "one", create=True, url=url)
    other = LogTable.open(tmp_path / "other", url=url)
    other.commit([batch(["x"], "b", 0)])
    one.commit([batch(["a"], "a", 0, status=[200])])  # on top of a commit that it has not seen
    other.commit([batch(["b"], "b", 1, path=["/"])])
    assert {"status", "path"} <= set(one.snapshot().columns)
    assert lines(one) == ["a", "b", "x"]


def test_upkeep_by_one_is_seen_by_all(bucket: Bucket, url: str, tmp_path: Path) -> None:
    one = LogTable.open(tmp_path / "one", create=True, url=url)
    other = LogTable.open(tmp_path / "other", url=url)
    for number in range(12):
        one.commit([batch([f"{number:02d}", f"{number:02d} again"], "a", number, start_ns=START_NS + number)])
    assert len(lines(other)) == 24
    before = other.snapshot()
    done = compact(one, everything=True)
    assert (done.files_before, done.files_after, done.rows) == (12, 1, 24)
    assert other.snapshot().files.height == 1
    assert len(lines(other)) == 24
    assert before.segments(0, 2**62).frame.height == 12  # its files are there until the grace is over
    assert vacuum(one).files == 0
    gone = vacuum(one, now_ns=START_NS * 2)
    assert gone.files == 12
    assert sum(key.endswith(".parquet") for key in keys(bucket, f"{url}/logs/_date")) == 1
    found = info(other)
    assert (found.rows, found.files, found.positions, found.path) == (24, 1, {"a": 11}, f"{url}/logs")
    removed = delete(other, streams=['{app="a"}'], start_ns=START_NS, end_ns=START_NS + 3, dry_run=False)
    assert removed.rows == 3
    assert len(lines(one)) == 21
    assert deleted(one.place, before.version, one.snapshot().version) == [(START_NS, START_NS + 2)]
    assert verify(one).faults == ()


def test_segments_are_joined_by_a_process_of_its_own(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.store.compact.APART_ROWS", 1)
    table = LogTable.open(tmp_path, create=True, url=url)
    for number in range(3):
        table.commit([batch([str(number)], "a", number)])
    assert compact(table, everything=True, beside=True).files_after == 1
    assert lines(LogTable.open(tmp_path / "other", url=url)) == ["0", "1", "2"]


def test_a_long_log_is_opened_at_its_checkpoint(bucket: Bucket, url: str, tmp_path: Path) -> None:
    table = LogTable.open(tmp_path / "one", create=True, url=url)
    for number in range(60):
        table.commit([batch([str(number)], "a", number)])
    vacuum(table)
    late = LogTable.open(tmp_path / "late", url=url)
    assert len(lines(late)) == 60
    here = log.versions(late.root)
    assert here[0] > 0
    assert late.snapshot().added_since(3).frame.height == 57  # what is older comes when it is asked for
    vacuum(table, now_ns=START_NS * 2)
    assert log.versions(table.root)[0] > 0
    late.place.tidy()
    assert log.versions(late.root) == log.versions(table.root)
    assert len(lines(late)) == len(lines(LogTable.open(tmp_path / "third", url=url))) == 60


def test_who_slept_past_a_checkpoint_misses_no_commit(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, sleeper = (LogTable.open(tmp_path / name, create=True, url=url) for name in ("one", "two"))
    assert lines(sleeper) == []
    for number in range(55):
        table.commit([batch([str(number)], "a", number)])
    vacuum(table)
    assert log.checkpoints(table.root)
    monkeypatch.setattr("tailrace.store.mirror.LIST_S", -1.0)
    assert len(lines(sleeper)) == 55
    assert sleeper.snapshot().added_since(0).frame.height == 55


def test_what_fits_nowhere_is_read_from_afar(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = LogTable.open(tmp_path / "one", create=True, url=url)
    texts = [f"{random.Random(number).randbytes(60).hex()} {number}" for number in range(3_000)]
    writer.commit([batch(texts[:1_500], "a", 0), batch(texts[1_500:], "a", 1, start_ns=START_NS + DAY_NS)])
    small = LogTable.open(tmp_path / "two", url=url)
    monkeypatch.setattr(small.place, "_cache", module.Cache(small.root.parent, module._CACHED, 150_000))
    opened = small.snapshot().segments(0, 2**62).opened()
    assert (len(opened.local), len(opened.remote)) == (1, 1)
    assert lines(small) == sorted(texts)
    assert compact(small, everything=True).files_before == 0
    assert verify(small).faults == ()
    assert sum(path.stat().st_size for path in small.root.glob("_date*/*")) <= 150_000


def test_a_needle_is_found_by_an_index_that_another_one_made(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SKIP_ROWS", 1_000)
    monkeypatch.setattr(limits, "SKIP_SHARE", 10.0)
    one = LogTable.open(tmp_path / "one", create=True, url=url)
    other = LogTable.open(tmp_path / "other", url=url)
    one.commit(
        [batch([f"line {number}" for number in range(1_000)], "a", 0, trace=[f"t{n:06d}" for n in range(1_000)])]
    )
    assert compact(one, everything=True).indexed == 1
    assert compact(other, everything=True).indexed == 0
    assert other.snapshot().segments(0, 2**62).holding([Needle(("trace",), ("nowhere",))]).frame.is_empty()
    assert len(lines(other, Needle(("trace",), ("t000500",)))) == 1_000
    assert info(other).indexed_rows == 1_000
    assert verify(other).faults == ()


def test_a_table_that_was_put_in_the_place_of_another_one_is_not_taken_for_it(
    bucket: Bucket, url: str, tmp_path: Path
) -> None:
    old = LogTable.open(tmp_path, create=True, url=url)
    old.commit([batch(["old"], "a", 0)])
    assert lines(LogTable.open(tmp_path, url=url)) == ["old"]
    s3 = client(bucket.endpoint)
    for key in keys(bucket, url):
        s3.delete_object(Bucket=bucket.name, Key=key)
    for path in (old.root / log.LOG).iterdir():
        os.utime(path, (START_NS // 10**9,) * 2)  # what is here was written at another time than the new one
    new = LogTable.open(tmp_path / "elsewhere", create=True, url=url)
    new.commit([batch(["new"], "a", 0)])
    assert lines(LogTable.open(tmp_path, url=url)) == ["new"]


@pytest.mark.parametrize("url", ["s3://nowhere-at-all/x"])
def test_a_bucket_that_is_not_there(url: str, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    for create in (False, True):
        with pytest.raises(TableError, match=r"s3://nowhere-at-all/x/logs: there is no bucket 'nowhere-at-all'"):
            LogTable.open(tmp_path, create=create, url=url)


def test_a_url_without_a_table(url: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=rf"{url}/logs: there is no table here"):
        LogTable.open(tmp_path, url=url)


def test_an_address_without_tls_has_to_be_allowed(
    url: str, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises((TableError, ConfigError), match="allow_http"):
        LogTable.open(tmp_path, create=True, url=url)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    settings = ObjectSettings(endpoint=bucket.endpoint, allow_http=True, region="us-east-1")
    table = LogTable.open(tmp_path, create=True, url=url, objects=settings)
    table.commit([batch(["a"], "a", 0)])
    assert lines(table) == ["a"]


def test_without_the_library_the_way_to_get_it_is_told(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "obstore.store", None)
    with pytest.raises(ConfigError, match=r"pip install 'tailrace\[objects\]'"):
        LogTable.open(tmp_path, url=url)


def test_a_server_that_is_away_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.store.bucket.RETRIES", 0)
    with serving() as server:
        own = server.bucket("own")
        for name, value in own.environment.items():
            monkeypatch.setenv(name, value)
        table = LogTable.open(tmp_path, create=True, url=own.url)
        table.commit([batch(["a"], "a", 0)])
    for attempt in (lambda: table.commit([batch(["b"], "a", 1)]), table.snapshot, lambda: table.last_number("a")):
        with pytest.raises(TransientError, match=r"s3://own/logs: .*error sending request") as caught:
            attempt()
        assert "secret" not in str(caught.value)


def test_lost_answers_double_nothing(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit is made, its answer is lost, and then the log cannot be asked: the same batches are sent again."""
    table = LogTable.open(tmp_path, create=True, url=url)
    sent = [batch(["pushed"]), batch(["b"], "a", 1)]
    run, get = table.files.run, OurBucket.get

    def lost(what: str, action: object) -> object:
        made = run(what, action)  # type: ignore[arg-type]
        if what == "commit":
            monkeypatch.setattr(OurBucket, "get", away)
            raise OSError(5, "the connection was closed")
        return made

    def away(self: OurBucket, key: str) -> object:
        raise TransientError("away")

    monkeypatch.setattr(table.files, "run", lost)
    for _ in range(2):
        with pytest.raises(TransientError, match="away"):
            table.commit(sent)
    monkeypatch.setattr(OurBucket, "get", get)
    monkeypatch.setattr(table.files, "run", run)
    table.commit(sent)
    assert lines(table) == ["b", "pushed"]
    table.commit([batch(["pushed"])])  # another one that says the same
    assert lines(table) == ["b", "pushed", "pushed"]


def test_in_use_is_longer_than_a_query_takes() -> None:
    assert IN_USE_S >= 600
