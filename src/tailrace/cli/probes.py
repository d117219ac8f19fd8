"""What `tailrace doctor` looks at: each probe returns findings, none changes anything but one file of its own.

A finding is ok, warn or fail, says what was seen, and what to do unless it is ok. Fail means that Tailrace cannot do
its work here; warn that some of it will be missing. Probes take what they look at as arguments, so that tests can
give them another machine.
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from tailrace import limits
from tailrace.cli.output import size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tailrace.config.model import Config

State = Literal["ok", "warn", "fail"]

LOG_PATHS: Final = (
    "/var/log/syslog",
    "/var/log/messages",
    "/var/log/auth.log",
    "/var/log/containers",
    "/var/log/journal",
)
"""Where logs usually are; those that exist must be readable."""

FLOOR_PYTHON: Final = (3, 11)
_FREE_LOW: Final = 1 * limits.GIB
_FREE_NONE: Final = 64 * limits.MIB
_OPEN_FILES: Final = 2 * limits.OPEN_FILES
_INOTIFY_WATCHES: Final = 8_192
_YEAR_2020_S: Final = 1_577_836_800
_NETWORK_FILE_SYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "glusterfs"}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    state: State
    what: str
    do: str = ""


def python() -> Iterator[Finding]:
    """Look at the interpreter and the packages that do the work."""
    from tailrace.cli.version import parts

    versions = parts()
    good = sys.version_info >= FLOOR_PYTHON
    todo = "" if good else "install Python 3.11 or newer"
    yield Finding("python", "ok" if good else "fail", f"Python {versions['python']} on {versions['system']}", todo)
    for name in ("polars", "deltalake", "pydantic", "fastapi"):
        try:
            __import__(name)
        except Exception as error:  # noqa: BLE001 - a broken package may raise anything
            yield Finding("packages", "fail", f"{name} cannot be imported: {error}", "install Tailrace again")
            return
    named = ", ".join(f"{name} {versions[name]}" for name in ("polars", "deltalake", "narwhals", "pydantic", "fastapi"))
    yield Finding("packages", "ok", named)


def data_folder(data: Path) -> Iterator[Finding]:
    """Look whether the data folder can be written, and how much room it has."""
    place = data
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        yield Finding("data folder", "fail", f"{place} is not a folder", "choose another one with --data")
        return
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".tailrace-doctor-") as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        todo = "choose another folder with --data, or give this user the right to write it"
        yield Finding("data folder", "fail", f"{place} cannot be written: {error.strerror}", todo)
        return
    yield Finding("data folder", "ok", f"{data} can be written" if data.exists() else f"{data} can be made")
    yield from _room(place)
    yield from _file_system(place)


def _room(place: Path) -> Iterator[Finding]:
    usage = shutil.disk_usage(place)
    share = usage.used / usage.total if usage.total else 1.0
    what = f"{size(usage.free)} free of {size(usage.total)}"
    if usage.free < _FREE_NONE:
        yield Finding("free space", "fail", what, "make room, or choose another disk with --data")
    elif usage.free < _FREE_LOW:
        yield Finding("free space", "warn", what, "make room soon, or choose another disk with --data")
    elif share > limits.RETENTION_DISK_SHARE:
        todo = f"old lines go while the disk is more than {limits.RETENTION_DISK_SHARE:.0%} full; see store.retention"
        yield Finding("free space", "warn", what, todo)
    else:
        yield Finding("free space", "ok", what)


def _file_system(place: Path) -> Iterator[Finding]:
    try:
        kind = file_system(place, Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return
    if kind in _NETWORK_FILE_SYSTEMS:
        yield Finding(
            "file system", "warn", f"{kind}, over the network", "a local disk is faster, and safer at a crash"
        )
    else:
        yield Finding(
            "file system",
            "warn" if kind == "tmpfs" else "ok",
            kind,
            *(["it is gone at the next boot"] * (kind == "tmpfs")),
        )


def file_system(place: Path, mounts: str) -> str:
    """Return the type of the file system that holds a place, from the text of `/proc/self/mounts`."""
    best, kind = Path(), "unknown"
    where = place.resolve()
    for entry in mounts.splitlines():
        parts = entry.split(" ")
        if len(parts) < 3:  # noqa: PLR2004  device, mount point, type
            continue
        point = Path(parts[1].replace("\\040", " "))
        if where.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, parts[2]
    return kind


def table(data: Path) -> Iterator[Finding]:
    """Look whether the table opens, and what it holds."""
    from tailrace.config.folders import TABLE_LOG, holds_table
    from tailrace.errors import TailraceError
    from tailrace.store import log
    from tailrace.store.table import LogTable

    try:
        if not holds_table(data):
            yield Finding("table", "ok", "none yet; the first line makes it")
            return
        snapshot = LogTable.open(data).snapshot()
    except TailraceError as error:
        yield Finding("table", "fail", str(error), "tailrace table verify says more")
        return
    yield Finding("table", "ok", f"opens at version {snapshot.version}, {len(snapshot.columns)} columns")
    root = data / TABLE_LOG.parent
    try:
        log.read(root, log.versions(root)[-1])
    except log.TornCommitError as error:
        yield Finding("newest commit", "warn", str(error), "the next writer sets it aside and reads its lines again")
    except (IndexError, FileNotFoundError):  # the log was cut behind a checkpoint meanwhile
        return
    torn = list((root / log.TORN).glob("*")) if (root / log.TORN).is_dir() else []
    if torn:
        yield Finding(
            "torn commits", "warn", f"{len(torn)} set aside in {root / log.TORN}", "no line is lost; remove them"
        )


def remote_table(config: Config) -> Iterator[Finding]:
    """Look whether the table in object storage opens."""
    from tailrace.config.tables import open_logs
    from tailrace.errors import TailraceError

    try:
        snapshot = open_logs(config).snapshot()
    except TailraceError as error:
        yield Finding("table", "fail", str(error), "see docs/howto/object-storage.md")
        return
    yield Finding("table", "ok", f"{config.table} opens at version {snapshot.version}")


def logs(paths: tuple[str, ...] = LOG_PATHS, *, root: bool | None = None) -> Iterator[Finding]:
    """Look which of the usual logs can be read, and why not the others."""
    found = [Path(path) for path in paths if Path(path).exists()]
    if not found:
        yield Finding("logs", "warn", "none of the usual logs is here", "name files or folders: tailrace up PATH…")
        return
    refused = [path for path in found if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0))]
    readable = [path for path in found if path not in refused]
    if readable:
        yield Finding("logs", "ok", f"readable: {', '.join(map(str, readable))}")
    is_root = os.geteuid() == 0 if root is None else root
    for path in refused:
        todo = "another system forbids it (SELinux, AppArmor, a container)" if is_root else reading_group(path)
        yield Finding("logs", "warn", f"{path} cannot be read", todo)


def reading_group(path: Path) -> str:
    """Return what a user must do to read a path."""
    import grp

    try:
        group = grp.getgrgid(path.stat().st_gid).gr_name
    except (KeyError, OSError):
        group = "adm"
    if group == "root":
        return "run as root: sudo tailrace up"
    return f"join the group {group} (sudo usermod -aG {group} $USER, then log in again), or run as root"


def inotify(folder: Path = Path("/proc/sys/fs/inotify")) -> Iterator[Finding]:
    """Look at the kernel's limits on watching folders."""
    try:
        watches = int((folder / "max_user_watches").read_text())
        instances = int((folder / "max_user_instances").read_text())
    except (OSError, ValueError):
        todo = f"new files are found by a scan every {limits.RESCAN_S:.0f} s instead"
        yield Finding("inotify", "warn", "not available", todo)
        return
    what = f"{watches:,} watches, {instances:,} instances per user"
    if watches < _INOTIFY_WATCHES:
        todo = f"for more than {watches:,} folders: sudo sysctl fs.inotify.max_user_watches=524288"
        yield Finding("inotify", "warn", what, todo)
    else:
        yield Finding("inotify", "ok", what)


