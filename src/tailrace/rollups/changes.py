"""What happened to the table `logs` between two versions: which files brought lines, and from which spans lines went.

Compaction changes no line and is not seen here. What retention drops is told apart: rollups outlive their lines.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final  # Any: JSON of Delta's log

import polars as pl

from tailrace.rollups.spans import EVER_NS, union
from tailrace.store import log
from tailrace.store.place import scan

if TYPE_CHECKING:
    from tailrace.contracts import Segments
    from tailrace.rollups.spans import Span
    from tailrace.store.place import Place
    from tailrace.store.scan import LogSnapshot
    from tailrace.store.table import LogTable

_DELETED: Final = re.compile(r"delete:(-?\d+):(-?\d+)")
_RETIRED: Final = "retention"


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new since a version. Lines of `spans` are to be read anew; lines elsewhere are those of `added`.

    `retired` are files that retention dropped, perhaps some of `added`.
    """

    added: Segments
    spans: tuple[Span, ...]
    retired: Segments


def changes(logs: LogTable, since: int, snapshot: LogSnapshot) -> Changes:
    """Return the changes from a version up to the snapshot's; what cannot be told any more is to be read anew."""
    added = snapshot.added_since(since)
    there = set(added.frame["path"])
    spans: list[Span] = []
    retired: list[str] = []
    for version in range(since + 1, snapshot.version + 1):
        try:
            commit = log.read(logs.root, version)
        except FileNotFoundError:
            return Changes(added.only([]), (_rest(snapshot),), added.only([]))
        spans += [_times(add) for add in commit.adds if add["dataChange"] and str(logs.root / add["path"]) not in there]
        if commit.why == _RETIRED:
            retired += [str(logs.root / path) for path in commit.gone]
        else:
            spans += [_deleted(logs.place, str(logs.root / path), commit.why) for path in commit.gone]
    return Changes(added, tuple(union(spans)), snapshot.departed(retired))


def _rest(snapshot: LogSnapshot) -> Span:
    """Return the span of all lines that there are: what is older is known from earlier versions alone."""
    first = snapshot.files["min_time_ns"].min()
    return (int(first) - 1 if isinstance(first, int) else EVER_NS - 1), EVER_NS


def _times(add: dict[str, Any]) -> Span:
    """Return the span of a file's lines as its commit tells it."""
    stats = json.loads(add.get("stats") or "{}")
    low, high = (stats.get(kind, {}).get("_time_ns") for kind in ("minValues", "maxValues"))
    return (-EVER_NS if low is None else low - 1), (EVER_NS if high is None else high)


def _deleted(place: Place, path: str, why: str) -> Span:
    """Return the span from which lines of a file went: of those that were asked for, the ones that it had."""
    match = _DELETED.fullmatch(why)
    low, high = (int(match[1]) - 1, int(match[2]) - 1) if match else (-EVER_NS, EVER_NS)
    try:
        times = scan(place.opened([path])).select("_time_ns")
        first, last = times.select(pl.min("_time_ns"), last=pl.max("_time_ns")).collect().row(0)
    except FileNotFoundError:
        return max(low, -EVER_NS), min(high, EVER_NS)
    return max(low, first - 1), min(high, last)
