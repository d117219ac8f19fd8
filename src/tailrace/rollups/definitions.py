"""The metrics of a data folder: made, listed, found, deleted, in the control database.

A server and commands may do so at the same time: whoever keeps the numbers asks for the list at every round. What is
deleted leaves its numbers to the next round of upkeep.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, insert, select

from tailrace import limits
from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError
from tailrace.rollups.forms import Form, expression
from tailrace.rollups.model import EVER, Metric, metric_of
from tailrace.rollups.tables import METRICS

if TYPE_CHECKING:
    from typing import Any  # Any: a row of the database

    from sqlalchemy import Row

    from tailrace.control import Control

DAY_NS: Final = 86_400 * NS_PER_S

BACKFILL_NS: Final = DAY_NS
"""How much of the past a metric gets that does not say."""


class MetricExistsError(QueryError):
    """A metric of that name is there already."""


class Definitions:
    """The metrics of one control database. Any thread may use it."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def create(
        self,
        name: str,
        expr: str | Form,
        *,
        now_ns: int,
        bucket_ns: int | None = None,
        period_ns: int | None = None,
        backfill_ns: int | None = BACKFILL_NS,
    ) -> Metric:
        """Create a metric of a query or of a form, and return it; `backfill_ns` None takes all lines that there are.

        `QueryError` if it cannot be kept, `MetricExistsError` if there is one of that name.
        """
        since_ns = EVER if backfill_ns is None else max(EVER, now_ns - backfill_ns)
        form = None if isinstance(expr, str) else expr
        text = expr if isinstance(expr, str) else expression(expr)
        metric = metric_of(name, text, bucket_ns=bucket_ns, period_ns=period_ns, since_ns=since_ns, form=form)
        metric = replace(metric, uid=uuid.uuid4().hex, created_ns=now_ns)
        with self._control.transaction() as connection:
            if connection.execute(select(METRICS.c.name).where(METRICS.c.name == name)).first():
                raise MetricExistsError(f"the metric {name!r} is already created", hint="delete it to make it anew")
            if connection.execute(select(func.count()).select_from(METRICS)).scalar_one() >= limits.METRICS:
                raise QueryError(f"there are {limits.METRICS} metrics already", hint="delete some")
            connection.execute(insert(METRICS).values(**_values(metric)))
        return metric

    def list(self) -> list[Metric]:
        """Return all metrics by name."""
        with self._control.reading() as connection:
            return [_metric(row) for row in connection.execute(select(METRICS).order_by(METRICS.c.name))]

    def get(self, name: str) -> Metric | None:
        """Return a metric, None if there is none of that name."""
        with self._control.reading() as connection:
            row = connection.execute(select(METRICS).where(METRICS.c.name == name)).one_or_none()
        return None if row is None else _metric(row)

    def delete(self, name: str) -> bool:
        """Delete a metric; false if there is none of that name."""
        with self._control.transaction() as connection:
            return connection.execute(delete(METRICS).where(METRICS.c.name == name)).rowcount > 0


def _values(metric: Metric) -> dict[str, object]:
    return {
        "name": metric.name,
        "uid": metric.uid,
        "expr": metric.expr,
        "form": json.dumps(asdict(metric.form)) if metric.form else "",
        "bucket_ns": metric.bucket_ns,
        "period_ns": metric.period_ns,
        "since_ns": metric.since_ns,
        "created_ns": metric.created_ns,
    }


def _metric(row: Row[Any]) -> Metric:  # Any: as the database gives it
    form = Form(**json.loads(row.form)) if row.form else None
    return Metric(row.name, row.expr, row.bucket_ns, row.period_ns, row.since_ns, row.uid, row.created_ns, form)
