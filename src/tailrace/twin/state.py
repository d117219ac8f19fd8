"""The living paths at one moment: files of the table that stand as they are, and what later records change of them.

The table's `live` part is large and its records change little, so it is never held: a question scans it, without
the few paths that later records touch (`masked`), and takes these from memory (`overlay`). Later records touch
what has their path, what is below a directory that they removed or moved, the other names of their inodes, and what
lives where a move carries them to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.twin import table, tree
from tailrace.twin.fold import fold
from tailrace.twin.records import KEY, SCHEMA, empty

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUMMED: Final = (*KEY, "type", "size", "allocated", "links", "inode", "device", "owner", "group", "mtime_ns")
"""Columns that sums are made of and split by."""


@dataclass(frozen=True, slots=True)
class State:
    """What lives at one moment."""

    files: tuple[str, ...]  # of the `live` part, in the order of their ranges
    overlay: pl.DataFrame = field(repr=False)  # records of living paths, in the place of what is masked
    masked: Mapping[str, pl.DataFrame] = field(repr=False)  # file to those of its records that count no more
    acts: pl.DataFrame = field(repr=False)

    def scan(self, hosts: Sequence[str] | None = None, top: str = "/") -> list[pl.LazyFrame]:
        """Return the living paths at or below a path, as lazy frames to be concatenated."""
        found = [self._file(path, hosts, top) for path in self.files if _holds(path, hosts, top)]
        here = self.overlay.lazy().filter(_wanted(hosts, top))
        return [*found, here]

    def terms(self, hosts: Sequence[str] | None = None, top: str = "/") -> list[tuple[int, pl.LazyFrame]]:
        """Return frames with a sign, for sums: what the files have, less what counts no more, and what is instead.

        Files are read without the comparison of paths that `scan` needs, which takes ten times as long.
        """
        found = [path for path in self.files if _holds(path, hosts, top)]
        masked = [self.masked[path].lazy().filter(_wanted(hosts, top)) for path in found if path in self.masked]
        files = [(1, _of_file(path, hosts, top)) for path in found]
        return [*files, *((-1, rows) for rows in masked), (1, self.overlay.lazy().filter(_wanted(hosts, top)))]

    def rows(self, hosts: Sequence[str] | None = None, top: str = "/") -> pl.LazyFrame:
        """Return the living paths at or below a path."""
        return pl.concat(self.scan(hosts, top))

    def hosts(self) -> list[str]:
        """Return the hosts that have a living path."""
        found = set(self.overlay["host"].unique().to_list())
        for path in self.files:
            (first, _), (last, _) = table.bounds(path)
            if first == last:
                found.add(first)
            else:
                found.update(table.scan([path]).select("host").unique().collect()["host"].to_list())
        return sorted(found)

    def _file(self, path: str, hosts: Sequence[str] | None, top: str) -> pl.LazyFrame:
        rows = _of_file(path, hosts, top)
        masked = self.masked.get(path)
        return rows if masked is None else rows.join(masked.lazy(), on=list(KEY), how="anti")


def build(live: Sequence[str], later: pl.DataFrame, earlier_acts: pl.DataFrame | None = None) -> State:
    """Return the state of the `live` files and of later records; acts that the files know matter to these only."""
    ordered = sorted(live, key=lambda path: table.bounds(path)[0])
    return extend(State(tuple(ordered), empty(), {}, empty() if earlier_acts is None else earlier_acts), later)


def extend(state: State, later: pl.DataFrame) -> State:
    """Return the state with further records: the same as if it was built with these as well."""
    if not later.height:
        return state
    known = [state.acts, state.overlay]
    touched = _touched(state, Touch.of(later))
    folded = fold(pl.concat([*known, *touched.values(), later]))
    met = _touched(state, Touch(keys=_carried(folded.live, [state.overlay, later, *touched.values()])))
    if met:  # newer records live where moves carried others to
        for path, rows in met.items():
            touched[path] = pl.concat([touched[path], rows]) if path in touched else rows
        folded = fold(pl.concat([*known, *touched.values(), later]))
    masked = dict(state.masked)
    for path, rows in touched.items():
        summed = rows.select(SUMMED)
        masked[path] = pl.concat([masked[path], summed]) if path in masked else summed
    return State(state.files, folded.live, masked, folded.acts)


def _touched(state: State, touch: Touch) -> dict[str, pl.DataFrame]:
    """Return the touched records by file, without those that are masked already."""
    if not touch.keys.height:
        return {}
    found: dict[str, pl.DataFrame] = {}
    for path in state.files:
        rows = touch.rows_of(path)
        if rows is not None and path in state.masked:
            rows = rows.join(state.masked[path], on=list(KEY), how="anti")
        if rows is not None and rows.height:
            found[path] = rows
    return found


def _carried(live: pl.DataFrame, known: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the paths that moves carried records to, of which none was known."""
    keys = live.filter(pl.col("placed_at").is_not_null()).select(KEY)
    for rows in known:
        keys = keys.join(rows, on=KEY, how="anti")
    return keys


