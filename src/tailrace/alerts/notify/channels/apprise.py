"""Tell by any of the services that Apprise knows: Slack, Teams, Telegram, Discord and a hundred more.

Comes in: Apprise addresses, or those that Slack and Teams give out. Apprise says of a failure only what it logs: an
answer 4xx is final, everything else may pass. Of several addresses only those that failed are tried again. What
Apprise logs and what it says of an address may hold secrets, so nothing of it is repeated unhidden.
"""

from __future__ import annotations

import logging
import re
import threading
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from tailrace.alerts.notify.channels.partly import Partly
from tailrace.alerts.notify.model import Refused
from tailrace.errors import ConfigError, Problem, TransientError, did_you_mean
from tailrace.secret import SecretUrl, hide, parts_of, secret_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import apprise

    from tailrace.alerts.notify.message import Message, Writing
    from tailrace.alerts.notify.model import Notification
    from tailrace.alerts.notify.ways import AppriseSettings

_STATUS: Final = re.compile(r"error[ =](\d{3})\b")
_BUSY: Final = ("408", "425", "429")


class Apprise:
    """Sends to the addresses of one receiver."""

    renew_ns: ClassVar = 0

    def __init__(
        self, settings: AppriseSettings, writing: Writing, *, kind: str = "apprise", send_resolved: bool = True
    ) -> None:
        self.kind = kind
        self.send_resolved = send_resolved
        self._settings = settings
        self._writing = writing
        self._partly = Partly()
        self._hanging: dict[str, threading.Thread] = {}  # the last call to each address
        logging.getLogger("apprise").propagate = False  # it logs secrets, as of an address that it cannot read
        logging.getLogger("urllib3").setLevel(logging.WARNING)  # it logs addresses
        problems = [Problem(f"$.{kind}.urls[{index}]", what, hint) for index, what, hint in unreadable(settings)]
        if problems:
            raise ConfigError(problems)

    def send(self, notification: Notification) -> None:
        """Send to all addresses that do not have it yet; raise what failed, temporary failures first."""
        message, final, passing = self._writing(notification), list[str](), list[str]()
        for url in self._partly.left(notification.key, self._urls()):
            failure = self._told(url, message, firing=notification.status == "firing")
            if failure is None:
                self._partly.reached(notification.key, [url])
            else:
                (final if _is_final(failure) else passing).append(f"{_where(url)}: {hide(failure, parts_of(url))}")
        if passing:
            raise TransientError("; ".join((*passing, *final)))
        if final:
            raise Refused("; ".join(final))
        self._partly.done(notification.key)

    def _told(self, url: str, message: Message, *, firing: bool) -> str | None:
        """Send to one address; return what Apprise logs if that fails."""
        from apprise import NotifyFormat, NotifyType

        service = _service(url)
        if service is None:
            return _unknown(url)  # of the environment or a file, where it can be put right
        call = partial(
            service.notify,
            body=message.body,
            title=message.title,
            notify_type=NotifyType.FAILURE if firing else NotifyType.SUCCESS,
            body_format=NotifyFormat.TEXT,
        )
        result = self._in_time(url, call)
        if result is None:
            return f"no answer within {self._settings.timeout_s:g} s"
        if result:
            return None
        said = [entry.message for entry in result.logs()]
        return " ".join(" ".join(said).split()) or "it could not be sent"

    def _in_time(self, url: str, call: Callable[[], apprise.AppriseResult]) -> apprise.AppriseResult | None:
        """Return what a call gives, None if it takes too long.

        Apprise's own time limit keeps the call in one of few threads that all receivers share and that the end of the
        program waits for. Here it is left to itself in a thread of its own, and no other one is begun before it ends.
        """
        before = self._hanging.get(url)
        if before is not None and before.is_alive():
            return None
        results = list["apprise.AppriseResult"]()
        failures = list[Exception]()

        def run() -> None:
            try:
                results.append(call())
            except Exception as error:  # noqa: BLE001  raised again by who waits
                failures.append(error)

        self._hanging[url] = thread = threading.Thread(target=run, name="apprise", daemon=True)
        thread.start()
        thread.join(self._settings.timeout_s)
        if failures:
            raise failures[0]
        return results[0] if results else None

    def _urls(self) -> list[str]:
        urls = [url.reveal() for url in self._settings.urls]
        listed = secret_of(None, self._settings.urls_file) or ""
        return [*urls, *filter(None, map(str.strip, listed.splitlines()))]


def unreadable(settings: AppriseSettings) -> Iterator[tuple[int, str, str]]:
    """Yield the places of addresses that Apprise cannot read, what is wrong and what to do.

    Those that are in the environment or in a file are read when they are used.
    """
    for index, secret in enumerate(settings.urls):
        if not secret.shown().startswith("env:") and _service(secret.reveal()) is None:
            yield index, _unknown(secret.reveal()), _hint(secret.reveal())


def _service(url: str) -> apprise.Apprise | None:
    """Return what sends to one address, None if there is no such thing."""
    import apprise

    asset = apprise.AppriseAsset(app_id="Tailrace", app_desc="Tailrace alerts", async_mode=False, service_timeout=0)
    service = apprise.Apprise(asset=asset)
    if not service.add(url):
        return None
    for one in service:
        if "overflow=" not in url:
            one.overflow_mode = apprise.OverflowMode.SPLIT  # a service refuses what is longer than it takes
    return service


def _is_final(failure: str) -> bool:
    status = _STATUS.search(failure)
    return status is not None and status[1].startswith("4") and status[1] not in _BUSY


def _where(url: str) -> str:
    return SecretUrl(url).shown()


def _unknown(url: str) -> str:
    return f"Apprise cannot read this address, {_where(url)}"


def _hint(url: str) -> str:
    scheme = url.partition("://")[0]
    known = _schemes()
    if scheme in known:
        return f"look up how addresses of {scheme}:// are written"
    return did_you_mean(scheme, known) or "write it as scheme://…"


def _schemes() -> list[str]:
    from apprise.manager_plugins import NotificationManager

    return list(NotificationManager().schemas())  # type: ignore[no-untyped-call]  # they are not annotated
