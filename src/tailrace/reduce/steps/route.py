"""Send rows to where they belong: on to the store, to channels by name, or nowhere.

The routes are tried in their order: a row takes the first whose rule holds, or with `match: all` every one. A row
goes on to the next step if `store` is among its targets; else it ends here and is counted under `<id>/<targets>`, those
of the first route that took it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import polars as pl
from pydantic import BeforeValidator, Field

from tailrace.batch import stream_text
from tailrace.contracts import Reduced
from tailrace.reduce.rules import Rule
from tailrace.reduce.step import Condition, StepSettings, divided, dropped
from tailrace.reduce.windows import AT, woven
from tailrace.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

STORE: Final = "store"
DROP: Final = "drop"


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Targets = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_listed), Field(min_length=1, max_length=16)
]
"""Where rows go: `store`, `drop`, or names of channels; one, or a list."""


class RouteBranch(Settings):
    """One way that a row may take."""

    where: Condition
    """Rule that a row must fulfil."""

    to: Targets
    """`store` to go on, `drop`, or the name of a channel; several as a list."""


class RouteSettings(StepSettings):
    """Send rows to the store, to channels, or nowhere."""

    type: Literal["route"] = "route"
    """The kind of step."""

    match: Literal["first", "all"] = "first"
    """`first`: a row takes the first route whose rule holds. `all`: it takes every one."""

    routes: Annotated[tuple[RouteBranch, ...], Field(min_length=1)]
    """The ways, in order."""

    unmatched: Targets = (STORE,)
    """Where the rows go that no route takes."""

    def step(self, step_id: str) -> Route:
        """Return the step."""
        return Route(step_id, self)


class Route:
    """See the module."""

    def __init__(self, step_id: str, settings: RouteSettings) -> None:
        self.id = step_id
        self.rules = tuple(Rule(route.where) for route in settings.routes)
        self._all = settings.match == "all"
        self._targets = (*(route.to for route in settings.routes), settings.unmatched)
        self._sent: list[tuple[str, pl.DataFrame]] = []
        self.stores: frozenset[str] = frozenset()
        """Names of channels that are the table again: what is sent there goes on, in a stream of that name."""

    def apply(self, frame: pl.DataFrame, now_ns: int) -> Reduced:  # noqa: ARG002  of the seam
        """Return the rows that have `store` among their targets, and keep what channels get for `sent`."""
        takes = self._takes(frame)
        frame = frame.with_row_index(AT)
        copies: list[pl.DataFrame] = []
        for target in dict.fromkeys(name for targets in self._targets for name in targets):
            if target in {STORE, DROP}:
                continue
            rows = frame.filter(self._any(takes, target))
            if target in self.stores:
                stream = pl.lit(stream_text({"source": target}))
                none = pl.lit(0, pl.Int64)
                copies.append(rows.with_columns(_stream=stream, _in_lines=none, _in_bytes=none))
            elif len(rows):
                self._sent.append((target, rows.drop(AT, "_in_lines", "_in_bytes")))
        stays = self._any(takes, STORE)
        kept, gone = divided(frame, stays)
        counted: list[tuple[str, int, int]] = []
        left = ~stays
        for targets, mask in zip(self._targets, takes, strict=True):
            here = mask & left
            if here.any() and len(gone):
                counted += dropped(f"{self.id}/{'+'.join(targets)}", frame.filter(here))
                left &= ~here
        return Reduced(woven(kept, copies), tuple(counted))

    def sent(self) -> Sequence[tuple[str, pl.DataFrame]]:
        """Return channel and rows since the last call."""
        sent, self._sent = self._sent, []
        return sent

    def _takes(self, frame: pl.DataFrame) -> list[pl.Series]:
        """Return for each route, and the unmatched, which rows take it."""
        free = pl.repeat(value=True, n=len(frame), dtype=pl.Boolean, eager=True)
        takes: list[pl.Series] = []
        for rule in self.rules:
            mask = rule.mask(frame)
            takes.append(mask if self._all else mask & free)
            free &= ~mask
        return [*takes, free]

    def _any(self, takes: Sequence[pl.Series], target: str) -> pl.Series:
        """Return which rows have a target."""
        result = ~takes[0] & takes[0]
        for targets, mask in zip(self._targets, takes, strict=True):
            if target in targets:
                result |= mask
        return result
