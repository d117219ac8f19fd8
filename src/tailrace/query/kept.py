"""The seam to partial results that are kept beside the table: they may stand in for lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tailrace.contracts import Snapshot
    from tailrace.query.grid import Cells
    from tailrace.query.needs import Needs
    from tailrace.query.reads import Reading
    from tailrace.query.samples import Samples
    from tailrace.query.syntax import RangeAggregation


class Kept(Protocol):
    """Partial results of range aggregations.

    Must: give what the lines of the snapshot would give, or None; count in the reading's statistics what stood in.
    May: read lines for parts of the answer. Must not: answer from what is older than lines that the snapshot has. Any
    thread may call.
    """

    def samples(
        self, aggregation: RangeAggregation, needs: Needs, cells: Cells, snapshot: Snapshot, reading: Reading
    ) -> Samples | None:
        """Return the samples of a range aggregation, None if its lines are to be read.

        Where the needs have labels that are `counted`, a sample is the number of their different values.
        """
        ...
