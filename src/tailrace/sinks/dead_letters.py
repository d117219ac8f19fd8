"""Rows that a receiver refused for good: kept in a folder with the reason, to be looked at, sent again or dropped.

One Parquet file per batch of which rows were set aside: the columns of the rows, `_row` (their numbers in the batch),
`_reason`; in the file's metadata the sink, the position and the time. A batch that is delivered again writes the
same file again. The folder is bounded in bytes: beyond it the oldest files go, and how many rows that were is kept in
`dropped.json`, counted and said.
"""

from __future__ import annotations

import io
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import Batch, Position
from tailrace.errors import DataError, TransientError
from tailrace.files import Files
from tailrace.sinks.delivery import ROW, Rows, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tailrace.clock import Clock

REASON: Final = "_reason"
"""Column of why a row was refused."""

REASON_CHARS: Final = 500
"""Longest reason that is kept: receivers like to repeat what they were sent."""

_SUFFIX: Final = ".parquet"
_BLOCK: Final = 4_096  # what a small file takes on a disk
_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """One file of rows that were set aside."""

    path: Path
    sink: str
    position: Position
    rows: int
    bytes: int
    set_aside_ns: int
    reasons: Mapping[str, int]  # how many rows for which

    def frame(self) -> pl.DataFrame:
        """Return its rows, with `_row` and `_reason`; `DataError` if the file is damaged or gone."""
        try:
            return pl.read_parquet(self.path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise DataError(f"{self.path}: cannot be read: {error}") from error

    def batch(self) -> Batch:
        """Return the rows as a batch without a position, for a sink that knows no `Courier`."""
        frame = self.frame().drop(ROW, REASON)
        return Batch(frame, "dead-letters", frame.height, int(frame["_line"].str.len_bytes().sum()))

    def parcel(self) -> Rows:
        """Return the rows under the names that they were sent with."""
        return Rows(self.frame().drop(REASON), self.position)


class DeadLetters:
    """The folder of one sink; one thread of one process puts into it, anybody may look."""

    def __init__(self, folder: Path, limit_bytes: int, clock: Clock, files: Files | None = None) -> None:
        self.folder = folder
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._files = files or Files()

    def put(self, rows: Rows, reasons: list[str]) -> None:
        """Keep rows durably, one reason for each; `TransientError` if the disk does not take them."""
        self._put(rows, reasons, room=True)

    def _put(self, rows: Rows, reasons: list[str], *, room: bool) -> None:
        frame = rows.frame.with_columns(pl.Series(REASON, [one_line(one[:REASON_CHARS]) for one in reasons], pl.String))
        note = {
            "sink": self.folder.name,
            "agent": rows.position.agent,
            "number": str(rows.position.number),
            "set_aside_ns": str(self._clock.now_ns()),
        }
        data = io.BytesIO()
        frame.write_parquet(data, compression="zstd", metadata={"tailrace": json.dumps(note)})
        path = self.folder / f"{rows.position.agent}-{rows.position.number}{_SUFFIX}"
        try:
            self._files.makedirs(self.folder)
            if room:
                self._make_room(len(data.getbuffer()), path)
            self._files.save(path, data.getvalue())
        except OSError as error:
            raise TransientError(f"{path}: cannot be written: {error.strerror or error}") from error

    def letters(self) -> Iterator[Letter]:
        """Yield what is set aside, oldest first; a file that cannot be read is left out and said."""
        for path in self._paths():
            try:
                yield _letter(path)
            except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
                _LOGGER.warning("%s: cannot be read: %s", path, error)

    def remove(self, letter: Letter) -> None:
        """Forget what was delivered, or is not wanted."""
        self._files.unlink(letter.path)

    def keep_only(self, letter: Letter, reasons: Mapping[int, str]) -> None:
        """Keep of a file only the rows at some places, with new reasons: the others were delivered."""
        if not reasons:
            self.remove(letter)
            return
        places = sorted(reasons)
        left = letter.parcel().at(places)
        self._put(left, [reasons[place] for place in places], room=False)  # fewer rows than lie there

    def dropped_rows(self) -> int:
        """Return how many rows were given up because the folder was full."""
        try:
            return int(json.loads((self.folder / "dropped.json").read_bytes())["rows"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _paths(self) -> list[Path]:
        try:
            found = [(path.stat().st_mtime_ns, path) for path in self.folder.glob(f"*{_SUFFIX}")]
        except OSError:
            return []
        return [path for _, path in sorted(found)]

    def _make_room(self, size: int, own: Path) -> None:
        """Drop the oldest files until another one fits."""
        held = [(path, max(_BLOCK, path.stat().st_size)) for path in self._paths() if path != own]
        excess = sum(bytes_ for _, bytes_ in held) + max(_BLOCK, size) - self._limit_bytes
        lost = 0
        for path, bytes_ in held:
            if excess <= 0:
                break
            lost += _rows_of(path)
            self._files.unlink(path)
            excess -= bytes_
        if lost:
            _LOGGER.error("%s: full, the %d oldest rows in it are given up; raise dead_letter_bytes, or look at them "
                          "with 'tailrace dead-letters list'", self.folder, lost)  # fmt: skip
            total = {"rows": self.dropped_rows() + lost}
            self._files.save(self.folder / "dropped.json", json.dumps(total).encode())


def _rows_of(path: Path) -> int:
    """Return how many rows a file has; a damaged one has none that could be lost."""
    try:
        return int(pl.scan_parquet(path).select(pl.len()).collect().item())
    except pl.exceptions.PolarsError:
        return 0


def _letter(path: Path) -> Letter:
    note = json.loads(pl.read_parquet_metadata(path)["tailrace"])
    counts = pl.scan_parquet(path).group_by(REASON).len().sort("len", REASON, descending=[True, False]).collect()
    reasons = {str(reason): int(count) for reason, count in counts.iter_rows()}
    return Letter(
        path,
        note["sink"],
        Position(note["agent"], int(note["number"])),
        sum(reasons.values()),
        path.stat().st_size,
        int(note["set_aside_ns"]),
        reasons,
    )
