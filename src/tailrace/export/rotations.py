"""Counts the rotations and truncations of the followed file, from the positions that its source names.

A wrapper of a `contracts.Source`: what it counts is a mark of that source, so it is as exact as the position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.contracts import Block, Followed, Source

_OWN: Final = "@rotations"  # key of the counts among the source's marks


class Rotations:
    """A source that also tells how often its files were replaced or cut short; implements `contracts.Source`."""

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self._source = source
        self._generations: dict[object, int] = {}  # by device and inode, which key it
        self._files: dict[str, object] = {}
        self.rotations = 0
        self.truncations = 0

    def restore(self, state: Mapping[str, object]) -> None:
        """Start from a position."""
        own = state.get(_OWN)
        if isinstance(own, dict):
            self.rotations, self.truncations = int(own["rotations"]), int(own["truncations"])
        rest = {key: value for key, value in state.items() if key != _OWN}
        for key, value in rest.items():
            self._see(key, value)
        self._source.restore(rest)

    def mark(self) -> Mapping[str, object]:
        """Return the changes of position since the last mark, with the counts when they changed."""
        marks = dict(self._source.mark())
        before = self.rotations, self.truncations
        for key, value in sorted(marks.items(), key=lambda item: item[1] is None):  # what is new before what is gone
            known = bool(self._generations)
            news = self._see(key, value)
            self.rotations += known and news == "file"
            self.truncations += news == "generation"
        if (self.rotations, self.truncations) != before:
            marks[_OWN] = {"rotations": self.rotations, "truncations": self.truncations}
        return marks

    def _see(self, key: str, value: object) -> str:
        """Take notice of a position; tells whether it is of a new file or of a new generation of one."""
        if value is None:
            gone = self._files.pop(key, None)
            if gone not in self._files.values():
                self._generations.pop(gone, None)
            return ""
        if not isinstance(value, dict) or "ino" not in value:
            return ""
        file, generation = (value.get("dev"), value["ino"], value.get("born")), int(value.get("generation", 0))
        self._files[key] = file
        before = self._generations.get(file)
        self._generations[file] = generation if before is None else max(before, generation)
        if before is None:
            return "file"
        return "generation" if generation > before else ""

    def read(self, budget_bytes: int, timeout_s: float) -> Sequence[Block]:
        """Return the next blocks."""
        return self._source.read(budget_bytes, timeout_s)

    @property
    def done(self) -> bool:
        """Whether the source is at its end."""
        return self._source.done

    def backlog_bytes(self) -> int:
        """Return the bytes known to wait."""
        return self._source.backlog_bytes()

    def status(self) -> Sequence[Followed]:
        """Return what is followed."""
        return self._source.status()

    @property
    def counters(self) -> Mapping[str, int]:
        """Return the source's counters with the two of this one."""
        return {**self._source.counters, "rotations": self.rotations, "truncations": self.truncations}

    def close(self) -> None:
        """Release what the source holds."""
        self._source.close()
