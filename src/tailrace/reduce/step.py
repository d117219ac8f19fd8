"""The seam of a step: what the pipeline asks of each, and what their settings share.

A step is a function of (its state, a frame, the time): rows in, rows out, in order. Must: count each row that does not
come out under its id; give the same rows however they are split into frames. One that remembers something is `Held`,
too: it is bounded, and names what changed since the last mark as JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Protocol, runtime_checkable

import polars as pl
from pydantic import AfterValidator, Field

from tailrace.contracts import Reduced
from tailrace.reduce.rules import Rule, RuleError
from tailrace.settings import Mistake, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def _checked(text: str) -> str:
    try:
        Rule(text)
    except RuleError as error:
        raise Mistake(str(error), error.hint) from None
    return text


Condition = Annotated[str, AfterValidator(_checked)]
"""The text of a rule."""

Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
"""At least one name of a field, a label, or `line`, `level`, `time`."""


class Step(Protocol):
    """A function of rows."""

    @property
    def id(self) -> str:
        """Name under which dropped rows are counted."""
        ...

    @property
    def rules(self) -> Sequence[Rule]:
        """The conditions in it."""
        ...

    def apply(self, frame: pl.DataFrame, now_ns: int) -> Reduced:
        """Return the rows that go on, and what was dropped."""
        ...


@runtime_checkable
class Held(Protocol):
    """A step that remembers something between frames."""

    def flush(self, now_ns: int, *, final: bool) -> pl.DataFrame | None:
        """Return rows that are due by the time alone, None for none; with `final` everything held."""
        ...

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on from a state; called once, before anything else."""
        ...

    def mark(self) -> Mapping[str, object]:
        """Return the changes of state since the last mark: key to state, null to forget it."""
        ...

    @property
    def counters(self) -> Mapping[str, int]:
        """Return what happened that is no dropped row: late rows, keys beyond the bound."""
        ...


class StepSettings(Settings):
    """What all steps have."""

    id: Annotated[str, Field(min_length=1)] | None = None
    """Name of this step: dropped lines are counted under it, and its memory is kept under it. Without one it is the
    number and the kind of the step, `2-drop`; give a name to a step that remembers something."""


def dropped(step_id: str, frame: pl.DataFrame) -> tuple[tuple[str, int, int], ...]:
    """Return what a frame of dropped rows counts for."""
    if not len(frame):
        return ()
    lines, size = frame.select(pl.col("_in_lines", "_in_bytes").sum()).row(0)
    return ((step_id, lines, size),)


def divided(frame: pl.DataFrame, mask: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows where a mask holds, and the others."""
    if mask.all():
        return frame, frame.clear()
    if not mask.any():
        return frame.clear(), frame
    return frame.filter(mask), frame.filter(~mask)


def keep_only(step_id: str, frame: pl.DataFrame, mask: pl.Series) -> Reduced:
    """Return the rows where a mask holds; the others are dropped."""
    kept, gone = divided(frame, mask)
    return Reduced(kept, dropped(step_id, gone))
