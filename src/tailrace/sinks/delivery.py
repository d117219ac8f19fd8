"""What a kind of sink has to know, and nothing else: how rows travel to its receiver, and what came of it.

A `Courier` is asked by one thread, with rows of one batch in their order. It returns when the receiver has them for
good, says which ones it refused, and raises what happened to all of them:

- `TransientError` (`LaterError` when the receiver said how long): the same rows are sent again, after a pause.
- `RefusedError`: the receiver will never take these rows together. They are halved until those to blame stand alone.

Anything that an operator can mend (a wrong token, an index that is not there) is a `TransientError`: rows wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from tailrace.errors import TailraceError, TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.batch import Position

ROW: Final = "_row"
"""Column of the number of a row within its batch, from 0; it begins with one `_`, so no field has its name."""


class RefusedError(TailraceError):
    """The receiver refuses what it was sent, and will do so again."""


class LaterError(TransientError):
    """The receiver asks to come back after a time."""

    def __init__(self, what: str, after_s: float) -> None:
        self.after_s = after_s
        super().__init__(what)


def one_line(said: str) -> str:
    """Return what a receiver says as one line that commands no terminal: it may repeat what stands in a log."""
    return "".join(letter if letter.isprintable() else " " for letter in said)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows on their way: a frame with the column `_row`, and the position of the batch that they are of."""

    frame: pl.DataFrame
    position: Position

    def __len__(self) -> int:
        return self.frame.height

    def ids(self) -> pl.Series:
        """Return one name per row, the same whenever the row is sent again: agent, number, row."""
        return f"{self.position.agent}-{self.position.number}-" + self.frame[ROW].cast(pl.String)

    def part(self, start: int, length: int | None = None) -> Rows:
        """Return some of the rows."""
        return Rows(self.frame.slice(start, length), self.position)

    def at(self, places: list[int]) -> Rows:
        """Return the rows at these places."""
        return Rows(self.frame[places], self.position)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of rows, by their places in the frame; those that are not named are delivered."""

    refused: Mapping[int, str] = field(default_factory=dict)  # for good, and why
    again: Mapping[int, str] = field(default_factory=dict)  # for now, and why
    after_s: float = 0.0  # how long the receiver asks to be left alone before those


DELIVERED: Final = Sent()


class Courier(Protocol):
    """Takes rows to one receiver; owned by one thread."""

    def send(self, rows: Rows) -> Sent:
        """Deliver rows; returns when the receiver has them, raises as the module says."""
        ...

    def close(self) -> None:
        """Give up connections."""
        ...
