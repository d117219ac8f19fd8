"""The Markdown pages of the project, and what stands in their fences."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("changelog.d/*.md"), *ROOT.glob("bench/**/*.md"), *ROOT.glob("docs/**/*.md")]
)

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<tick>`{3,})(?P<kind>\w*)[^\n]*\n(?P<body>.*?)^(?P=indent)(?P=tick) *$",
    re.MULTILINE | re.DOTALL,
)
_NOTE = re.compile(r"<!-- test: (?P<note>[^>]*?) -->\s*\Z")


@dataclass(frozen=True)
class Fence:
    """One fenced block: its kind, its text, and the note to the test in the comment before it."""

    page: Path
    line: int
    kind: str
    body: str
    note: str

    def __str__(self) -> str:
        return f"{name(self.page)}:{self.line}"


@dataclass(frozen=True)
class Step:
    """A command as a page shows it, and the lines that it shows below."""

    command: str
    shown: tuple[str, ...]


def name(page: Path) -> str:
    """Return the page's path in the project."""
    return page.relative_to(ROOT).as_posix()


def fences(page: Path) -> Iterator[Fence]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text("utf-8")
    for found in _FENCE.finditer(text):
        before = _NOTE.search(text, 0, found.start())
        line = text.count("\n", 0, found.start()) + 1
        yield Fence(page, line, found["kind"], found["body"], before["note"] if before else "")


def prose(page: Path) -> str:
    """Return the page without its fenced blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def steps(fence: Fence) -> list[Step]:
    """Return the commands of a console block, each with what it shows."""
    found: list[tuple[str, list[str]]] = []
    for line in fence.body.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return [Step(command, tuple(shown)) for command, shown in found]


def words(command: str) -> list[str]:
    """Return the words of a shell command; none if it cannot be split."""
    try:
        return shlex.split(command, comments=True)
    except ValueError:
        return []
