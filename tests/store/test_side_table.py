"""Tables beside `logs`, in a folder and in a bucket: made by the first write, one commit at a time, tidied."""

from __future__ import annotations

import json
import shutil
from itertools import count
from typing import TYPE_CHECKING

import polars as pl
import pytest

from s3 import Bucket, serving
from tailrace.errors import TableError
from tailrace.files import Files
from tailrace.store.bucket import ObjectSettings
from tailrace.store.cache import Cache
from tailrace.store.location import located
from tailrace.store.objects import ObjectPlace
from tailrace.store.side_table import Shape, SideTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NUMBER = count()
SHAPE = Shape("notes", {"text": pl.String(), "n": pl.Int64()}, "part", {})


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with serving() as server:
        yield server.bucket("sides")


@pytest.fixture(params=["folder", "bucket"])
def tables(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[SideTable, SideTable]:
    """Two programs' ways to one table."""
    url = ""
    if request.param == "bucket":
        bucket = request.getfixturevalue("bucket")
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        url = f"{bucket.url}/{next(NUMBER)}/logs"
    folders = [tmp_path / (str(number) if url else "same") / "logs" for number in range(2)]
    one, other = (
        SideTable(located(folder, url, ObjectSettings(), Files()).beside("notes"), SHAPE) for folder in folders
    )
    return one, other


def put(table: SideTable, part: str, text: str, number: int, gone: pl.DataFrame | None = None) -> bool:
    frame = pl.DataFrame({"text": [text], "n": [number]})
    handle = table.writable()
    removals = [] if gone is None else table.removals(gone)
    written = [table.write(part, frame, json.dumps({"numRecords": 1}))]
    return table.commit(handle, written, removals, {"number": number})


def files(table: SideTable) -> pl.DataFrame:
    newest = table.newest()
    assert newest is not None
    _, raw = table.at(newest)
    if raw.is_empty():
        return pl.DataFrame(schema={"path": pl.String, "part": pl.String, "bytes": pl.Int64})
    return table.near(raw.select("path", part="partition.part", bytes="size_bytes"))


def texts(table: SideTable) -> list[str]:
    return sorted(pl.read_parquet(path)["text"].item() for path in files(table)["path"])


def test_there_is_no_table_before_the_first_write(tables: tuple[SideTable, SideTable]) -> None:
    one, other = tables
    assert one.newest() is None
    assert put(one, "a", "x", 1)
    assert other.newest() == 1
    assert texts(other) == texts(one) == ["x"]


def test_files_take_the_place_of_others_at_once(tables: tuple[SideTable, SideTable]) -> None:
    one, other = tables
    put(one, "a", "x", 1)
    put(other, "b", "y", 2)
    assert put(one, "a", "z", 3, files(one).filter(part="a"))
    assert texts(other) == ["y", "z"]
    newest = other.newest()
    assert newest is not None
    assert other.at(newest)[0].transaction_version("number") == 3


def test_of_two_commits_of_one_number_the_second_is_refused(tables: tuple[SideTable, SideTable]) -> None:
    one, other = tables
    put(one, "a", "x", 1)
    stale, written = one.writable(), [one.write("a", pl.DataFrame({"text": ["late"], "n": [2]}), "{}")]
    assert put(other, "a", "first", 2)
    assert not one.commit(stale, written, [], {"number": 2})
    assert texts(one) == ["first", "x"]
    assert one.place.there([str(written[0].file)]) == set()
    assert put(one, "a", "next", 3)  # with a fresh handle


def test_a_lost_answer_is_looked_for_in_the_log(
    tables: tuple[SideTable, SideTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tables
    run = one.files.run

    def lost(what: str, action: object) -> object:
        made = run(what, action)  # type: ignore[arg-type]
        if what == "commit":
            raise OSError(5, "the connection was closed")
        return made

    monkeypatch.setattr(one.files, "run", lost)
    assert put(one, "a", "x", 1)
    assert texts(other) == ["x"]


def test_what_no_version_names_is_removed_after_a_while(tables: tuple[SideTable, SideTable]) -> None:
    one, other = tables
    put(one, "a", "x", 1)
    orphan = one.write("a", pl.DataFrame({"text": ["orphan"], "n": [9]}), "{}")
    named = set(files(one)["path"])
    assert one.drop_unnamed(named, 0) == 0
    assert one.drop_unnamed(named, 2**62) == 1
    assert one.place.there([str(orphan.file)]) == set()
    one.checkpoint()
    assert texts(other) == ["x"]


def test_a_table_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    table = SideTable(tmp_path, SHAPE)
    put(table, "a", "x", 1)
    shutil.rmtree(table.root)
    put(table, "a", "y", 1)
    assert texts(table) == ["y"]


def test_a_cache_that_is_too_small_is_told(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    url = f"{bucket.url}/{next(NUMBER)}/logs"
    put(SideTable(located(tmp_path / "a" / "logs", url, ObjectSettings(), Files()).beside("notes"), SHAPE), "a", "x", 1)
    place = located(tmp_path / "b" / "logs", url, ObjectSettings(), Files()).beside("notes")
    assert isinstance(place, ObjectPlace)
    place._cache = Cache(tmp_path / "b", ("*/*.parquet",), 10)
    with pytest.raises(TableError, match=r"raise `objects\.cache_bytes`"):
        files(SideTable(place, SHAPE))
