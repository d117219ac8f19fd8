"""Settings of the ways by which a receiver is told: mail, services over HTTP, PagerDuty, whatever Apprise knows.

Comes in: the mappings below a receiver. Goes out: the settings that `channels` send by. Refuses unknown keys,
addresses that are none, and two sources of one secret; no message repeats a secret. Reading them loads no client.
"""

from __future__ import annotations

from email.utils import formataddr, getaddresses, parseaddr
from pathlib import Path  # noqa: TC003  pydantic reads it
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from tailrace.access.client_tls import ClientTls
from tailrace.secret import Secret, SecretUrl
from tailrace.settings import Mistake, Mistakes, Settings

if TYPE_CHECKING:
    from typing import Self


_PORT_MAX: Final = 65_535


# --- what several ways share ----------------------------------------------------------------------


def _http(text: str) -> str:
    """Return the address of a service; who may use it stands beside it, where it is not shown."""
    try:
        parts = urlsplit(text)
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fine = False
    if not fine:
        raise Mistake("this is no address of a web service", "write http://HOST:PORT or https://HOST")
    if parts.username is not None:
        raise Mistake("this address has a user in it, who would be shown", "write the user below basic_auth")
    return text


def _secret_http(url: SecretUrl) -> SecretUrl:
    text = url.shown()
    if not text.startswith("env:") and not text.startswith(("http://", "https://")):
        raise Mistake("this is no address of a web service", "write http://HOST:PORT/PATH, https://… or env:NAME")
    return url


def _one_secret(text: object, file: object, name: str) -> list[Mistake]:
    if text is not None and file is not None:
        return [Mistake(f"both {name} and {name}_file are given", "keep one of them", (f"{name}_file",))]
    return []


def _refuse(mistakes: list[Mistake]) -> None:
    if mistakes:
        raise Mistakes(mistakes)


def unseen(value: object) -> object:
    """Refuse what is no mapping without repeating it: a secret may have been written in its place."""
    if value is None or isinstance(value, dict | Settings):
        return value
    raise Mistake("expected a mapping of keys to values", "its keys are in the reference of the configuration")


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str | Secret) else value


def _addresses(value: object) -> object:
    """Return the addresses of texts, each of which may have several, as headers of a mail have them."""
    given = list(value) if isinstance(value, list | tuple) else [value]
    texts = [one for one in given if isinstance(one, str)]
    return [formataddr(one) for one in getaddresses(texts)] if len(texts) == len(given) else value


_ADDRESSES: Final = BeforeValidator(_addresses, json_schema_input_type=str | list[str])
_LISTED: Final = BeforeValidator(_listed, json_schema_input_type=str | list[str])
Url = Annotated[str, AfterValidator(_http)]
HiddenUrl = Annotated[SecretUrl, AfterValidator(_secret_http)]
Timeout = Annotated[float, Field(gt=0, le=300)]


class BasicAuth(Settings):
    """A user and a password, sent with each request."""

    username: str = Field(min_length=1)
    """Name of the user."""

    password: Secret | None = None
    """The password, or `env:NAME`."""

    password_file: Path | None = None
    """A file that holds it; it is read again at each use."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        _refuse(_one_secret(self.password, self.password_file, "password"))
        return self


class Connection(Settings):
    """How a service is reached."""

    tls: ClientTls = ClientTls()
    """Whom to trust, for addresses with https."""

    proxy: HiddenUrl | None = None
    """Address of a proxy to go through; the environment's are not used."""

    timeout_s: Timeout = 10.0
    """Seconds that a request may take before it counts as failed."""


