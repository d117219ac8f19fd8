"""How far rules look back and how long they wait: the settings of alerting in nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.clock import NS_PER_S

if TYPE_CHECKING:
    from tailrace.alerts.settings import AlertSettings

DAY_NS: Final = 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Horizons:
    """Spans in nanoseconds; see `AlertSettings`, which has their defaults too."""

    grace_ns: int = 0
    max_wait_ns: int = 300 * NS_PER_S
    catch_up_ns: int = 7 * DAY_NS
    corrected_ns: int = DAY_NS
    known_ns: int = 7 * DAY_NS
    log_ns: int = 30 * DAY_NS

    @classmethod
    def of(cls, settings: AlertSettings) -> Horizons:
        """Return what settings say."""
        seconds = (
            settings.grace_s,
            settings.max_wait_s,
            settings.catch_up_days * 86_400,
            settings.correction_hours * 3_600,
            settings.known_days * 86_400,
            settings.log_days * 86_400,
        )
        return cls(*(round(span * NS_PER_S) for span in seconds))
