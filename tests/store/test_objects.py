"""A table in object storage, against an S3 server in a process of its own."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from s3 import Bucket, serving
from store.rows import batch
from tailrace.engines.polars import PolarsEngine
from tailrace.store.table import LogTable
from tailrace.store.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER = count()


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with serving() as server:
        yield server.bucket("logs")


@pytest.fixture
def url(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    return f"{bucket.url}/{next(NUMBER)}"


def lines(table: LogTable) -> list[str]:
    segments = table.snapshot().segments(0, 2**62)
    if segments.frame.is_empty():
        return []
    engine = PolarsEngine()
    frame = engine.collect(engine.scan(segments, {"_line": table.snapshot().columns["_line"]}))
    return sorted(frame["_line"])


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
