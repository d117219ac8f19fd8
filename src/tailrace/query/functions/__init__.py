"""The functions of LogQL, one file each: range aggregations over lines or values, vector aggregations over series.

To add one: write its file and name it in `LINES`, `VALUES` or `VECTOR`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.query.functions.absent_over_time import AbsentOverTime
from tailrace.query.functions.approx_topk import ApproxTopk
from tailrace.query.functions.avg import Avg
from tailrace.query.functions.avg_over_time import AvgOverTime
from tailrace.query.functions.bottomk import Bottomk
from tailrace.query.functions.bytes_over_time import BytesOverTime
from tailrace.query.functions.bytes_rate import BytesRate
from tailrace.query.functions.count import Count
from tailrace.query.functions.count_over_time import CountOverTime
from tailrace.query.functions.first_over_time import FirstOverTime
from tailrace.query.functions.last_over_time import LastOverTime
from tailrace.query.functions.max import Max
from tailrace.query.functions.max_over_time import MaxOverTime
from tailrace.query.functions.min import Min
from tailrace.query.functions.min_over_time import MinOverTime
from tailrace.query.functions.quantile_over_time import QuantileOverTime
from tailrace.query.functions.rate import Rate, ValueRate
from tailrace.query.functions.rate_counter import RateCounter
from tailrace.query.functions.sort import Sort
from tailrace.query.functions.sort_desc import SortDesc
from tailrace.query.functions.stddev import Stddev
from tailrace.query.functions.stddev_over_time import StddevOverTime
from tailrace.query.functions.stdvar import Stdvar
from tailrace.query.functions.stdvar_over_time import StdvarOverTime
from tailrace.query.functions.sum import Sum
from tailrace.query.functions.sum_over_time import SumOverTime
from tailrace.query.functions.topk import Topk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.query.functions.contract import LinesFunction, RangeFunction, ValuesFunction, VectorFunction

LINES: Final[Mapping[str, type[LinesFunction]]] = {
    function.name: function for function in (CountOverTime, Rate, BytesOverTime, BytesRate)
}
"""Range aggregations over lines, by name."""

VALUES: Final[Mapping[str, type[ValuesFunction]]] = {
    function.name: function
    for function in (
        ValueRate,
        SumOverTime,
        AvgOverTime,
        MinOverTime,
        MaxOverTime,
        FirstOverTime,
        LastOverTime,
        StddevOverTime,
        StdvarOverTime,
        QuantileOverTime,
        RateCounter,
    )
}
"""Range aggregations over the values of an unwrapped label, by name."""

ABSENT: Final = AbsentOverTime.name
"""The range aggregation over lines or values that answers where there are none."""

RANGE: Final[Mapping[str, type[RangeFunction]]] = {**VALUES, **LINES, ABSENT: AbsentOverTime}
"""Every range aggregation by name."""

VECTOR: Final[Mapping[str, type[VectorFunction]]] = {
    function.name: function
    for function in (Sum, Avg, Min, Max, Count, Stddev, Stdvar, Topk, Bottomk, ApproxTopk, Sort, SortDesc)
}
"""Vector aggregations by name."""
