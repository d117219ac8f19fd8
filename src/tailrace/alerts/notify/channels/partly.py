"""Remember which of several targets have a notification, when others have not: so a repetition tells only the others.

In memory only. After a restart all are told again: at least once on the wire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_KEYS: Final = 1_000  # notifications under way at once; the oldest is forgotten first


class Partly:
    """Of one channel."""

    def __init__(self) -> None:
        self._told: dict[str, set[str]] = {}

    def left(self, key: str, targets: Sequence[str]) -> list[str]:
        """Return the targets that a notification still has to reach."""
        told = self._told.get(key, ())
        return [target for target in dict.fromkeys(targets) if target not in told]

    def reached(self, key: str, targets: Iterable[str]) -> None:
        """Note who has a notification."""
        self._told.setdefault(key, set()).update(targets)
        if len(self._told) > _KEYS:
            del self._told[next(iter(self._told))]

    def done(self, key: str) -> None:
        """Forget a notification that needs no repetition."""
        self._told.pop(key, None)
