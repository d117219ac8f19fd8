"""What a place promises, of a folder and of a bucket alike."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import polars as pl
import pytest
from deltalake import write_deltalake

from s3 import KEY, SECRET, Bucket, serving
from tailrace.files import Files
from tailrace.store import columns, log, place
from tailrace.store.bucket import ObjectSettings
from tailrace.store.location import located

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tailrace.store.place import Place

NUMBER = count()


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with serving() as server:
        yield server.bucket("places")


@pytest.fixture(params=["folder", "bucket"])
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "folder":
        return ""
    bucket = request.getfixturevalue("bucket")
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    return f"{bucket.url}/{next(NUMBER)}/logs"


@pytest.fixture
def here(url: str, tmp_path: Path) -> Place:
    return located(tmp_path / "one" / "logs", url, ObjectSettings(), Files())


@pytest.fixture
def there(url: str, tmp_path: Path) -> Place:
    """The same place, as another machine, or another program on this one, has it."""
    return located(tmp_path / ("two" if url else "one") / "logs", url, ObjectSettings(), Files())


def written(one: Place, name: str, data: bytes = b"x") -> Path:
    file = one.root / name
    one.files.makedirs(file.parent)
    one.files.write(file, data)
    one.files.fsync(file)
    return file


def same(one: Place, path: Path, other: Place) -> str:
    return str(other.root / path.relative_to(one.root))


def test_what_is_durable_can_be_opened_by_others(here: Place, there: Place) -> None:
    frame = pl.DataFrame({"a": [1, 2]})
    file = here.root / "_date=2026-01-01" / "x.parquet"
    here.files.makedirs(file.parent)
    frame.write_parquet(file)
    here.files.fsync(file)
    path = same(here, file, there)
    assert place.scan(there.opened([path])).collect().equals(frame)
    assert place.scan(there.opened([path], lambda: {path: file.stat().st_size})).collect().equals(frame)
    assert pl.read_parquet_metadata((*there.looked_into(path).local,)[0])
    with there.lent(path) as near:
        assert near.read_bytes() == file.read_bytes()
    with there.openable(path).open("rb") as stream:
        stream.seek(-4, 2)
        assert stream.read(4) == b"PAR1"
    with here.openable(str(file)).open("rb") as stream:
        assert stream.read(4) == b"PAR1"


def test_what_exists_is_told(here: Place, there: Place) -> None:
    file = written(here, "_date=2026-01-01/x.parquet")
    absent = str(there.root / "_date=2026-01-01" / "y.parquet")
    assert there.there([same(here, file, there), absent]) == {same(here, file, there)}
    there.prepare([absent])
    there.prepare([absent])
    with pytest.raises(FileNotFoundError), there.lent(absent) as near:
        near.read_bytes()


def test_files_are_listed_by_their_names(here: Place, there: Place) -> None:
    written(here, "_date=2026-01-01/x.parquet", b"123")
    written(here, "_date=2026-01-02/y.parquet")
    written(here, "_date=2026-01-02/z.txt")
    written(here, "_skip/x.skip")
    found = {one.path.relative_to(there.root).as_posix(): one for one in there.listed("_date=*/*.parquet")}
    assert sorted(found) == ["_date=2026-01-01/x.parquet", "_date=2026-01-02/y.parquet"]
    assert found["_date=2026-01-01/x.parquet"].bytes == 3
    assert found["_date=2026-01-01/x.parquet"].modified_ns > 1_700_000_000 * 10**9
    assert [one.path.name for one in there.listed("_skip/*")] == ["x.skip"]
    assert there.listed("_nothing/*") == []


def test_what_is_removed_is_gone_for_all(here: Place, there: Place) -> None:
    files = [written(here, f"_date=2026-01-01/{name}.parquet") for name in "abc"]
    here.files.unlink(files[0])
    here.files.unlink(files[0])
    there.remove([there.root / one.relative_to(here.root) for one in files[:2]])
    assert [one.path.name for one in here.listed("_date=*/*.parquet")] == ["c.parquet"]


def test_a_small_file_is_replaced_whole(here: Place, there: Place) -> None:
    file = here.root / "_skip" / "x.skip"
    here.files.makedirs(file.parent)
    for data in (b"old", b"new one"):
        here.files.save(file, data)
    with there.lent(same(here, file, there)) as near:
        assert near.read_bytes() == b"new one"
    assert [one.path.name for one in there.listed("_skip/*")] == ["x.skip"]


def test_commits_are_seen_after_a_look(here: Place, there: Place) -> None:
    here.files.makedirs(here.root)
    for one in (here, there):  # the second one finds it made
        one.create(columns.envelope_schema(), partition_by=["_date"], name="logs", configuration={})
    there.refresh()
    assert log.versions(there.root) == [0]
    schema = {"_time_ns": pl.Int64(), "_line": pl.String()}
    for number in range(3):
        rows = pl.DataFrame({"_time_ns": [number], "_line": ["x"]}, schema=schema)
        write_deltalake(
            here.delta(),
            rows.with_columns(_date=pl.lit("2026-01-01").str.to_date()),
            mode="append",
            schema_mode="merge",
        )
        there.refresh()
        assert log.newest_whole(there.root) == number + 1
    there.reach(-1)
    assert log.versions(there.root) == [0, 1, 2, 3]
    there.tidy()
    assert log.versions(there.root) == [0, 1, 2, 3]


def test_tables_lie_beside_each_other(here: Place, there: Place) -> None:
    file = written(here.beside("files"), "part=tail/x.parquet")
    assert there.beside("files").there([str(there.root.with_name("files") / file.parent.name / file.name)])
    assert there.listed("part=*/*.parquet") == []


def test_the_lease_is_held_by_somebody(here: Place, there: Place) -> None:
    one = here.lease("keeper")
    assert one.held()
    one.release()
    assert there.lease("keeper").held()


def test_no_secret_is_shown(here: Place) -> None:
    shown = repr(here) + here.where + repr(here.settings) + repr(here.opened([]))
    assert SECRET not in shown
    assert KEY not in shown
