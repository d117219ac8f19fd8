"""What became of a file that is no longer found where it was, and in which order its stream goes on.

Writers rename a log and begin a new one, copy it and cut it short, delete it, or turn a link
elsewhere. Each gives a *chain*: files that carry one stream, oldest first. Functions of what was seen only.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tailrace.sources.tail.compressed import is_packed, plain_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace.sources.tail.identity import FileId

_SUFFIX: Final = re.compile(r"[.\-_](\d\S*|old|bak|prev|save)")
_NUMBER_DIGITS: Final = 5  # a longer number is a date
_DATE_DIGITS: Final = 6
_NUMBERED: Final = re.compile(r"[.\-_]\d\S*")


def suffixed(live: str, other: str) -> bool:
    """Tell whether `other` has the name of `live` with a number or date behind it, as `app.log.1`.

    A date may stand before the extension, as in `app-2026-01-31.log`; a number may not: `worker-1.log` is another log.

    Folders are not compared: rotation may move files to another one. What a compressor put behind the name is no part
    of it.
    """
    base, packed = os.path.basename(live), os.path.basename(other)
    name = plain_name(packed)
    if name == base:
        return name != packed
    behind = name.startswith(base) and _SUFFIX.fullmatch(name[len(base) :]) is not None
    return behind or sum(character.isdigit() for character in _inside(base, name)) >= _DATE_DIGITS


def _inside(base: str, name: str) -> str:
    """Return what stands before the extension in `name`, but not in `base`, if it begins with a number."""
    stem, extension = os.path.splitext(base)
    inner = name[len(stem) : len(name) - len(extension)]
    fits = bool(extension) and name.startswith(stem) and name.endswith(extension)
    return inner if fits and _NUMBERED.fullmatch(inner) else ""


def related(live: str, other: str) -> bool:
    """Tell whether rotation of `live` may have made `other`, as `app.log.1`, `app-20260101.log`, `old/app.log`."""
    base, name = os.path.basename(live), os.path.basename(plain_name(other))
    if name == base:
        return plain_name(other) != other or os.path.dirname(live) != os.path.dirname(other)
    return suffixed(live, other) or bool(_inside(base, name))


def live_names(path: str) -> list[str]:
    """Return the paths in the same folder whose rotation may have made `path`, longest first."""
    folder, slash, name = path.rpartition("/")
    return [f"{folder}{slash}{base}" for base in _bases(name)]


def names_above(path: str) -> list[str]:
    """Return the paths in the folder above whose rotation may have made `path`, as `app.log` made `old/app.log.1`."""
    folder, slash, name = path.rpartition("/")
    above = folder.rpartition("/")[0]
    return [f"{above}{slash}{base}" for base in _bases(name)]


def rotated_from(path: str) -> list[str]:
    """Return the paths in the same folder that `path` has the name of with a number or date behind it."""
    folder, slash, name = path.rpartition("/")
    return [f"{folder}{slash}{base}" for base in _origins(name)]


@lru_cache(maxsize=131_072)  # asked for every name of a folder whenever one comes or goes
def _origins(name: str) -> tuple[str, ...]:
    return tuple(base for base in _bases(name) if suffixed(base, name))


@lru_cache(maxsize=8192)  # asked several times in a row for each new file
def _bases(name: str) -> tuple[str, ...]:
    packed, name = name, plain_name(name)
    extension = os.path.splitext(name)[1]
    cuts = [at for at, character in enumerate(name) if at and character in ".-_"]
    bases = [base for at in reversed(cuts) for base in (name[:at], name[:at] + extension)]
    bases += [name] if name != packed else []
    return tuple(base for base in dict.fromkeys(bases) if related(base, packed))


def temporary(path: str) -> str:
    """Return why a file is not read before it gets its final name, as `app.log.1.tmp`, or an empty text."""
    name, end = os.path.splitext(path)
    unfinished = end == ".tmp" and (is_packed(name) or live_names(name))
    return "made by a rotation that is under way; it is read under its final name" if unfinished else ""


@dataclass(frozen=True, slots=True)
class Sibling:
    """A file of a stream, by its present name."""

    path: str
    id: FileId
    mtime_ns: int = 0
    copied: bool = False  # it is a copy of what the live file was before it was cut short


def in_order(stream: str, siblings: Iterable[Sibling]) -> list[Sibling]:
    """Return files of a stream, oldest first, as their names tell; `docs/adr/0007` has the reasons.

    Of numbers the greatest is oldest, if they do not count up; dates go on; a compressed file has the place of the
    plain one. The log itself is the youngest. Births tell only how numbers count: a copy is younger than what the
    log got after it, and a compressed file is born when it is compressed.
    """
    found = list(siblings)
    up = _counts_up(stream, found)
    return sorted(found, key=lambda sibling: (sibling.path == stream, seniority(stream, sibling.path, up=up)))


def _counts_up(stream: str, siblings: list[Sibling]) -> bool:
    """Tell whether the numbers of rotated files grow: the greatest was born and written to after the smallest."""
    numbered = [sibling for sibling in siblings if _number(stream, sibling.path)]
    packed = [sibling for sibling in numbered if is_packed(sibling.path)]
    plain = [sibling for sibling in numbered if sibling not in packed]
    among = sorted(plain if len(plain) > 1 else packed, key=lambda sibling: _number(stream, sibling.path))
    if len(among) < 2:  # noqa: PLR2004  one file has no order
        return False
    first, last = among[0], among[-1]
    return first.id.born_ns < last.id.born_ns and 0 < first.mtime_ns < last.mtime_ns


def seniority(stream: str, path: str, *, up: bool = False) -> tuple[int, str]:
    """Return the place of a rotated file among others, as its name tells: smaller is older; `up`: numbers grow."""
    number = _number(stream, path)
    if number:
        return (number if up else -number), ""
    return 0, _suffix(stream, path)


def _number(stream: str, path: str) -> int:
    suffix = _suffix(stream, path)
    return int(suffix) if suffix.isdigit() and len(suffix) <= _NUMBER_DIGITS else 0


def _suffix(stream: str, path: str) -> str:
    base, name = os.path.basename(stream), os.path.basename(plain_name(path))
    return name[len(base) :].lstrip(".-_") if name.startswith(base) else name


def missed(
    stream: str, last_born_ns: int, successor: FileId, siblings: Iterable[Sibling], *, last: str = ""
) -> list[Sibling]:
    """Return the files of a stream that came and were rotated away unseen, oldest first.

    They have a rotated name and were not born before the file of the stream that was known last, nor after its
    `successor` of today, except copies that were made of it. Without births nothing can be told. A compressed one may
    be born later; but it is not one if its name says that it is older than the `last` known one, which has a rotated
    name itself.
    """
    if not last_born_ns:
        return []

    def between(sibling: Sibling) -> bool:
        if not is_packed(sibling.path):
            return last_born_ns <= sibling.id.born_ns and (sibling.copied or sibling.id.born_ns <= successor.born_ns)
        newer = not (last and suffixed(stream, last)) or seniority(stream, sibling.path) > seniority(stream, last)
        return newer and last_born_ns <= sibling.id.born_ns

    return in_order(stream, [s for s in siblings if suffixed(stream, s.path) and between(s)])


def copied_from(*, same_numbers: bool, born_ns: int, mtime_ns: int, unlinked_ns: int | None) -> bool:
    """Tell whether a new file can carry on a known one that is gone.

    A copy is made while the original is there. So it was born before the original was unlinked
    (`unlinked_ns`, None if unknown), or its content is older than itself, as `mv` between file systems leaves it,
    or only the device's number changed. A file that was simply made anew with the same first lines is none
    of these, and is read from 0.
    """
    return same_numbers or (unlinked_ns is not None and 0 < born_ns < unlinked_ns) or 0 < mtime_ns < born_ns
