"""Read what was told of alerts, of all rules or one, newest first: that they fire, that they are over, corrections."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from tailrace.alerts.kept.tables import OUTBOX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.control import Control


@dataclass(frozen=True, slots=True)
class News:
    """One thing that was told. `id` rises in the order of telling."""

    id: int
    rule: str
    kind: str  # `firing`, `resolved`, `correction`
    at_ns: int  # the window
    labels: Mapping[str, str]
    value: float | None
    starts_ns: int
    ends_ns: int
    written_ns: int


def news(
    control: Control, *, rule: str = "", kinds: Sequence[str] = (), before: int = 0, limit: int = 100
) -> list[News]:
    """Return what was told last, newest first; with `before` only what was told before the one of that id."""
    wanted = select(OUTBOX).order_by(OUTBOX.c.id.desc()).limit(limit)
    if rule:
        wanted = wanted.where(OUTBOX.c.rule == rule)
    if kinds:
        wanted = wanted.where(OUTBOX.c.kind.in_(kinds))
    if before:
        wanted = wanted.where(OUTBOX.c.id < before)
    with control.reading() as connection:
        return [_news(row) for row in connection.execute(wanted)]


def _news(row: Any) -> News:  # a row: SQLAlchemy types its columns as anything
    return News(
        row.id, row.rule, row.kind, row.at_ns, json.loads(row.labels), row.value, row.starts_ns, row.ends_ns,
        row.written_ns,
    )  # fmt: skip