class Touch:
    """Which records of files are touched: by their path, from above, or by their inode."""

    def __init__(
        self, keys: pl.DataFrame, acts: pl.DataFrame | None = None, inodes: pl.DataFrame | None = None
    ) -> None:
        self.keys = keys.select(KEY).unique().sort(KEY)
        none = keys.select("host", dir="path").clear()
        self._acts = none if acts is None else acts
        self._inodes = none if inodes is None else inodes
        spans = [
            self.keys.select("host", low="path", high="path"),
            self._acts.select("host", low=pl.col("dir") + "/", high=pl.col("dir") + "0"),
        ]
        self._spans = pl.concat(spans)

    @classmethod
    def of(cls, later: pl.DataFrame) -> Touch:
        """Return what later records touch."""
        acts = later.filter("cut").select("host", tree.directory(pl.col("path")).alias("dir"), by=pl.lit(1)).unique()
        linked = later.filter((pl.col("type") != "dir") & (pl.col("links") > 1) & pl.col("inode").is_not_null())
        return cls(later, acts, linked.select("host", "device", "inode").unique())

    def rows_of(self, path: str) -> pl.DataFrame | None:
        """Return the records of a file that are touched, None if none can be."""
        if not self._inodes.height and not self._overlaps(path):
            return None
        names = table.scan([path]).select("host", "path", "device", "inode").with_row_index("row").collect()
        hit = [names.join(self.keys, on=list(KEY), how="semi")["row"]]
        if self._acts.height:
            dirs = names.select("row", "host", dir=tree.parent(pl.col("path")))
            reached = tree.reach(dirs, self._acts, ["by"])
            hit.append(dirs.join(reached, on=list(tree.PLACE), how="semi")["row"])
        if self._inodes.height:
            hit.append(names.join(self._inodes, on=["host", "device", "inode"], how="semi", nulls_equal=True)["row"])
        wanted = pl.concat(hit).unique().sort()
        if not wanted.len():
            return None
        return (
            table.scan([path])
            .with_row_index("row")
            .filter(pl.col("row").is_in(wanted.implode()))
            .collect()
            .select(*SCHEMA)
        )

    def _overlaps(self, path: str) -> bool:
        (first_host, first), (last_host, last) = table.bounds(path)
        before = (pl.col("host") > last_host) | ((pl.col("host") == last_host) & (pl.col("low") > last))
        after = (pl.col("host") < first_host) | ((pl.col("host") == first_host) & (pl.col("high") < first))
        return bool(self._spans.select((~before & ~after).any()).item())


def _of_file(path: str, hosts: Sequence[str] | None, top: str) -> pl.LazyFrame:
    rows = table.scan([path])
    return rows if _inside(path, hosts, top) else rows.filter(_wanted(hosts, top))


def _wanted(hosts: Sequence[str] | None, top: str) -> pl.Expr:
    here = tree.below(pl.col("path"), top)
    return here if hosts is None else here & pl.col("host").is_in(list(hosts))


def _holds(path: str, hosts: Sequence[str] | None, top: str) -> bool:
    """Tell whether a file can have wanted paths."""
    (first_host, first), (last_host, last) = table.bounds(path)
    if hosts is not None and not any(first_host <= host <= last_host for host in hosts):
        return False
    name = top.rstrip("/")
    if not name or first_host != last_host:
        return True
    return first < name + "0" and last >= name


def _inside(path: str, hosts: Sequence[str] | None, top: str) -> bool:
    """Tell whether all paths of a file are wanted, so that none has to be looked at."""
    (first_host, first), (last_host, last) = table.bounds(path)
    name = top.rstrip("/")
    if hosts is not None and not (first_host == last_host and first_host in hosts):
        return False
    return not name or (first_host == last_host and first >= name + "/" and last < name + "0")
