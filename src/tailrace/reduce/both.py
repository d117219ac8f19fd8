"""Two reductions as one: the second gets what the first lets through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.batch import stack
from tailrace.contracts import Reduced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl

    from tailrace.contracts import Reduction


class Both:
    """Implements `contracts.Reduction` over two whose marks have different names."""

    def __init__(self, first: Reduction, second: Reduction) -> None:
        self._first = first
        self._second = second

    def restore(self, state: Mapping[str, object]) -> None:
        """Give both the whole state; each knows its own."""
        self._first.restore(state)
        self._second.restore(state)

    def reduce(self, frame: pl.DataFrame, now_ns: int) -> Reduced:
        """Return the rows that both let through."""
        return self._through(self._first.reduce(frame, now_ns), now_ns)

    def flush(self, now_ns: int, *, final: bool) -> Reduced:
        """Return what is due in either; rows of the first go through the second."""
        due = self._through(self._first.flush(now_ns, final=final), now_ns)
        last = self._second.flush(now_ns, final=final)
        frames = [frame for frame in (due.frame, last.frame) if frame.height]
        return Reduced(stack(frames) if frames else last.frame, [*due.dropped, *last.dropped])

    def stop(self) -> None:
        """Let both do what should not wait."""
        self._first.stop()
        self._second.stop()

    def mark(self) -> Mapping[str, object]:
        """Return the changes of both."""
        return {**self._first.mark(), **self._second.mark()}

    def edition(self) -> Callable[[], None]:
        """Return what publishes both."""
        first, second = self._first.edition(), self._second.edition()

        def publish() -> None:
            first()
            second()

        return publish

    def _through(self, reduced: Reduced, now_ns: int) -> Reduced:
        if not reduced.frame.height:
            return reduced
        then = self._second.reduce(reduced.frame, now_ns)
        return Reduced(then.frame, [*reduced.dropped, *then.dropped])
