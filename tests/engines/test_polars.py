import polars as pl

from query.reference_table import ReferenceTable
from query.test_cases import frame
from tailrace.engines.polars import BATCH_ROWS, PolarsEngine


def test_batches_are_of_bounded_size(tmp_path):
    table = ReferenceTable(tmp_path)
    rows = frame([{"t": 1}])
    table.add(pl.concat([rows] * (2 * BATCH_ROWS + 1)))
    scan = PolarsEngine().scan(table.snapshot().segments(0, 2**62), {"_time_ns": pl.Int64()})
    sizes = [batch.height for batch in PolarsEngine().batches(scan)]
    assert sum(sizes) == 2 * BATCH_ROWS + 1
    assert max(sizes) <= BATCH_ROWS
