"""Read Alertmanager's own file, `alertmanager.yml`: routes, receivers, inhibitions and time intervals.

Comes in: YAML. Goes out: `NotifySettings`. Ways of receivers that Tailrace has too are taken over with what `global`
says for them; a way that it has not, or a key that would be ignored, is refused at its place: nobody should believe
that it works. A receiver without any way tells nobody, as there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from tailrace.alerts.notify.settings import NotifySettings
from tailrace.config.document import Document, read_document
from tailrace.config.problems import explain, found_text
from tailrace.config.text import text_of
from tailrace.errors import ConfigError, Problem, did_you_mean
from tailrace.query.literals import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tailrace.config.trail import Trail

    Values = dict[str, Any]  # YAML of several kinds

_END: Final = "_configs"
_PLAIN: Final = ("route", "inhibit_rules", "time_intervals", "mute_time_intervals")
_HTTP: Final = {
    "basic_auth": "basic_auth",
    "bearer_token": "bearer_token",
    "bearer_token_file": "bearer_token_file",
    "tls_config": "tls",
    "proxy_url": "proxy",
}
_WEBHOOK: Final = {"url": "url", "url_file": "url_file", "max_alerts": "max_alerts"}
_EMAIL: Final = {
    "to": "to",
    "from": "from",
    "smarthost": "smarthost",
    "hello": "hello",
    "auth_username": "username",
    "auth_password": "password",
    "auth_password_file": "password_file",
    "tls_config": "tls",
}
_PAGERDUTY: Final = {"routing_key": "routing_key", "routing_key_file": "routing_key_file", "url": "url"}
_GLOBAL: Final = {
    "email": {
        "smtp_from": "from",
        "smtp_smarthost": "smarthost",
        "smtp_hello": "hello",
        "smtp_auth_username": "auth_username",
        "smtp_auth_password": "auth_password",
        "smtp_auth_password_file": "auth_password_file",
        "smtp_require_tls": "require_tls",
    },
    "slack": {"slack_api_url": "api_url", "slack_api_url_file": "api_url_file"},
    "pagerduty": {"pagerduty_url": "url"},
}
"""What `global` says for each way, and the key of the way that it stands for."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of receivers there: which way it is here, which keys mean the same, and which words are templates."""

    way: str
    keys: Mapping[str, str]
    told_ends: bool  # whether it is told of the end of alerts unless it says otherwise
    title: str = ""
    body: str = ""
    http: bool = True
    urls: tuple[str, str] | None = None  # the keys of an address, and of a file that holds it
    more: Callable[[Values], Values] = field(default=lambda _: {})
    reads: tuple[str, ...] = ()  # what `more` reads


def _encryption(given: Values) -> Values:
    return {"encryption": "none"} if given.get("require_tls") is False else {}


def _addresses(given: Values) -> Values:
    to = given.get("to")
    return {"to": [one.strip() for one in to.split(",")]} if isinstance(to, str) else {}


def _timeout(given: Values) -> Values:
    span_ns = duration(str(given["timeout"])) if given.get("timeout") else None
    return {"timeout_s": span_ns / 1e9} if span_ns else {}


_KINDS: Final = {
    "webhook": _Kind("webhook", _WEBHOOK, True, more=_timeout, reads=("timeout",)),
    "email": _Kind(
        "email",
        _EMAIL,
        False,
        body="text",
        http=False,
        more=lambda given: {**_encryption(given), **_addresses(given)},
        reads=("require_tls",),
    ),
    "pagerduty": _Kind("pagerduty", _PAGERDUTY, True, title="description"),
    "slack": _Kind("slack", {}, False, "title", "text", False, ("api_url", "api_url_file")),
    "msteams": _Kind("teams", {}, True, "title", "text", False, ("webhook_url", "webhook_url_file")),
    "msteamsv2": _Kind("teams", {}, True, "title", "text", False, ("webhook_url", "webhook_url_file")),
    "discord": _Kind("apprise", {}, True, "title", "message", False, ("webhook_url", "webhook_url_file")),
}


def load_alertmanager(path: Path) -> NotifySettings:
    """Return what a file says; `ConfigError` with all that is wrong in it."""
    return parse_alertmanager(text_of(path), str(path))


def parse_alertmanager(text: str, file: str | None = None) -> NotifySettings:
    """Return what a text says."""
    document = read_document(text, None)
    value = document.value
    if not isinstance(value, dict):
        document.refuse((), document.places.get(()), f"expected a mapping of keys to values, got {found_text(value)}")
        value = {}
    reader = _Reader(document, value)
    settings = reader.settings()
    if document.problems:
        found = [problem for several in document.problems.values() for problem in several]
        raise ConfigError(sorted(found, key=lambda each: (each.line or 0, each.column or 0)), file=file)
    return settings


