"""The series that rules left: read by name, and moved from the control database to the table `samples`.

Comes in: a control database and a table of samples. Goes out: samples, each once and in its newest version, wherever
they are; label sets. `move` takes what has gathered to the table and only then away from the database; the table knows
how far it got, so a crash in between is a repetition that it recognises, and readers leave out what it has already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from sqlalchemy import delete, func, select

from tailrace.alerts.kept import recorded
from tailrace.alerts.kept.recorded import SAMPLES, SERIES
from tailrace.alerts.kept.samples import SCHEMA
from tailrace.batch import stream_labels
from tailrace.clock import NS_PER_S
from tailrace.query.named import chosen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row

    from tailrace.alerts.kept.samples import SamplesTable
    from tailrace.control import Control
    from tailrace.query.syntax import Selector

MOVED_ROWS: Final = 200_000
"""Samples that are moved at once: a file of a few MB."""

LEAST_ROWS: Final = 20_000
LEAST_S: Final = 600.0
"""Samples are moved when there are so many, or when they have waited for so long."""

KEPT_DAYS: Final = 90.0
"""How long samples are kept unless it is said; whole days go."""

TIDY_NS: Final = 3600 * NS_PER_S
"""Between two looks at what is too old."""

_READ: Final = {"id": pl.Int64, "rule": pl.String, "key": pl.String, "_time_ns": pl.Int64, "version": pl.Int64}
_VALUES: Final = {"value": pl.Float64, "stale": pl.Boolean}


class Recordings:
    """The recorded series of one data folder. Any thread may read; one moves."""

    def __init__(self, control: Control, table: SamplesTable, days: float = KEPT_DAYS) -> None:
        self._control = control
        self._table = table
        self._kept_ns = round(days * 86_400 * NS_PER_S)
        self._tidy_ns = 0
        self._align()

    def _align(self) -> None:
        """Let numbers of samples go on behind those that the table has, also when the database was begun anew."""
        taken = self._table.snapshot().taken
        with self._control.transaction() as connection:
            self._control.count_on(connection, SAMPLES.name, taken)

    # --- reading --------------------------------------------------------------------------------

    def samples(self, name: str, start_ns: int, end_ns: int) -> pl.DataFrame:
        """Return the samples of a name with `start_ns <= time < end_ns`, each once: see `query.named.Recorded`."""
        wanted = select(SAMPLES).where(SAMPLES.c.name == name, SAMPLES.c.at_ns >= start_ns, SAMPLES.c.at_ns < end_ns)
        with self._control.reading() as connection:  # first: what is moved meanwhile is seen in the table
            waiting = _frame(connection.execute(wanted).all())
        snapshot = self._table.snapshot()
        moved = snapshot.scan(start_ns, end_ns).filter(pl.col("name") == name).select(*waiting.columns).collect()
        rows = pl.concat([moved, waiting.filter(pl.col("id") > snapshot.taken)])
        newest = rows.sort("version", "id").unique(["key", "_time_ns"], keep="last", maintain_order=True)
        # what SQL and statistics cannot hold: a value that is null and no end is NaN
        value = pl.when(~pl.col("stale")).then(pl.col("value").fill_null(float("nan")))
        return newest.select("key", "_time_ns", value.alias("value"), "stale")

    def series(self, start_ns: int, end_ns: int, matches: Sequence[Selector] = ()) -> list[Mapping[str, str]]:
        """Return the label sets of which samples may lie in `start_ns <= time < end_ns`, of those that are matched."""
        seen = (SERIES.c.last_ns + recorded.SEEN_NS >= start_ns) & (SERIES.c.first_ns < end_ns)
        with self._control.reading() as connection:
            keys = [key for (key,) in connection.execute(select(SERIES.c.key).where(seen).distinct())]
        if matches and keys:
            keys = chosen(keys, matches)["key"].to_list()
        return [stream_labels(key) for key in sorted(keys)]

    def upkeep(self, now_ns: int) -> None:
        """Do what is due, after a round: one thread calls it."""
        self.move(now_ns)
        if now_ns >= self._tidy_ns:
            self._tidy_ns = now_ns + TIDY_NS
            self.tidy(now_ns)

    # --- moving ---------------------------------------------------------------------------------

    def move(self, now_ns: int, least_rows: int = LEAST_ROWS, least_s: float = LEAST_S) -> int:
        """Move what has gathered, if that is much or waits for long; return how many samples that were."""
        taken = self._table.snapshot().taken
        with self._control.transaction() as connection:
            self._forget(connection, taken)  # of a move that was cut off
            count, oldest_ns = connection.execute(select(func.count(), func.min(SAMPLES.c.at_ns))).one()
            if not count or (count < least_rows and now_ns - oldest_ns < least_s * NS_PER_S):
                return 0
            rows = connection.execute(select(SAMPLES).order_by(SAMPLES.c.id).limit(MOVED_ROWS)).all()
        upto = int(rows[-1].id)
        names = pl.Series("name", [row.name for row in rows], pl.String)
        self._table.append(_frame(rows).with_columns(names).select(*SCHEMA), upto)
        with self._control.transaction() as connection:
            self._forget(connection, upto)
        return len(rows)

    def tidy(self, now_ns: int) -> int:
        """Drop what is older than it is kept, and join the files of a day where they are many."""
        before_ns = now_ns - self._kept_ns
        with self._control.transaction() as connection:
            recorded.expire(connection, before_ns)
        return self._table.tidy(before_ns)

    def _forget(self, connection: Connection, upto: int) -> None:
        connection.execute(delete(SAMPLES).where(SAMPLES.c.id <= upto))


def _frame(rows: Sequence[Row[tuple[object, ...]]]) -> pl.DataFrame:
    columns = {"_time_ns": "at_ns"}
    found = {name: [getattr(row, columns.get(name, name)) for row in rows] for name in (*_READ, *_VALUES)}
    return pl.DataFrame(found, schema={**_READ, **_VALUES})
