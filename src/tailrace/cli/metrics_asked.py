"""Which metric the flags of `tailrace metrics create` ask for. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.cli.metrics_places import Wanted
from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError
from tailrace.query.lexer import quote
from tailrace.rollups.forms import EVERYTHING, Form
from tailrace.web.times import duration_ns

if TYPE_CHECKING:
    from collections.abc import Mapping

ALL: Final = "all"

_PERIOD_S: Final = 60


def wanted(name: str | None, expr: str | None, form: Mapping[str, str | None], backfill: str) -> Wanted:
    """Return the metric that is asked for; `form` has the other flags by their names."""
    if not name:
        raise QueryError("a metric needs a name", hint="--id NAME; or --default for the default set")
    backfill_ns = None if backfill == ALL else duration_ns(backfill, "--backfill")
    if expr is not None:
        period = form["--period"]
        if given := [flag for flag, value in form.items() if value is not None and flag != "--period"]:
            raise QueryError(f"--expr says all of it, without {', '.join(given)}")
        period_ns = None if period is None else seconds(period, "--period") * NS_PER_S
        return Wanted(name, expr, period_ns, backfill_ns)
    period_s = seconds(form["--period"] or str(_PERIOD_S), "--period")
    refresh = form["--refresh_rate"]
    made = Form(
        statistic=form["--stat"] or "count",
        property=form["--prop"] or EVERYTHING,
        period_s=period_s,
        refresh_s=None if refresh is None else seconds(refresh, "--refresh_rate"),
        segment=form["--segment"] or "",
        filter=_filter(form["--filter"] or "", form["--group"]),
    )
    return Wanted(name, made, period_s * NS_PER_S, backfill_ns)


def seconds(text: str, flag: str) -> int:
    """Return a duration in whole seconds, at least one.

    >>> seconds("60", "--period"), seconds("5m", "--period")
    (60, 300)
    """
    ns = duration_ns(text, flag)
    if ns < NS_PER_S or ns % NS_PER_S:
        raise QueryError(f"{flag} {text} is not a whole number of seconds", hint="as in 60 or 5m")
    return ns // NS_PER_S


def _filter(text: str, group: str | None) -> str:
    if group is None:
        return text
    if text.lstrip().startswith("{"):
        hint = f"add source={quote(group)} to the selector"
        raise QueryError("--group and a selector in --filter both say which lines", hint=hint)
    return f"{{source={quote(group)}}} {text}".rstrip()
