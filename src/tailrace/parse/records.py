"""From lines to records: container lines out of their wrapping, parts joined, lines that belong together grouped.

Comes in: the lines of a turn with the format of each file, in order. Goes out: the records that came to their end, to
be parsed, and rows that need no parser (malformed lines, parts). Everything that is carried from turn to turn is here;
it changes only by `commit`, so that a turn on which something fails changes nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import polars as pl

from tailrace import registry
from tailrace.parse.formats import WRAPPERS
from tailrace.parse.held import Due, Held
from tailrace.parse.join import Joiner
from tailrace.parse.multiline.group import Grouper, multiline_of
from tailrace.parse.quoted import Quoted, is_table
from tailrace.parse.turn import Group

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.contracts import Multiline, Origin, Reading
    from tailrace.parse.tally import Tally


class Wrapper(Protocol):
    """A parser of lines that hold lines of another format: see `cri` and `docker`."""

    def unwrap(self, lines: pl.DataFrame, reading: Reading) -> pl.DataFrame:
        """Return the rows with content, `_time_ns`, `stream`, `_final` (null if malformed) and `_error`."""
        ...


@dataclass(slots=True)
class Sorted:
    """Records to parse, by what they are, and rows that are ready."""

    lines: list[tuple[pl.DataFrame, Sequence[Group]]] = field(default_factory=list)  # each a record, format known
    grouped: list[pl.DataFrame] = field(default_factory=list)
    content: list[pl.DataFrame] = field(default_factory=list)  # of containers
    ready: list[pl.DataFrame] = field(default_factory=list)

    def take(self, frame: pl.DataFrame, into: list[pl.DataFrame]) -> None:
        """Take records; all parts but the first of a group are ready."""
        if "_linked" in frame.columns:
            self.ready.append(frame.filter("_linked").drop("_linked"))
            frame = frame.filter(~pl.col("_linked")).drop("_linked")
        if len(frame):
            into.append(frame)


class Records:
    """Makes records of lines; holds those that are open."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._wrappers: dict[str, Wrapper] = {}
        self._parts, self._groups = Held("part"), Held("group")
        self._joiner, self._grouper = Joiner(self._parts), Grouper(self._groups)
        self._quotes = Held("quote")
        self._quoted = Quoted(self._quotes)
        self._every = (self._parts, self._groups, self._quotes)
        self._foreign: dict[str, object] = {}  # names in a state that nothing here understands: forgotten

    # --- what is held -----------------------------------------------------------------------------

    def restore(self, state: Mapping[str, object]) -> None:
        """Take back what was held."""
        for name, record in state.items():
            if not any(held.restore(name, record) for held in self._every):
                self._foreign[name] = None

    def wrappers(self) -> dict[str, str]:
        """Return the format of files with an open container record, or an open record of a table."""
        return self._parts.wrappers() | self._quotes.wrappers()

    def mark(self) -> dict[str, object]:
        """Return what changed since the last mark."""
        foreign, self._foreign = self._foreign, {}
        return foreign | {key: state for held in self._every for key, state in held.mark().items()}

    def pending(self) -> tuple[int, int]:
        """Return the lines and bytes of input that are held."""
        pending = [held.pending() for held in self._every]
        return sum(lines for lines, _ in pending), sum(size for _, size in pending)

    def commit(self) -> None:
        """Make the changes of this turn real."""
        for held in self._every:
            held.commit()

    def rollback(self) -> None:
        """Forget the changes of this turn."""
        for held in self._every:
            held.rollback()

    def due(self, now_ns: int, which: Due) -> tuple[Sorted, list[Origin]]:
        """Return what is not waited for any more, and where it comes from."""
        parts, groups = self._parts.due(now_ns, which), self._groups.due(now_ns, which)
        # What a stream has grouped is before the part that goes out.
        keys = list(dict.fromkeys([*groups, *(key for key in parts if self._groups.get(key) is not None)]))
        found = Sorted()
        complete, origins = self._grouper.complete(keys)
        inside = pl.col("_row").is_in([2 * index + 1 for index, (_, output) in enumerate(keys) if output])
        found.take(complete.filter(inside), found.content)
        found.take(complete.filter(~inside).drop("_time_ns"), found.grouped)  # their parser will tell
        cut, from_where = self._joiner.cut(parts, first=len(keys))
        found.ready.append(cut)
        origins += from_where
        self._due_quoted(now_ns, which, found, origins)
        return found, origins

    def _due_quoted(self, now_ns: int, which: Due, found: Sorted, origins: list[Origin]) -> None:
        rows, forms, from_where = self._quoted.complete(self._quotes.due(now_ns, which))
        first = len(origins)
        rows = rows.with_columns(pl.col("_origin") + first, pl.col("_row") + 2 * first)
        groups = [
            Group(form, origin.reading, (first + place,))
            for place, (form, origin) in enumerate(zip(forms, from_where, strict=True))
        ]
        origins += from_where
        if groups:
            found.lines.append((rows, groups))

    def quoted(self, lines: pl.DataFrame, groups: Sequence[Group]) -> bool:
        """Tell whether lines of tables must be put together."""
        tables = [index for group in groups if is_table(group.format) for index in group.origins]
        return bool(tables) and self._quoted.concerns(lines.filter(pl.col("_origin").is_in(tables)))

    # --- a turn -----------------------------------------------------------------------------------

    def sort_out(self, lines: pl.DataFrame, groups: Sequence[Group], origins: Sequence[Origin]) -> Sorted:
        """Return the records of the lines; parts of over-long lines are among them."""
        rules = {index: rule for index, origin in enumerate(origins) if (rule := multiline_of(origin)) is not None}
        found = Sorted()
        wrapped = [index for group in groups if group.format in WRAPPERS for index in group.origins]
        if "_part" in lines.columns:
            part = pl.col("_part").is_not_null()
            alone = part & pl.col("_origin").is_in(wrapped) | part & ~pl.col("_origin").is_in(list(rules))
            found.ready.append(lines.filter(alone))
            lines = lines.filter(~alone)
        for group in groups:
            rows = lines.filter(pl.col("_origin").is_in(group.origins))
            if group.format in WRAPPERS:
                self._unwrap(rows.drop("_part", "_part_last", strict=False), group, origins, rules, found)
            elif direct := [index for index in group.origins if index not in rules]:
                rows = rows.filter(pl.col("_origin").is_in(direct)) if len(direct) < len(group.origins) else rows
                rows = rows.drop("_part", "_part_last", strict=False)
                if is_table(group.format):
                    rows = self._quoted.records(rows, group.format, origins)
                found.lines.append((rows, [group]))
        plain = {index: rule for index, rule in rules.items() if index not in wrapped}
        if plain:
            self._group(lines.filter(pl.col("_origin").is_in(list(plain))), plain, origins, found, found.grouped)
        return found

    def _unwrap(
        self,
        rows: pl.DataFrame,
        group: Group,
        origins: Sequence[Origin],
        rules: Mapping[int, Multiline],
        found: Sorted,
    ) -> None:
        """Take container lines out of their wrapping and join them."""
        began = time.perf_counter()
        frame = self._wrapper(group.format).unwrap(rows, group.reading)
        malformed = frame["_final"].null_count()
        self._tally.add(group.format, len(frame) - malformed, malformed, time.perf_counter() - began)
        frame, last = self._joiner.adopt(frame, origins, group.format)
        good = frame["_final"].is_not_null()
        if not good.all():
            found.ready.append(frame.filter(~good).drop("_final"))
            frame = frame.filter(good)
        flawed = frame["_error"].null_count() < len(frame)
        frame = frame.rename({"_error": "_flaw"}) if flawed else frame.drop("_error")
        frame = self._joiner.join(frame, origins, group.format, last)
        self._group(frame, rules, origins, found, found.content)

    def _group(
        self,
        frame: pl.DataFrame,
        rules: Mapping[int, Multiline],
        origins: Sequence[Origin],
        found: Sorted,
        into: list[pl.DataFrame],
    ) -> None:
        """Group the lines of files with a rule; others stay."""
        by_rule: dict[Multiline, list[int]] = {}
        for index, rule in rules.items():
            by_rule.setdefault(rule, []).append(index)
        for rule, indexes in by_rule.items():
            mine = pl.col("_origin").is_in(indexes)
            rows = frame.filter(mine)
            if len(rows):
                found.take(self._grouper.group(rows, rule, origins), into)
        rest = frame.filter(~pl.col("_origin").is_in(list(rules))) if rules else frame
        if "_part" in rest.columns:
            rest = rest.with_columns(_linked=pl.col("_part").is_not_null())
        found.take(rest, into)

    def _wrapper(self, name: str) -> Wrapper:
        wrapper = self._wrappers.get(name)
        if wrapper is None:
            wrapper = self._wrappers[name] = registry.find("parser", name)()
        return wrapper
