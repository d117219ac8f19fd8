"""What stages share that take labels of known names out of the line: they run only if one of these is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.query.needs import Needs
    from tailrace.query.pushdown import Scan


class Named(ABC):
    """A stage whose labels are known before it runs, and that never fails on a line."""

    __slots__ = ()

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """The names of its labels, in order."""

    def wanted(self, after: Needs) -> list[str]:
        """Return the labels that are read afterwards."""
        return [name for name in self.names if after.wants(name)]

    def needs(self, after: Needs) -> Needs:
        """Read the line if a label of it is read afterwards."""
        return after.plus(line=True, parses=True) if self.wanted(after) else after

    def push(self, scan: Scan, after: Needs) -> bool:
        """Leave it to the rows, unless none of its labels is read."""
        idle = not self.wanted(after)
        scan.labels_changed |= not idle
        return idle
