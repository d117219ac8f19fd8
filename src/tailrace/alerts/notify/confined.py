"""What a receiver that was saved over the API may not do: receivers of the configuration are the operator's own.

Who saves a receiver need not be who runs the server. So such a receiver may not read the server's files or environment
(its secrets are written into it), and it is sent to the outside only: see `access.outbound`. Mail servers and services
are looked at when they are saved, and once more at each call. Apprise opens its connections itself: of its services
those are allowed that have one place of their own, such as Slack, and hosts that the operator named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tailrace.access.outbound import ForbiddenError
from tailrace.errors import DataError
from tailrace.secret import Secret
from tailrace.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tailrace.access.outbound import Outbound
    from tailrace.alerts.notify.receivers import Receiver

_PORTS: Final = {"http": 80, "https": 443}
_HOSTED: Final = (".logic.azure.com", ".powerplatform.com", ".webhook.office.com")
"""Where Microsoft's workflows live: addresses of them name a host, as those of no other service of one place do."""


def check(receiver: Receiver, outbound: Outbound) -> None:
    """Refuse a receiver that may not be saved, with everything that is wrong; `DataError`."""
    wrong = [f"$.receiver.{where}: {what}" for where, what in _reading(receiver, "")]
    for where, host, port in _places(receiver):
        try:
            outbound.check(host, port)
        except ForbiddenError as error:
            wrong.append(f"$.receiver.{where}: {error}")
    wrong += [f"$.receiver.{where}: {_UNNAMED}" for where in _hosts_of_apprise(receiver, outbound)]
    if wrong:
        raise DataError("; ".join(wrong))


_UNNAMED: Final = (
    "services that are called at a host of your choice may not be saved over the API: name the host in "
    "access.call_private, or write the receiver into the configuration"
)


def _reading(value: object, where: str) -> Iterator[tuple[str, str]]:
    """Yield what would read the server's files or environment."""
    if isinstance(value, Settings):
        for name in type(value).model_fields:
            inner: Path | object = getattr(value, name)
            below = f"{where}.{name}" if where else name
            if inner is not None and name.endswith("_file"):
                yield below, "a receiver that is saved over the API may not read files of the server"
            else:
                yield from _reading(inner, below)
    elif isinstance(value, Secret):
        if value.shown().startswith("env:"):
            yield where, "a receiver that is saved over the API may not read the server's environment"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _reading(inner, f"{where}.{key}")
    elif isinstance(value, tuple):
        for index, inner in enumerate(value):
            yield from _reading(inner, f"{where}[{index}]")


def _places(receiver: Receiver) -> Iterator[tuple[str, str, int]]:
    """Yield the hosts and ports that a receiver has us call, and where it says so."""
    for way in ("alertmanager", "webhook", "pagerduty"):
        settings = getattr(receiver, way)
        if settings is None:
            continue
        urls: list[tuple[str, object]] = [("proxy", settings.proxy)]
        urls += [(f"urls[{at}]", url) for at, url in enumerate(getattr(settings, "urls", ()))]
        urls += [("url", getattr(settings, "url", None))]
        for name, url in urls:
            text = _text(url)
            if text and not text.startswith("env:"):
                parts = urlsplit(text)
                yield f"{way}.{name}", parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)
    if receiver.email is not None:
        yield "email.smarthost", receiver.email.host, receiver.email.port


def _hosts_of_apprise(receiver: Receiver, outbound: Outbound) -> Iterator[str]:
    for way in ("slack", "teams", "apprise"):
        settings = getattr(receiver, way)
        for at, url in enumerate(settings.urls if settings is not None else ()):
            text = _text(url)
            if not text.startswith("env:") and not apprise_may(text, outbound):
                yield f"{way}.urls[{at}]"


def apprise_may(url: str, outbound: Outbound) -> bool:
    """Tell whether a service of Apprise has a place of its own, or one that the operator named."""
    import apprise

    made = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if made is None:
        return True  # it cannot be read, which is said elsewhere
    templates: tuple[str, ...] = made.templates
    if outbound.trusting or not any("{host}" in template for template in templates):
        return True
    host = str(getattr(made, "host", "") or urlsplit(url).hostname or "").lower()
    return outbound.named(host) or any(host.endswith(one) for one in _HOSTED)


def _text(url: object) -> str:
    if isinstance(url, Secret):
        return url.shown() if url.shown().startswith("env:") else url.reveal()
    return url if isinstance(url, str) else ""