def open_files(
    allowed: Callable[[], tuple[int, int]] = lambda: resource.getrlimit(resource.RLIMIT_NOFILE),
) -> Iterator[Finding]:
    """Look at the process's limit of open files."""
    soft, hard = allowed()
    what = "no limit" if soft == resource.RLIM_INFINITY else f"{soft:,} open files"
    if soft != resource.RLIM_INFINITY and soft < _OPEN_FILES:
        most = "more" if hard == resource.RLIM_INFINITY else f"up to {hard:,}"
        yield Finding("open files", "warn", what, f"ulimit -n {_OPEN_FILES} before the start ({most} is allowed)")
    else:
        yield Finding("open files", "ok", what)


def port(listen: str) -> Iterator[Finding]:
    """Look whether the page's port is free."""
    from tailrace.config.model import listen_address

    host, number = listen_address(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            what = f"{listen} is not free: {error.strerror}"
            todo = f"is Tailrace running already? see http://{listen}/, or choose another one with --listen"
            if isinstance(error, PermissionError):
                what = f"{listen} cannot be listened on: {error.strerror}"
                todo = "ports below 1024 are root's, or need CAP_NET_BIND_SERVICE: choose another one with --listen"
            yield Finding("port", "warn", what, todo)
            return
    yield Finding("port", "ok", f"{listen} is free")


def clock(now_s: Callable[[], float] = time.time, newest_s: float = _YEAR_2020_S) -> Iterator[Finding]:
    """Look whether the clock can be right."""
    now = now_s()
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    if now < newest_s:
        yield Finding("clock", "fail", f"it is {text} by this clock", "set the clock: lines get their times by it")
    else:
        yield Finding("clock", "ok", text)


def storage() -> Iterator[Finding]:
    """Write and read a tiny Delta table and a tiny SQLite file in a temporary folder."""
    import sqlite3

    try:
        import polars as pl

        with tempfile.TemporaryDirectory(prefix="tailrace-doctor-") as folder:
            place = f"{folder}/delta"
            pl.DataFrame({"a": [1, 2]}).write_delta(place)
            read = pl.read_delta(place).height
            with sqlite3.connect(f"{folder}/sqlite") as control:
                control.execute("create table t (a)")
            control.close()
    except Exception as error:  # noqa: BLE001 - whatever is broken here is the finding
        yield Finding(
            "storage", "fail", f"{type(error).__name__}: {error}", "is the temporary folder full or read-only?"
        )
        return
    yield Finding("storage", "ok" if read == 2 else "fail", f"Delta and SQLite {sqlite3.sqlite_version} work")  # noqa: PLR2004
