"""Join segments in a process of its own, so that queries never stand behind it in Polars' threads.

Polars has one pool of threads per process. Measured with two cores, 50,000 lines a second and 200 clients: while 60
segments were joined in the process that answers, the newest hundred lines took up to 38 s, since each small step waited
for sorting and compressing that already ran. Here it runs beside, with one thread and lower priority.

The process reads a `Task` as one line of JSON, writes the segment durably and answers with one line. It then makes the
skip index if it is told to, after the commit, which stays with who asked; else it ends when its input does. When it
dies or is stopped, nothing was committed, and what it wrote is an orphan for `vacuum`.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import polars as pl

from tailrace.errors import TailraceError, TransientError
from tailrace.files import Files, readable
from tailrace.store import pieces, segment, skip
from tailrace.store.bucket import ObjectSettings
from tailrace.store.location import located
from tailrace.store.scan import StreamCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NICE: Final = 5
"""How far the process stands back: a third of the weight of others, so that it still gets on where all is busy."""

_INDEX: Final = "index"
_LOOK_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Task:
    """Segments of one date to be joined, and how the result is written."""

    root: str
    url: str  # where the table lies, if that is not its root
    objects: dict[str, Any]  # how object storage is reached: `bucket.ObjectSettings`
    date: str
    paths: list[str]
    level: int
    columns: list[str]  # of the table, in its order


@dataclass(slots=True)
class Joined:
    """The segment that was written, and the process that waits for what becomes of it."""

    segment: segment.Segment
    _process: subprocess.Popen[str]

    def index(self) -> None:
        """Have the skip index made."""
        _tell(self._process, _INDEX)


@contextmanager
def joined(task: Task, stopping: Callable[[], bool]) -> Iterator[Joined | None]:
    """Join segments, and give the result to be committed; None if `stopping` came first.

    `TransientError` if the process failed. At the end it is waited for: an index that was asked for is there.
    """
    words = [sys.executable, "-m", "tailrace.store.joiner"]
    environment = {**os.environ, "POLARS_MAX_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603  the words are ours
        words,
        stdin=pipe,
        stdout=pipe,
        text=True,
        env=environment,
        start_new_session=True,  # the terminal's Ctrl-C is for who asked, who then stops it
    ) as process:
        try:
            _tell(process, json.dumps(asdict(task)))
            answer = _answer(process, stopping)
            yield Joined(_read(task, answer), process) if answer is not None else None
        except BaseException:
            process.kill()
            _close(process)
            raise
        if answer is None:
            process.kill()
            _close(process)


def _tell(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has died; what it says last, or its end, tells so
        process.stdin.write(words + "\n")
        process.stdin.flush()


def _close(process: subprocess.Popen[str]) -> None:
    """Give up what was not written: closing would write it, and fail in place of what really did."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()


def _answer(process: subprocess.Popen[str], stopping: Callable[[], bool]) -> str | None:
    assert process.stdout is not None
    while not readable(process.stdout, _LOOK_S):
        if stopping():
            return None
    text = process.stdout.readline()
    if not text:
        raise TransientError(f"joining segments failed: the process for it ended with {process.wait()}")
    return text


def _read(task: Task, answer: str) -> segment.Segment:
    said = json.loads(answer)
    if "error" in said:
        raise TransientError(f"joining segments failed: {said['error']}")
    streams = pl.read_json(io.StringIO(said["streams"]), schema=segment.STREAMS_SCHEMA)
    file = Path(task.root, said["path"])
    date = dt.date.fromisoformat(task.date)
    return segment.Segment(said["path"], file, date, said["rows"], said["bytes"], said["stats"], streams)


def main(lines: IO[str], out: IO[str]) -> None:
    """Do what one task says."""
    task = Task(**json.loads(lines.readline()))
    place = located(Path(task.root), task.url, ObjectSettings(**task.objects), Files())
    files = place.files
    try:
        rows, found = pieces.sorted_rows(place.opened(task.paths), StreamCache(place).of(task.paths))
        date = dt.date.fromisoformat(task.date)
        done = segment.write_pieces(Path(task.root), date, rows, found, files, level=task.level, columns=task.columns)
    except (OSError, pl.exceptions.PolarsError, TailraceError) as error:
        print(json.dumps({"error": str(error)}), file=out, flush=True)
        return
    said = {"path": done.path, "rows": done.rows, "bytes": done.bytes, "stats": done.stats}
    print(json.dumps({**said, "streams": done.streams.write_json()}), file=out, flush=True)
    if lines.readline().strip() == _INDEX:
        skip.add(done.file, done.rows, files)


if __name__ == "__main__":
    os.nice(NICE)
    main(sys.stdin, sys.stdout)
