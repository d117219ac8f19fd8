"""The functions of LogQL, one file each: range aggregations (over lines) and vector aggregations (over series).

To add one: write its file, name it in `RANGE` or `VECTOR`, and take its name from `UNSUPPORTED`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.query.functions.approx_topk import ApproxTopk
from tailrace.query.functions.avg import Avg
from tailrace.query.functions.bottomk import Bottomk
from tailrace.query.functions.bytes_over_time import BytesOverTime
from tailrace.query.functions.bytes_rate import BytesRate
from tailrace.query.functions.count import Count
from tailrace.query.functions.count_over_time import CountOverTime
from tailrace.query.functions.max import Max
from tailrace.query.functions.min import Min
from tailrace.query.functions.rate import Rate
from tailrace.query.functions.sort import Sort
from tailrace.query.functions.sort_desc import SortDesc
from tailrace.query.functions.stddev import Stddev
from tailrace.query.functions.stdvar import Stdvar
from tailrace.query.functions.sum import Sum
from tailrace.query.functions.topk import Topk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.query.functions.contract import RangeFunction, VectorFunction

RANGE: Final[Mapping[str, type[RangeFunction]]] = {
    function.name: function for function in (CountOverTime, Rate, BytesOverTime, BytesRate)
}
"""Range aggregations by name."""

VECTOR: Final[Mapping[str, type[VectorFunction]]] = {
    function.name: function
    for function in (Sum, Avg, Min, Max, Count, Stddev, Stdvar, Topk, Bottomk, ApproxTopk, Sort, SortDesc)
}
"""Vector aggregations by name."""

UNSUPPORTED: Final = frozenset(
    [
        "absent_over_time",
        "sum_over_time",
        "avg_over_time",
        "min_over_time",
        "max_over_time",
        "first_over_time",
        "last_over_time",
        "stddev_over_time",
        "stdvar_over_time",
        "quantile_over_time",
        "rate_counter",
    ]
)
"""Functions of full LogQL that this version does not have."""