class _Reader:
    """Turns the values of one file into ours."""

    def __init__(self, document: Document, value: Values) -> None:
        self._document, self._value = document, value
        common = value.get("global") or {}
        self._common: Values = common if isinstance(common, dict) else {}
        self._trails: list[Trail] = []  # of each of our receivers

    def settings(self) -> NotifySettings:
        """Return the settings; what is wrong is noted in the document."""
        self._known_keys()
        receivers, silent = self._receivers()
        ours = {key: self._value[key] for key in _PLAIN if self._value.get(key) is not None}
        ours |= {"receivers": receivers, "silent_receivers": silent, **self._resolve_timeout()}
        if not isinstance(self._value.get("route"), dict):
            self._refuse(("route",), "a route is required, with a receiver for all alerts", "route: {receiver: NAME}")
        try:
            return NotifySettings.model_validate(ours, context={"several": True})
        except ValidationError as error:
            for trail, problem in explain(error.errors(), ours, self._document, NotifySettings):
                self._note(trail, problem)
            return NotifySettings()

    # --- what is wrong --------------------------------------------------------------------------

    def _refuse(self, trail: Trail, what: str, hint: str = "") -> None:
        places = [
            self._document.keys.get(trail[:end]) or self._document.places.get(trail[:end]) for end in _ends(trail)
        ]
        self._document.refuse(trail, next(filter(None, places), None), what, hint)

    def _note(self, trail: Trail, problem: Problem) -> None:
        """Note what our models refuse, where it stands in the file."""
        if trail[:1] == ("receivers",) and len(trail) > 1 and isinstance(trail[1], int):
            trail = (*self._trails[trail[1]], *trail[3:])
        if trail not in self._document.problems:
            self._refuse(trail, problem.what, problem.hint)

    def _known_keys(self) -> None:
        known = ("global", "receivers", "templates", *_PLAIN)
        for key in self._value:
            if key not in known:
                self._refuse((key,), f"unknown key {key!r}", did_you_mean(key, known))
        if self._value.get("templates"):
            self._refuse(("templates",), "files of templates are not read", "write title and body at the receiver")
        words = {"resolve_timeout", "http_config", *(key for keys in _GLOBAL.values() for key in keys)}
        for key in self._common:
            if key not in words:
                self._refuse(("global", key), f"{key!r} has no meaning here", did_you_mean(key, words))

    # --- receivers ------------------------------------------------------------------------------

    def _resolve_timeout(self) -> Values:
        text = self._common.get("resolve_timeout")
        span_ns = None if text is None else duration(str(text))
        if text is not None and not span_ns:
            self._refuse(("global", "resolve_timeout"), f"{found_text(text)} is no duration", "as in 5m")
        return {"resolve_timeout_s": span_ns / 1e9} if span_ns else {}

    def _receivers(self) -> tuple[list[Values], list[str]]:
        ours, silent = list["Values"](), list[str]()
        given = self._value.get("receivers") or []
        for index, receiver in enumerate(given if isinstance(given, list) else []):
            trail: Trail = ("receivers", index)
            if not isinstance(receiver, dict) or not isinstance(receiver.get("name"), str) or not receiver["name"]:
                self._refuse(trail, "this receiver has no name", "write name: …")
                continue
            name, ways = receiver["name"], list(self._ways(receiver, trail))
            if name in {one["name"] for one in ours} | set(silent):
                self._refuse((*trail, "name"), f"the name {name!r} is taken already", "give each its own")
            silent += [] if ways else [name]
            ours += [{"name": name, **way} for way in ways]
        return ours, silent

    def _ways(self, receiver: Values, trail: Trail) -> Iterator[Values]:
        for key, several in receiver.items():
            kind = _KINDS.get(key.removesuffix(_END)) if key.endswith(_END) else None
            if key == "name" or not several:
                continue
            if kind is None:
                hint = f"those that are: {', '.join(_KINDS)}; in Tailrace's own settings `apprise` reaches many more"
                self._refuse(
                    (*trail, key), f"receivers of the kind {key.removesuffix(_END)!r} are not known here", hint
                )
                continue
            for number, one in enumerate(several if isinstance(several, list) else [several]):
                here = (*trail, key, number)
                if isinstance(one, dict):
                    self._trails.append(here)
                    yield self._way(kind, {**self._defaults(key.removesuffix(_END)), **one}, here)
                else:
                    self._refuse(here, f"expected a mapping of keys to values, got {found_text(one)}")

    def _defaults(self, kind: str) -> Values:
        words = _GLOBAL.get(kind, {})
        return {own: self._common[key] for key, own in words.items() if self._common.get(key) is not None}

    def _way(self, kind: _Kind, given: Values, trail: Trail) -> Values:
        ours = {own: given[key] for key, own in kind.keys.items() if given.get(key) is not None}
        known = {"send_resolved", kind.title, kind.body, *kind.keys, *kind.reads, *(kind.urls or ())}
        if kind.http:
            known.add("http_config")
            http = given.get("http_config", self._common.get("http_config")) or {}
            ours |= self._http(http, (*trail, "http_config"))
        for key, own in zip(kind.urls or (), ("urls", "urls_file"), strict=False):
            if given.get(key) is not None:
                ours[own] = [given[key]] if own == "urls" else given[key]
        for key in given:
            if key not in known:
                self._refuse(
                    (*trail, key), f"{key!r} is not taken over", did_you_mean(key, known - {""}) or "leave it out"
                )
        words = {"title": kind.title, "body": kind.body}
        texts = {own: given[key] for own, key in words.items() if key and given.get(key)}
        return {
            kind.way: {**ours, **kind.more(given)},
            "send_resolved": given.get("send_resolved", kind.told_ends),
            **texts,
        }

    def _http(self, http: object, trail: Trail) -> Values:
        if not isinstance(http, dict):
            self._refuse(trail, f"expected a mapping of keys to values, got {found_text(http)}")
            return {}
        ours = {own: http[key] for key, own in _HTTP.items() if http.get(key) is not None}
        token = http.get("authorization") or {}
        if isinstance(token, dict) and str(token.get("type", "Bearer")).lower() == "bearer":
            words = {"credentials": "bearer_token", "credentials_file": "bearer_token_file"}
            ours |= {own: token[key] for key, own in words.items() if token.get(key) is not None}
        elif token:
            self._refuse((*trail, "authorization"), "only the type Bearer is known", "or write basic_auth")
        for key in http:
            if key not in _HTTP and key not in ("authorization", "follow_redirects", "enable_http2"):
                self._refuse((*trail, key), f"{key!r} is not taken over", did_you_mean(key, _HTTP) or "leave it out")
        return ours


def _ends(trail: Trail) -> range:
    return range(len(trail), -1, -1)