class HttpSettings(Connection):
    """How a service is reached, and how it is shown who we are."""

    basic_auth: Annotated[BasicAuth | None, BeforeValidator(unseen)] = None
    """User and password."""

    bearer_token: Secret | None = None
    """Token for the header `Authorization: Bearer …`, or `env:NAME`."""

    bearer_token_file: Path | None = None
    """A file that holds the token; it is read again at each use."""

    headers: Annotated[dict[str, Secret], BeforeValidator(unseen)] = Field(default_factory=dict)
    """Further headers; their values are not shown."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        mistakes = _one_secret(self.bearer_token, self.bearer_token_file, "bearer_token")
        if self.basic_auth and (self.bearer_token or self.bearer_token_file):
            mistakes.append(Mistake("both basic_auth and a bearer token are given", "keep one of them"))
        _refuse(mistakes)
        return self


# --- the ways -------------------------------------------------------------------------------------


class AlertmanagerSettings(HttpSettings):
    """Prometheus Alertmanagers: each is told of every alert, again and again while it fires, as Prometheus does."""

    urls: Annotated[tuple[Url, ...], _LISTED, Field(min_length=1)]
    """Their addresses, as `http://127.0.0.1:9093`; those of one cluster all belong here."""

    renew_s: float = Field(60.0, ge=1, le=3600)
    """Seconds after which an alert that fires is told again; after four times as many without, it ends there."""


class WebhookSettings(HttpSettings):
    """A service that takes what Alertmanager posts to webhooks, version 4 of it."""

    url: HiddenUrl | None = None
    """Where to post to, or `env:NAME`; only its host is shown."""

    url_file: Path | None = None
    """A file that holds the address."""

    max_alerts: int = Field(0, ge=0)
    """Alerts in one message; the others are only counted in `truncatedAlerts`. 0: all."""

    @model_validator(mode="after")
    def _where(self) -> Self:
        _refuse(_wanted(self.url, self.url_file, "url"))
        return self


def _wanted(text: object, file: object, name: str) -> list[Mistake]:
    if text is None and file is None:
        return [Mistake("this key is required", f"or {name}_file", (name,))]
    return _one_secret(text, file, name)


class EmailSettings(Settings):
    """Mail over SMTP, one message for all addresses."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    smarthost: str
    """`HOST:PORT` of the server that takes mail; the port is 587 where none is given."""

    sender: str = Field(alias="from", min_length=1)
    """Address that the mail is from."""

    to: Annotated[tuple[str, ...], _ADDRESSES, Field(min_length=1)]
    """Addresses that it goes to: a list, or a text with commas between."""

    username: str = ""
    """User of the mail server; nobody logs in without."""

    password: Secret | None = None
    """The password, or `env:NAME`."""

    password_file: Path | None = None
    """A file that holds it; it is read again at each use."""

    encryption: Literal["auto", "starttls", "tls", "none"] = "auto"
    """How the connection is protected: by `starttls` after the greeting, by `tls` from the start, or not at all.
    `auto` is `tls` for port 465 and `starttls` for all others; mail is not sent where that is not offered."""

    tls: ClientTls = ClientTls()
    """Whom to trust."""

    hello: str = ""
    """Name by which we greet the server; this machine's where it is empty."""

    timeout_s: Timeout = 30.0
    """Seconds that one step of the conversation may take."""

    @model_validator(mode="after")
    def _login(self) -> Self:
        mistakes = _one_secret(self.password, self.password_file, "password")
        if bool(self.username) != bool(self.password or self.password_file):
            mistakes.append(Mistake("a user needs a password, and a password a user", "give both, or none"))
        host, _, port = _host_port(self.smarthost)
        if not host or (port and not (port.isascii() and port.isdigit() and 0 < int(port) <= _PORT_MAX)):
            hint = "write for example mail.example.com:587"
            mistakes.append(Mistake("this is no host with a port", hint, ("smarthost",)))
        for index, address in enumerate((self.sender, *self.to)):
            if "@" not in parseaddr(address)[1] or any(sign in address for sign in "\r\n"):
                below = ("to", index - 1) if index else ("from",)
                mistakes.append(Mistake(f"{address!r} is no mail address", "write name@example.com", below))
        _refuse(mistakes)
        return self

    @property
    def host(self) -> str:
        """The host of the mail server."""
        return _host_port(self.smarthost)[0]

    @property
    def port(self) -> int:
        """Its port."""
        return int(_host_port(self.smarthost)[2] or 587)


def _host_port(text: str) -> tuple[str, str, str]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, ":", rest.removeprefix(":")
    return text.partition(":")


class PagerDutySettings(Connection):
    """PagerDuty's Events API v2: an incident for each group, which ends when its alerts do."""

    routing_key: Secret | None = None
    """Integration key of the service, or `env:NAME`."""

    routing_key_file: Path | None = None
    """A file that holds it."""

    url: Url = "https://events.pagerduty.com/v2/enqueue"
    """Where events are sent to; `https://events.eu.pagerduty.com/v2/enqueue` in Europe."""

    severity: Literal["critical", "error", "warning", "info"] = "error"
    """Severity of incidents whose alerts do not share a label `severity` with one of these values."""

    @model_validator(mode="after")
    def _key(self) -> Self:
        _refuse(_wanted(self.routing_key, self.routing_key_file, "routing_key"))
        return self


class AppriseSettings(Settings):
    """Any of the services that Apprise knows, by its addresses: Slack, Teams, Telegram, Discord and a hundred more."""

    urls: Annotated[tuple[SecretUrl, ...], _LISTED] = ()
    """Addresses, as `slack://…`, `tgram://…`, the address of an incoming webhook of Slack or Teams, or `env:NAME`."""

    urls_file: Path | None = None
    """A file that holds addresses, one a line."""

    timeout_s: Timeout = 30.0
    """Seconds that one service may take."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.urls and self.urls_file is None:
            raise Mistake("no address is given", "write urls: [slack://…], or urls_file")
        return self
