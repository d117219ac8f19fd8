"""The words of telling: what a receiver is told, and what brings it there.

A `Notification` is one message about one group of alerts. A `Channel` is one way to one receiver (a webhook, an
address, another Alertmanager); a receiver has one or several. Values only, but for the two errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol

from tailrace.errors import TailraceError, TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

Status = Literal["firing", "resolved"]

Reason = Literal["first", "new_alerts", "some_resolved", "all_resolved", "repeat", "correction"]
"""Why a group is told: never before; an alert is new; some or all are over; time to repeat; it was told by mistake."""

CORRECTION: Final = "correction"
"""The annotation that an alert has which was told by mistake, as lines that came late show. It is `resolved`."""

KEY_HEADER: Final = "Idempotency-Key"
"""HTTP header in which a channel sends `Notification.key`; in a JSON body the key is named `idempotencyKey`."""


@dataclass(frozen=True, slots=True)
class ToldAlert:
    """One alert as it is told."""

    status: Status
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_ns: int
    ends_ns: int  # 0 while it fires
    generator_url: str
    fingerprint: str  # 16 hexadecimal digits: the same label set has the same
    value: float | None = None  # of the expression when it was told; None where it is not known: a foreign alert


@dataclass(frozen=True, slots=True)
class Notification:
    """What one channel of a receiver is told about one group of alerts.

    A repetition after a failure or a crash is equal in everything, `key` included; so a receiver that remembers keys
    hears everything once.
    """

    receiver: str  # its name
    group_key: str  # says which group: the same for all that is told about it
    group_labels: Mapping[str, str]
    common_labels: Mapping[str, str]  # that all its alerts have
    common_annotations: Mapping[str, str]
    alerts: tuple[ToldAlert, ...]  # firing ones first, then by labels; never empty
    external_url: str  # where people find this server
    key: str
    at_ns: int  # when it was decided
    reason: Reason
    truncated: int = 0  # alerts that were left out; a channel with a bound cuts and counts
    route_labels: Mapping[str, str] = field(default_factory=dict)  # that the route asks for with `=`

    @property
    def status(self) -> Status:
        """Return `firing` if any of its alerts fires."""
        return "firing" if any(alert.status == "firing" for alert in self.alerts) else "resolved"

    @property
    def firing(self) -> tuple[ToldAlert, ...]:
        """Return the alerts that fire."""
        return tuple(alert for alert in self.alerts if alert.status == "firing")

    @property
    def resolved(self) -> tuple[ToldAlert, ...]:
        """Return the alerts that are over."""
        return tuple(alert for alert in self.alerts if alert.status == "resolved")


class Refused(TailraceError):  # noqa: N818  reads as what happens: `raise Refused(...)`
    """A receiver will never take this message as it is: it is parked for a person to see, not sent again."""


class BusyError(TransientError):
    """A receiver asks to be left alone for a while: not to be called again before."""

    def __init__(self, what: str, after_s: float) -> None:
        self.after_s = after_s
        super().__init__(what)


class Channel(Protocol):
    """One way to one receiver. Made once from its settings, used for many notifications until the server stops.

    Must: return from `send` only when the receiver has taken the message; raise `TransientError` for what may work
    later (no connection, 5xx, 429; `BusyError` where the receiver says when) and `Refused` for what never will (other
    codes); end within its own time limit. May: block, since each channel has a thread of its own and is never called
    twice at once. Must not: try again itself, reorder, or show secrets in what it raises: the text is stored and shown.
    """

    @property
    def kind(self) -> str:
        """Return what it is, `webhook` for one."""
        ...

    @property
    def send_resolved(self) -> bool:
        """Return whether it is told of alerts that are over."""
        ...

    @property
    def renew_ns(self) -> int:
        """Return how often firing alerts must be told again since the receiver forgets them; 0 if it does not.

        A channel that renews is told at once: another Alertmanager waits and groups by itself.
        """
        ...

    def send(self, notification: Notification) -> None:
        """Tell, and return when the receiver has it."""
        ...
