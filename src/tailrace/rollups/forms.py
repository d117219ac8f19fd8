"""Metrics without a query: a statistic of a property per period, and the LogQL that says the same. Pure.

`count` counts lines: all of them (`*`), or those that have the property. `distinct` counts its values. The others take
the property as a number; what is none is left out. `segment` gives one series per value of another property; `section`
is the first part of the route, without its query string. `filter` is a selector, stages of a pipeline, or both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError, did_you_mean
from tailrace.query.lexer import quote
from tailrace.query.literals import write_duration
from tailrace.query.parser import parse

EVERYTHING: Final = "*"
"""The property of all lines."""

SECTION: Final = "section"

SELECTOR: Final = '{host=~".+"}'
"""Lines of a form that selects none."""

ALIASES: Final = {
    "request_method": "method",
    "request_route": "path",
    "request_proto": "proto",
    "status_code": "status",
    "response_bsize": "bytes",
    "ruser": "user",
    "indent_logname": "ident",
    "stream": "filename",
}
"""Other names of properties of access logs."""

_SUMS: Final = {"sum": "sum_over_time", "rate": "rate"}
_GROUPED: Final = {
    "avg": "avg_over_time",
    "min": "min_over_time",
    "max": "max_over_time",
    "first": "first_over_time",
    "last": "last_over_time",
    "stddev": "stddev_over_time",
    "stdvar": "stdvar_over_time",
    "median": "quantile_over_time",
}
_OTHER: Final = {"average": "avg", "mean": "avg", "minimum": "min", "maximum": "max", "total": "sum"}
_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d{1,3})?|100)")
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

STATISTICS: Final = ("count", "distinct", *_SUMS, *_GROUPED, "p99")
"""What a form may ask for; any percentile from p0 to p100."""


@dataclass(frozen=True, slots=True)
class Form:
    """What to measure; times in seconds. `refresh_s` is kept to be shown: numbers are as fresh as the lines."""

    statistic: str
    property: str = EVERYTHING
    period_s: int = 60
    refresh_s: int | None = None
    segment: str = ""
    filter: str = ""


def expression(form: Form) -> str:
    """Return the query of a form; `QueryError` if it makes none."""
    if form.period_s < 1:
        raise QueryError(f"a period of {form.period_s} s is too short", hint="a second at least")
    statistic = _OTHER.get(form.statistic, form.statistic)
    log, window = _log(form), f"[{write_duration(form.period_s * NS_PER_S)}]"
    segment = _label(form.segment) if form.segment else ""
    by = f" by ({segment})" if segment else ""
    if statistic == "count":
        having = "" if form.property == EVERYTHING else f' | {_label(form.property)}!=""'
        return f"sum{by} (count_over_time({log}{having} {window}))"
    if form.property == EVERYTHING:
        raise QueryError(f"{form.statistic[:40]} is of a property", hint="name one, as in bytes; * can be counted")
    label = _label(form.property)
    if statistic == "distinct":
        both = ", ".join([*([segment] if segment else []), label])
        return f'count{by} (sum by ({both}) (count_over_time({log} | {label}!="" {window})))'
    values = f'{log} | unwrap {label} | __error__="" {window}'
    if statistic in _SUMS:
        return f"sum{by} ({_SUMS[statistic]}({values}))"
    return f"{_function(form.statistic, statistic)}{values}){by or ' by ()'}"


def _function(given: str, statistic: str) -> str:
    """Return the beginning of a call, up to where its values stand."""
    percentile = "50" if statistic == "median" else ""
    match = _PERCENTILE.fullmatch(statistic)
    percentile = match[1] if match else percentile
    if percentile:
        return f"quantile_over_time({float(percentile) / 100:g}, "
    if statistic not in _GROUPED:
        known = ", ".join(STATISTICS)
        raise QueryError(
            f"{given[:40]!r} is no statistic", hint=did_you_mean(given, STATISTICS) or f"it is one of {known}"
        )
    return f"{_GROUPED[statistic]}("


def _log(form: Form) -> str:
    text = form.filter.strip()
    log = text if text.startswith("{") else f"{SELECTOR} {text}".strip()
    try:
        parse(log)
    except QueryError as error:  # said before the rest of the query is around it, which nobody wrote
        raise QueryError(f"the filter {text!r} is wrong: {error.what}", hint=error.hint) from None
    if form.segment != SECTION:
        return log
    return f'{log} | path!="" | label_format {SECTION}={quote(_SECTION)}'


_SECTION: Final = '{{ regexReplaceAll "^(/[^/?#]*).*$" .path "$1" }}'


def _label(name: str) -> str:
    name = ALIASES.get(name, name)
    if not _LABEL.fullmatch(name):
        raise QueryError(f"{name[:60]!r} is no property", hint="a field or a label, as in status")
    return name
