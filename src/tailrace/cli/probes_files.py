"""What `tailrace doctor` looks at of file events: which ways to learn of changes work here, for this user.

Each is tried, in a folder of its own that is removed again; nothing is concluded from versions.
"""

from __future__ import annotations

import errno
import os
import tempfile
from typing import TYPE_CHECKING, Final

from tailrace.cli.probes import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RIGHTS: Final = "run it as root, or give it CAP_SYS_ADMIN; without it folders are watched one by one (inotify)"
_GROUPS: Final = "raise fs.fanotify.max_user_groups, or end other programs that watch"
_NO_MARK: Final = "folders there are watched one by one (inotify), or polled"


def file_events(places: tuple[str, ...] = ("/", "/home", "/var", "/tmp", "/srv")) -> Iterator[Finding]:  # noqa: S108
    """Look whether whole file systems can be watched, and which of the usual places are on one that cannot."""
    from tailrace.syscalls import fanotify

    try:
        group = fanotify.Group()
    except OSError as error:
        todo = _GROUPS if error.errno == errno.EMFILE else _RIGHTS
        yield Finding("file events", "warn", f"fanotify does not work: {_named(error)}", todo)
        return
    try:
        yield from _marks(group, places)
    finally:
        group.close()
    yield _tried("file handles", _handles, "run it as root, or give it CAP_DAC_READ_SEARCH")


def _marks(group: object, places: tuple[str, ...]) -> Iterator[Finding]:
    """Mark the file systems of the usual places, each once."""
    from tailrace.syscalls.fanotify import Group

    assert isinstance(group, Group)
    good, bad, seen = [], [], set()
    for place in places:
        try:
            device = os.stat(place).st_dev  # noqa: PTH116
            if device in seen:
                continue
            seen.add(device)
            group.mark(os.fsencode(place))
            good.append(place)
        except FileNotFoundError:
            continue
        except OSError as error:
            bad.append(f"{place}: {_named(error)}")
    if good:
        yield Finding("file events", "ok", f"fanotify watches the whole file systems of {', '.join(good)}")
    if bad:
        yield Finding("file events", "warn", f"fanotify cannot mark {'; '.join(bad)}", _NO_MARK)


def _handles() -> str:
    """Make a folder, find it again by its handle, and say that this works."""
    from tailrace.syscalls.fanotify import handle_of, open_handle

    with tempfile.TemporaryDirectory(prefix="tailrace-doctor-") as folder:
        handle, _ = handle_of(os.fsencode(folder))
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.close(open_handle(place, handle))
        finally:
            os.close(place)
    return "folders are found by their handles"


def _tried(name: str, attempt: Callable[[], str], todo: str) -> Finding:
    try:
        return Finding(name, "ok", attempt())
    except OSError as error:
        return Finding(name, "warn", _named(error), todo)


def _named(error: OSError) -> str:
    """Return what an error says, with its name: `Operation not permitted (EPERM)`."""
    name = "EOPNOTSUPP" if error.errno == errno.EOPNOTSUPP else errno.errorcode.get(error.errno or 0, error.errno)
    return f"{error.strerror} ({name})"
