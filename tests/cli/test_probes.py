"""What doctor sees on machines that are not this one."""

from __future__ import annotations

import os
import resource
import shutil
import socket
from typing import TYPE_CHECKING

import pytest

from tailrace.cli import probes
from tailrace.cli.probes import Finding
from tailrace.config.folders import TABLE_LOG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GIB = 1024**3

needs_a_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")


def states(findings: Iterator[Finding]) -> dict[str, str]:
    return {finding.name: finding.state for finding in findings}


def only(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


def usage(monkeypatch: pytest.MonkeyPatch, total: int, free: int) -> None:
    def told(_: object) -> object:
        return shutil._ntuple_diskusage(total, total - free, free)  # type: ignore[attr-defined]

    monkeypatch.setattr(shutil, "disk_usage", told)


def test_everything_that_is_needed_is_here() -> None:
    assert states(probes.python()) == {"python": "ok", "packages": "ok"}
    assert states(probes.storage()) == {"storage": "ok"}


def test_a_data_folder_that_is_there_and_one_that_can_be_made(tmp_path: Path) -> None:
    assert next(iter(probes.data_folder(tmp_path))).what == f"{tmp_path} can be written"
    below = tmp_path / "a" / "b"
    assert next(iter(probes.data_folder(below))).what == f"{below} can be made"
    assert list(tmp_path.iterdir()) == []  # nothing stays behind


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    finding = only(probes.data_folder(tmp_path / "file" / "data"))
    assert (finding.state, finding.what) == ("fail", f"{tmp_path / 'file'} is not a folder")


@needs_a_user
def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    finding = only(probes.data_folder(tmp_path))
    assert (finding.state, finding.what) == ("fail", f"{tmp_path} cannot be written: Permission denied")


@pytest.mark.parametrize(
    ("total", "free", "state"),
    [
        (100 * GIB, 50 * GIB, "ok"),
        (100 * GIB, 10 * GIB, "warn"),  # retention starts at 80 %
        (2 * GIB, GIB // 2, "warn"),
        (100 * GIB, GIB // 100, "fail"),
    ],
)
def test_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, total: int, free: int, state: str) -> None:
    usage(monkeypatch, total, free)
    assert states(probes.data_folder(tmp_path))["free space"] == state


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
tmpfs /run tmpfs rw 0 0
server:/x /mnt nfs4 rw 0 0
/dev/sdb1 /mnt/with\\040space xfs rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/srv/data", "ext4"),
        ("/run/tailrace", "tmpfs"),
        ("/mnt", "nfs4"),
        ("/mnt/with space/data", "xfs"),
        ("/mntx", "ext4"),
    ],
)
def test_the_file_system_of_a_place(tmp_path: Path, place: str, kind: str) -> None:
    assert probes.file_system(type(tmp_path)(place), MOUNTS) == kind


def test_no_table_yet(tmp_path: Path) -> None:
    assert only(probes.table(tmp_path)).state == "ok"


def test_a_table_that_opens(table: Path) -> None:
    finding = only(probes.table(table))
    assert finding.state == "ok"
    assert finding.what.startswith("opens at version ")


def test_a_table_that_does_not_open(tmp_path: Path) -> None:
    (tmp_path / TABLE_LOG).mkdir(parents=True)
    (tmp_path / TABLE_LOG / f"{0:020d}.json").write_text("garbage")
    assert next(iter(probes.table(tmp_path))).state == "fail"


def test_a_torn_newest_commit(table: Path, tmp_path: Path) -> None:
    data = tmp_path / "copy"
    shutil.copytree(table, data)
    newest = max((data / TABLE_LOG).glob("*.json"))
    (data / TABLE_LOG / f"{int(newest.stem) + 1:020d}.json").write_text('{"commitInfo":')
    found = {finding.name: finding for finding in probes.table(data)}
    assert found["table"].state == "ok"
    assert found["newest commit"].state == "warn"
    assert "sets it aside" in found["newest commit"].do


def test_no_logs_at_all(tmp_path: Path) -> None:
    assert only(probes.logs((str(tmp_path / "syslog"),))).what == "none of the usual logs is here"


def test_readable_logs(tmp_path: Path) -> None:
    (tmp_path / "syslog").touch()
    finding = only(probes.logs((str(tmp_path / "syslog"), str(tmp_path / "none"))))
    assert (finding.state, finding.what) == ("ok", f"readable: {tmp_path / 'syslog'}")


def test_a_log_that_cannot_be_read_says_which_group_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "auth.log"
    log.touch()
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(probes, "reading_group", lambda _: "join the group adm")
    assert only(probes.logs((str(log),), root=False)) == Finding(
        "logs", "warn", f"{log} cannot be read", "join the group adm"
    )
    assert "SELinux" in only(probes.logs((str(log),), root=True)).do


def test_what_a_group_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import grp

    for name, said in (("adm", "sudo usermod -aG adm $USER"), ("root", "sudo tailrace up")):
        entry = grp.struct_group((name, "x", 4, []))
        monkeypatch.setattr(grp, "getgrgid", lambda _, entry=entry: entry)
        assert said in probes.reading_group(tmp_path)


@pytest.mark.parametrize(("watches", "state"), [("524288", "ok"), ("8191", "warn"), ("text", "warn"), (None, "warn")])
def test_inotify(tmp_path: Path, watches: str | None, state: str) -> None:
    if watches is not None:
        (tmp_path / "max_user_watches").write_text(f"{watches}\n")
        (tmp_path / "max_user_instances").write_text("128\n")
    assert only(probes.inotify(tmp_path)).state == state


@pytest.mark.parametrize(
    ("soft", "hard", "state"),
    [(1024, 4096, "ok"), (256, 4096, "warn"), (resource.RLIM_INFINITY, resource.RLIM_INFINITY, "ok")],
)
def test_open_files(soft: int, hard: int, state: str) -> None:
    finding = only(probes.open_files(lambda: (soft, hard)))
    assert finding.state == state
    assert ("up to 4,096" in finding.do) is (state == "warn")


def test_the_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        finding = only(probes.port(address))
        assert (finding.state, finding.what) == ("warn", f"{address} is not free: Address already in use")
    assert only(probes.port(address)).state == "ok"


def test_the_clock() -> None:
    assert only(probes.clock(lambda: 1_767_312_000.0)) == Finding("clock", "ok", "2026-01-02T00:00:00Z")
    assert only(probes.clock(lambda: 12.0)).state == "fail"
