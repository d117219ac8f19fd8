"""Tell of alerts: everything of it put together, with the threads that do it.

Comes in: the outbox of the evaluations, alerts that are posted, and what people set. Goes out: calls of receivers.
`step` does what is due now and returns, so a test moves the clock and steps; in a server `start` has a thread do so
each second, and at once after `poke`. Deciding is one transaction after another; sending has a thread for each line,
so a receiver that hangs delays nobody else.

Several servers on one database may each run one: decisions are made by whoever comes first, and what is being sent is
held. Nothing that was decided is lost by a crash: see `delivery`.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, select

from tailrace.alerts.kept.tables import OUTBOX
from tailrace.alerts.notify import known, silences
from tailrace.alerts.notify.delivery import Deliveries
from tailrace.alerts.notify.dispatch import Dispatch
from tailrace.alerts.notify.intake import ROWS, Intake
from tailrace.alerts.notify.model import Refused
from tailrace.alerts.notify.policy import policy
from tailrace.alerts.notify.saved import SavedReceivers
from tailrace.alerts.notify.sending import attempt, channel
from tailrace.alerts.notify.settings import NotifySettings
from tailrace.alerts.notify.tables import DELIVERIES, GROUPS, LOG, TOLD
from tailrace.clock import NS_PER_S
from tailrace.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tailrace.access.outbound import Outbound
    from tailrace.access.sealed import Seal
    from tailrace.alerts.notify.alerts import KnownAlert
    from tailrace.alerts.notify.model import Channel
    from tailrace.alerts.notify.policy import Line, Policy
    from tailrace.alerts.notify.receivers import Receiver, Way
    from tailrace.alerts.notify.sending import Tried
    from tailrace.clock import Clock
    from tailrace.control import Control
    from tailrace.telemetry import Accounts

    Make = Callable[[Receiver, Way, Clock], Channel]

STEP_S: Final = 1.0
LOOKS: Final = 100
"""Groups that are looked at in one transaction."""
SENDERS: Final = 64
"""Lines that are sent to at once; each that hangs takes one for as long as its time limit."""
KEPT_NS: Final = 120 * 3600 * NS_PER_S
"""How long it is remembered what was told."""

_UPKEEP_S: Final = 600.0
_FAILED: Final = "Rounds of telling that failed as a whole."
_STOP_S: Final = 1.0  # that calls under way may take when the server stops; what is cut off is sent again
_LOGGER: Final = logging.getLogger(__name__)


class Notifier:
    """Tells of alerts until it is stopped.

    `make` makes the channel of one way to a receiver; `link` gives the page of a rule; `holder` is a
    name that no other process has. `outbound` says where receivers that people saved may be sent, `seal` keeps their
    secrets; without, they may be sent anywhere and are kept as they are.
    """

    def __init__(
        self,
        control: Control,
        settings: NotifySettings,
        *,
        clock: Clock,
        accounts: Accounts,
        external_labels: Mapping[str, str] | None = None,
        external_url: str = "",
        link: Callable[[str], str] = lambda _: "",
        holder: str = "here",
        make: Make = channel,
        outbound: Outbound | None = None,
        seal: Seal | None = None,
    ) -> None:
        self._control, self._settings, self._clock, self._accounts = control, settings, clock, accounts
        self._external_labels, self._external_url = dict(external_labels or {}), external_url
        self._link, self._make, self._outbound = link, make, outbound
        self.receivers = SavedReceivers(control, settings, clock, outbound, seal)
        self.silences = silences.Silences(control, clock)
        self.deliveries = Deliveries(control, clock, accounts, holder)
        self._mark: tuple[int, int] | None = None
        self._policy = policy(settings)
        self._channels: dict[str, Channel] = {}
        self._lock = threading.Lock()
        self._upkeep_s = 0.0
        self._stopping, self._woken = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)
        self._sending: dict[str, threading.Thread] = {}
        accounts.gauge(
            "tailrace_notifications_waiting", "Notifications that are to be sent, by receiver.", self._waiting
        )
        accounts.gauge(
            "tailrace_notifications_oldest_seconds", "How long the oldest one has waited, by receiver.", self._oldest
        )
        accounts.gauge(
            "tailrace_alert_outbox_age_seconds", "Age of the oldest alert that is in no group yet.", self._age
        )

    # --- what is done ---------------------------------------------------------------------------

    def step(self) -> int:
        """Decide what is due, and send it, here and now; return how many were sent."""
        self.decide()
        return sum(self._send(line) for line in self.deliveries.due())

    def decide(self) -> None:
        """Take alerts in and look at the groups that are due; nothing is sent."""
        self._renew_policy()
        while self._take() == ROWS:
            pass
        while self._look() == LOOKS:
            pass
        self._tidy()

    def post(self, alerts: Iterable[KnownAlert]) -> None:
        """Take alerts from elsewhere, durably."""
        self._renew_policy()
        now_ns = self._clock.now_ns()
        with self._control.transaction() as connection:
            dispatch = Dispatch(connection, self._policy, now_ns, self._external_url)
            Intake(connection, self._policy, dispatch, now_ns, self._external_labels).post(alerts)
        self.poke()

    def policy(self) -> Policy:
        """Return who is told of what now."""
        self._renew_policy()
        return self._policy

    def names(self) -> list[str]:
        """Return the names of the receivers."""
        lines = self.policy().lines.values()
        return sorted({line.receiver.name for line in lines} | set(self._settings.silent_receivers))

    def shown(self) -> Mapping[str, object]:
        """Return the settings and what was saved beside them, without secrets, as Alertmanager's file has them."""
        keys = set(NotifySettings.model_fields)
        shown = self._settings.model_dump(mode="json", include=keys, exclude_defaults=True)
        saved = [one for one in self.receivers.shown() if one["origin"] == "saved"]
        return {**shown, "saved_receivers": saved} if saved else shown

    def test(self, name: str) -> list[Tried] | None:
        """Send a receiver a message that says it is a test, here and now; None if there is no such receiver."""
        found = {line.receiver.name: line.receiver for line in self.policy().lines.values()}.get(name)
        return None if found is None else attempt(found, self._external_url, self._clock, self._bounds(found))

    def poke(self) -> None:
        """Have the thread look at once: there is news."""
        self._woken.set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way, within seconds; what is cut off will be sent again with the same key."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)
        until_s = time.monotonic() + _STOP_S
        for sender in list(self._sending.values()):
            sender.join(max(0.0, until_s - time.monotonic()))

    # --- deciding -------------------------------------------------------------------------------

    def _renew_policy(self) -> None:
        """Read receivers again that were saved since, and put alerts where routes want them now."""
        with self._lock:
            mark = self.receivers.mark()
            if mark == self._mark:
                return
            found = policy(self._settings, self.receivers.all())
            with self._control.transaction() as connection:
                known.reroute(connection, found, self._clock.now_ns())
            self._policy, self._mark = found, mark
            self._channels.clear()

    def _take(self) -> int:
        now_ns = self._clock.now_ns()
        with self._control.transaction() as connection:
            dispatch = Dispatch(connection, self._policy, now_ns, self._external_url)
            intake = Intake(connection, self._policy, dispatch, now_ns, self._external_labels)
            return intake.outbox(self._link)

    def _look(self) -> int:
        now_ns = self._clock.now_ns()
        with self._control.transaction() as connection:
            dispatch = Dispatch(connection, self._policy, now_ns, self._external_url)
            due = dispatch.due(LOOKS)
            for group in due:
                dispatch.look(group)
            if due:
                known.tidy(connection)
        return len(due)

    def _tidy(self) -> None:
        if self._clock.monotonic_s() < self._upkeep_s:
            return
        self._upkeep_s = self._clock.monotonic_s() + _UPKEEP_S
        now_ns = self._clock.now_ns()
        before_ns = now_ns - KEPT_NS
        with self._control.transaction() as connection:
            silences.forget(connection, now_ns)
            done = DELIVERIES.c.state.in_(("sent", "dropped")) & (DELIVERIES.c.done_ns < before_ns)
            connection.execute(delete(DELIVERIES).where(done))
            connection.execute(delete(TOLD).where(TOLD.c.at_ns < before_ns))
            quiet = (LOG.c.at_ns < before_ns) & LOG.c.group.not_in(select(GROUPS.c.id))
            connection.execute(delete(LOG).where(quiet))

    # --- sending --------------------------------------------------------------------------------

    def _send(self, line: str) -> int:
        return self.deliveries.send(line, lambda: self._channel(line), lambda: not self._stopping.is_set())

    def _channel(self, name: str) -> Channel:
        with self._lock:
            if name in self._channels:
                return self._channels[name]
            line: Line | None = self._policy.lines.get(name)
        if line is None:
            raise Refused(f"there is no receiver {name!r} any more")
        bounds = self._bounds(line.receiver)
        made = (
            self._make(line.receiver, line.way, self._clock)
            if bounds is None
            else channel(line.receiver, line.way, self._clock, bounds)
        )
        with self._lock:
            return self._channels.setdefault(name, made)

    def _bounds(self, receiver: Receiver) -> Outbound | None:
        """Return where a receiver may be sent; None: anywhere, since it stands in the configuration just so."""
        return None if receiver in self._settings.receivers else self._outbound

    def _send_all(self) -> None:
        """Have each line that has something to be sent do so in a thread of its own."""
        for line in self.deliveries.due():
            self._sending = {name: sender for name, sender in self._sending.items() if sender.is_alive()}
            if line not in self._sending and len(self._sending) < SENDERS:
                # no pool: its threads would be waited for at the end of the program, however long a call takes
                sender = threading.Thread(target=self._guarded, args=(line,), name="notify-send", daemon=True)
                sender.start()
                self._sending[line] = sender

    def _guarded(self, line: str) -> None:
        try:
            self._send(line)
        except TailraceError as error:  # the database is busy: what was sent and not marked is sent again
            _LOGGER.warning("notify: %s: %s", line, error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                self.decide()
                self._send_all()
            except TailraceError as error:
                _LOGGER.warning("notify: %s", error)
                self._accounts.count("tailrace_notify_failures_total", _FAILED)
            except Exception:  # a bug, which must not end all telling
                _LOGGER.exception("notify: a round failed")
                self._accounts.count("tailrace_notify_failures_total", _FAILED)
            self._clock.wait(self._woken, STEP_S)

    # --- gauges ---------------------------------------------------------------------------------

    def _waiting(self) -> list[tuple[Mapping[str, str], float]]:
        return [({"receiver": line}, count) for line, count, _ in self.deliveries.waiting()]

    def _oldest(self) -> list[tuple[Mapping[str, str], float]]:
        now_ns = self._clock.now_ns()
        return [({"receiver": line}, (now_ns - since_ns) / NS_PER_S) for line, _, since_ns in self.deliveries.waiting()]

    def _age(self) -> list[tuple[Mapping[str, str], float]]:
        wanted = select(func.min(OUTBOX.c.written_ns)).where(~OUTBOX.c.taken)
        with self._control.reading() as connection:
            since_ns = connection.execute(wanted).scalar()
        return [({}, 0.0 if since_ns is None else (self._clock.now_ns() - since_ns) / NS_PER_S)]
