r"""Names as programs write them, put together to paths.

A walk from a file to the root gives its names from the inside out, with a NUL behind each.

>>> path_of(b"a.txt\0tmp\0"), path_of(b""), join("/srv", "../x")
('/tmp/a.txt', '', '/x')
"""

from __future__ import annotations

import posixpath

from tailrace.ebpf.proc_files import text


def path_of(names: bytes) -> str:
    r"""Return the path of a walk, empty if it passed no name; bytes that are no UTF-8 are written as `\xff`."""
    return "/" + "/".join(text(name) for name in reversed(names.rstrip(b"\0").split(b"\0"))) if names else ""


def join(base: str, given: str) -> str:
    """Return the path that a name means in a folder, without `.` and `..`; links in it are not followed."""
    return posixpath.normpath(posixpath.join(base or "/", given))
