"""Settings of metrics: how long their numbers are kept, and who sees them."""

from __future__ import annotations

from pydantic import Field

from tailrace.settings import Settings


class RollupSettings(Settings):
    """Metrics over the lines, whose partial results are kept up to date."""

    keep: bool = True
    """Whether partial results are kept up to date here; without, queries read the lines."""

    days: float | None = Field(default=400.0, gt=0)
    """How long partial results are kept, counted from the time of their lines, which may be gone long before; null
    keeps them for ever."""

    expose: bool = False
    """Whether `/metrics` shows the newest value of each metric: those of the last period that is over."""
