"""Every operation of a commit fails in every way; afterwards the table opens and holds each row once."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from deltalake.exceptions import DeltaError

from store.faulty import Crash, FaultyFiles
from store.rows import DAY_NS, START_NS, batch, lines, unnamed
from tailrace.errors import TableError, TransientError
from tailrace.files import Files
from tailrace.store import log
from tailrace.store.compact import compact
from tailrace.store.failures import first_line, meaning
from tailrace.store.place import Folder
from tailrace.store.table import LogTable
from tailrace.store.vacuum import vacuum
from tailrace.store.verify import verify

if TYPE_CHECKING:
    from tailrace.batch import Batch

OLD = [batch(["old 1", "old 2"], "a", 0)]
NEW = [
    batch(["new 1", "new 2"], "a", 1),
    batch(["new 3", "new 4"], "a", 2, start_ns=START_NS + DAY_NS, status=[200, 404]),  # a further date and column
    batch(["new 5"], "b", 7, stream='{app="b"}'),
]
ALL = ["new 1", "new 2", "new 3", "new 4", "new 5", "old 1", "old 2"]
ERRORS = {"full": errno.ENOSPC, "broken": errno.EIO}
OPERATIONS = 15  # of the commit below; the test that counts them fails when there are more


def _old_table(data: Path) -> LogTable:
    table = LogTable.open(data, create=True)
    table.commit(OLD)
    table.sync()
    return table


def _faulty(data: Path, files: FaultyFiles) -> LogTable:
    """Open the table with operations that begin to fail once it is open."""
    table = LogTable.open(data, create=True)
    table.place = Folder(table.root, files)
    return table


def _commit_new(table: LogTable) -> None:
    table.commit(NEW)
    table.sync()


def _check_after_replay(data: Path) -> None:
    table = LogTable.open(data, create=True)
    assert table.last_number("a") in (0, 2)
    table.commit(NEW)
    table.sync()
    assert sorted(lines(table)) == ALL
    assert (table.last_number("a"), table.last_number("b")) == (2, 7)
    assert verify(table).faults == ()
    vacuum(table, now_ns=START_NS * 2)
    assert unnamed(table) == set()
    assert sorted(lines(LogTable.open(data))) == ALL


def test_the_faults_below_reach_every_operation(tmp_path: Path) -> None:
    _old_table(tmp_path)
    files = FaultyFiles(10_000, Crash())
    _commit_new(_faulty(tmp_path, files))
    assert len(files.done) == OPERATIONS
    assert "commit" in files.done
    assert "add columns" in files.done
    assert files.done.count("write segment") == 2


def test_what_a_commit_names_is_on_the_disk_before_it_and_the_commit_before_it_is_acknowledged(tmp_path: Path) -> None:
    _old_table(tmp_path)
    files = FaultyFiles(10_000, Crash())
    table = _faulty(tmp_path, files)
    _commit_new(table)
    at = files.done.index("commit")
    before, after = files.done[:at], files.done[at + 1 :]
    newest = log.read(table.root, log.versions(table.root)[-1])
    assert len(newest.paths) == 2
    for path in newest.paths:
        folder, name = path.split("/")
        assert before.index(f"fsync {name}") < before.index(f"fsync_dir {folder}", before.index(f"fsync {name}"))
        assert "fsync_dir logs" in before
    assert after[-2:] == [f"fsync {log.commit_file(table.root, newest.version).name}", f"fsync_dir {log.LOG}"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(OPERATIONS))
def test_a_crash_loses_and_repeats_nothing(at: int, after: bool, tmp_path: Path) -> None:
    _old_table(tmp_path)
    table = _faulty(tmp_path, FaultyFiles(at, Crash(), after=after))
    with pytest.raises(Crash):
        _commit_new(table)
    assert set(lines(LogTable.open(tmp_path))) in ({"old 1", "old 2"}, set(ALL))
    _check_after_replay(tmp_path)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(OPERATIONS))
def test_an_error_heals_when_the_same_batches_are_sent_again(at: int, after: bool, error: str, tmp_path: Path) -> None:
    _old_table(tmp_path)
    fault = OSError(ERRORS[error], "injected")
    table = _faulty(tmp_path, FaultyFiles(at, fault, after=after))
    nameless = [batch(["pushed"])]  # nothing but the commit itself can recognise a batch without a position
    _until_done(table, [*NEW, *nameless])
    assert sorted(lines(table)) == sorted([*ALL, "pushed"])
    assert verify(table).faults == ()
    assert unnamed(table) == set() or at in _unlinkable(table)


def _until_done(table: LogTable, batches: list[Batch]) -> None:
    for step in (lambda: table.commit(batches), table.sync):
        for _ in range(3):
            try:
                step()
            except TransientError:
                continue
            break


def _unlinkable(table: LogTable) -> set[int]:
    """Numbers of the operations that are an unlink: what they should have removed is left for `vacuum`."""
    files = table.files
    assert isinstance(files, FaultyFiles)
    return {number for number, name in enumerate(files.done) if name.startswith("unlink")}


@pytest.mark.parametrize(
    "rest", [b"", b'{"commitInfo":{"ti', b"\0" * 400, b"garbage\n"], ids=["empty", "cut", "zero", "garbage"]
)
def test_a_torn_newest_commit_is_set_aside(rest: bytes, tmp_path: Path) -> None:
    table = _old_table(tmp_path)
    table.commit(NEW)
    newest = log.versions(table.root)[-1]
    log.commit_file(table.root, newest).write_bytes(rest)

    assert lines(LogTable.open(tmp_path)) == ["old 1", "old 2"], "a reader looks past it"
    assert log.commit_file(table.root, newest).exists(), "and leaves it"

    table = LogTable.open(tmp_path, create=True)
    assert [path.read_bytes() for path in table.set_aside] == [rest]
    _check_after_replay(tmp_path)


def test_a_commit_that_is_cut_at_the_end_of_a_line_is_torn(tmp_path: Path) -> None:
    table = _old_table(tmp_path)
    table.commit(NEW)
    newest = log.commit_file(table.root, log.versions(table.root)[-1])
    whole = newest.read_bytes().splitlines(keepends=True)
    for count in range(len(whole)):
        newest.write_bytes(b"".join(whole[:count]))
        with pytest.raises(log.TornCommitError):
            log.read(table.root, log.versions(table.root)[-1])
    newest.write_bytes(b"".join(whole))
    assert log.read(table.root, log.versions(table.root)[-1]).transactions == {"a": 2, "b": 7}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_while_creating_leaves_a_folder_that_opens(after: bool, tmp_path: Path) -> None:
    for at in range(20):
        data = tmp_path / str(at)
        files = FaultyFiles(at, Crash(), after=after)
        try:
            LogTable.open(data, create=True, files=files)
        except Crash:
            table = LogTable.open(data, create=True)
            table.commit(OLD)
            assert lines(table) == ["old 1", "old 2"]
        else:
            assert at > 3
            return
    pytest.fail("creation never ended")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_while_compacting_changes_no_row(after: bool, tmp_path: Path) -> None:
    for at in range(40):
        data = tmp_path / str(at)
        table = _old_table(data)
        for number in range(1, 4):
            table.commit([batch([f"more {number}"], "a", number)])
        table.sync()
        before = lines(table)
        table = _faulty(data, FaultyFiles(at, Crash(), after=after))
        try:
            assert compact(table, everything=True).merges == 1
        except Crash:
            again = LogTable.open(data, create=True)
            assert lines(again) == before
            assert verify(again).faults == ()
            vacuum(again, now_ns=START_NS * 2)
            assert unnamed(again) == set()
            assert lines(again) == before
        else:
            assert at > 4
            return
    pytest.fail("compaction never ended")


def test_cleaning_up_survives_a_crash_anywhere(tmp_path: Path) -> None:
    for at in range(0, 400, 37):
        data = tmp_path / str(at)
        table = _old_table(data)
        for number in range(1, 60):
            table.commit([batch([f"more {number:02}"], "a", number)])
        table.sync()
        compact(table, everything=True)
        before = lines(table)
        files = FaultyFiles(at, Crash())
        with suppress(Crash):
            vacuum(_faulty(data, files), now_ns=START_NS * 2)
        again = LogTable.open(data, create=True)
        assert lines(again) == before
        assert again.last_number("a") == 59
        vacuum(again, now_ns=START_NS * 2)
        assert verify(again).faults == ()
        assert unnamed(again) == set()
        assert len(log.versions(again.root)) <= 2
        if not files.hit:
            return
    pytest.fail("the clean-up never ended")


def test_a_torn_checkpoint_is_set_aside(tmp_path: Path) -> None:
    table = _old_table(tmp_path)
    for number in range(1, 60):
        table.commit([batch([f"more {number}"], "a", number)])
    table.sync()
    vacuum(table, now_ns=0)
    ((version, (checkpoint,)),) = log.checkpoints(table.root).items()
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    again = LogTable.open(tmp_path, create=True)
    assert {path.name for path in again.set_aside} == {f"{checkpoint.name}.0", "_last_checkpoint.1"}
    assert version == again.snapshot().version
    assert len(lines(again)) == 61


def test_failures_say_what_where_and_what_to_do(tmp_path: Path) -> None:
    _old_table(tmp_path)
    cases = {
        errno.ENOSPC: (TransientError, r"logs: committing failed: .*No space left"),
        errno.EROFS: (
            TableError,
            r"logs: committing is not permitted: .*Read-only.*give this user write permission",
        ),
        errno.EACCES: (TableError, r"logs: committing is not permitted: .*Permission denied.*write permission"),
    }
    for number, (family, text) in cases.items():
        for what in ("write segment", "commit"):
            table = LogTable.open(tmp_path, create=True, files=_FailingRun(what, number))
            with pytest.raises(family, match=text):
                table.commit([batch(["x"], "z", 1)])
    assert lines(LogTable.open(tmp_path)) == ["old 1", "old 2"]


class _FailingRun(Files):
    def __init__(self, what: str, number: int) -> None:
        self.what = what
        self.number = number

    def run(self, what, action):
        if what == self.what:
            raise OSError(self.number, os.strerror(self.number))
        return action()


def test_a_failure_of_the_library_names_its_cause() -> None:
    error = DeltaError(
        "Generic LocalFileSystem error\n  \x1b[31m↳\x1b[0m Unable to copy\n \x1b[31m↳\x1b[0m No space left (os error 28)\n"
    )
    assert first_line(error) == "Generic LocalFileSystem error: Unable to copy: No space left (os error 28)"
    assert first_line(DeltaError("Kernel error: x\n   0: <unknown>\n")) == "Kernel error: x"
    denied = DeltaError("Generic error\n ↳ Permission denied (os error 13)")
    assert isinstance(meaning(denied, Path("/data"), "committing"), TableError)
    full = meaning(DeltaError("Generic error\n ↳ No space left on device (os error 28)"), Path("/data"), "committing")
    assert isinstance(full, TransientError)
    assert str(full) == "/data: committing failed: No space left on device; free some on the disk of this folder"
