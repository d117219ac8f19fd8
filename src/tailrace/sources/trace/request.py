"""What somebody wants to trace: events, and maybe of which processes, under which program id, which paths.

Comes in: words as `[[program_id:]pid[,pid…]:]event`. Goes out: `Wanted` events, one for each event that a word means. A
pid of 0 means all. A file name of the form `…/handle_syscall_open.bpf` means the event `open`.

>>> parse(["3:12,13:open"])
(Wanted(event='open', program_id=3, pids=(12, 13), texts=(), places=()),)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.errors import ConfigError, Problem
from tailrace.sources.trace.battery import events_named

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST: Final = 64
"""Wanted events of one trace: sets of them are numbers of 64 bits."""

_HANDLER_FILE: Final = re.compile(r"(?:.*/)?handle_(?:syscall_)?(\w+)\.bpf")
_PARTS: Final = 3
_PID_MOST: Final = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """One event that is traced."""

    event: str
    program_id: int = 0
    pids: tuple[int, ...] = ()  # none: of all processes
    texts: tuple[str, ...] = ()  # beginnings of its first text; one that ends in NUL is the whole text; none: all
    places: tuple[str, ...] = ()  # folders or files that it must be in; none: anywhere


def parse(words: Iterable[str], *, places: Iterable[str] = ()) -> tuple[Wanted, ...]:
    """Return what words want; raises `ConfigError` that tells all mistakes."""
    problems: list[Problem] = []
    wanted: list[Wanted] = []
    for word in words:
        try:
            wanted += _word(word, tuple(places))
        except ConfigError as error:
            problems += error.problems
    if len(wanted) > MOST:
        problems.append(Problem("EVENT", f"these are {len(wanted)} events, {MOST} can be traced at once", "name fewer"))
    if problems:
        raise ConfigError(problems)
    return tuple(dict.fromkeys(wanted))


def _word(word: str, places: tuple[str, ...]) -> list[Wanted]:
    *before, name = word.split(":")
    if len(before) >= _PARTS:
        raise ConfigError([Problem(repr(word), "there are too many colons", "write program_id:pid,pid:event")])
    found = _HANDLER_FILE.fullmatch(name)
    events = events_named([found[1] if found else name])
    pids = _numbers(word, before[-1]) if before else ()
    program = _numbers(word, before[0])[0] if len(before) == _PARTS - 1 else 0
    if 0 in pids:
        pids = ()
    return [Wanted(event, program, pids, (), places) for event in events]


def _numbers(word: str, text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isascii() and part.isdecimal() and int(part) <= _PID_MOST for part in parts):
        hint = "write program_id:pid,pid:event; pid 0 means all"
        raise ConfigError([Problem(repr(word), f"{text!r} is no number, and no list of numbers", hint)])
    return tuple(dict.fromkeys(map(int, parts)))
