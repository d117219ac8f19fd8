"""What failures of the disk and of the Delta library mean, in the words of `errors`.

The library raises `OSError` for some failures of the file system and its own errors with the
system's text for others, so both are looked at.
"""

from __future__ import annotations

import errno
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from deltalake.exceptions import CommitFailedError, DeltaError, DeltaProtocolError, TableNotFoundError
from polars.exceptions import ComputeError

from tailrace.errors import TableError, TailraceError, TransientError
from tailrace.store import bucket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CAUSE: Final = "\u21b3"  # the arrow before each cause in the library's texts
_FULL: Final = "No space left"
_COLOUR: Final = re.compile(r"\x1b\[\d+m")
_DENIED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_DENIED_TEXT: Final = ("Permission denied", "Operation not permitted", "Read-only file system")
_MISPLACED: Final = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)
_NEWER_TEXT: Final = ("reader version", "writer version", "reader feature", "writer feature", "Unsupported")
_PASSING_TEXT: Final = ("os error", "File not found", "Input/output error")


@contextmanager
def translated(root: Path | str, doing: str) -> Iterator[None]:
    """Turn failures of the disk and of the library into `TableError` and `TransientError`."""
    try:
        yield
    except TailraceError:
        raise
    except TableNotFoundError as error:
        message = f"{root}: there is no table here; `tailrace up` or `tailrace collect` creates one"
        raise TableError(message) from error
    except DeltaProtocolError as error:
        raise TableError(f"{root}: the table needs a newer program than this one: {first_line(error)}") from error
    except (OSError, DeltaError, ComputeError) as error:
        raise meaning(error, root, doing) from error


def meaning(error: Exception, root: Path | str, doing: str) -> TailraceError:
    """Return the error to raise for a failure while working on the table."""
    text = first_line(error)
    if (found := bucket.failure(str(root), doing, error, text)) is not None:
        return found
    if _FULL in text:  # the libraries wrap it in words that mislead
        return TransientError(f"{root}: {doing} failed: {_FULL} on device; free some on the disk of this folder")
    if getattr(error, "errno", None) in _DENIED or any(denied in text for denied in _DENIED_TEXT):
        return TableError(f"{root}: {doing} is not permitted: {text}; give this user write permission to the folder")
    if any(newer in text for newer in _NEWER_TEXT):
        return TableError(f"{root}: the table needs a newer program than this one: {text}")
    passing = isinstance(error, (OSError, CommitFailedError)) or any(passing in text for passing in _PASSING_TEXT)
    if passing and getattr(error, "errno", None) not in _MISPLACED:
        return TransientError(f"{root}: {doing} failed: {text}")
    return TableError(f"{root}: {doing} failed: {text}")


def first_line(error: BaseException) -> str:
    """Return an error's text with its causes, without colours and the library's stack of frames."""
    lines = [line.strip() for line in _COLOUR.sub("", str(error)).splitlines()] or [type(error).__name__]
    return ": ".join([lines[0], *(line.removeprefix(_CAUSE).strip() for line in lines[1:] if line.startswith(_CAUSE))])
