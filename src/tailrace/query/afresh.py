"""Ask again when something went away under a question: a segment that compaction or retention removed, or a cluster.

In: a question that takes a snapshot of its own each time it is asked. Out: its answer. Raises `TransientError` when
segments vanish each time, and what else the question raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from tailrace.errors import EngineAwayError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

ATTEMPTS: Final = 3
"""How often a question is asked."""


def afresh(ask: Callable[[], T]) -> T:
    """Return the answer to a question, asked again as long as that can help."""
    missing = ""
    for _ in range(ATTEMPTS):
        try:
            return ask()
        except FileNotFoundError as error:
            missing = str(error)
        except EngineAwayError as error:
            if not error.another:
                raise
            missing = str(error)
    raise TransientError(f"segments of the table vanish faster than they can be read; try again ({missing})")
