"""One web service that a sink sends to: requests, and what its answers mean for rows.

Comes in: a path, a body, headers. Goes out: the answer of a success. Raised is what `delivery` asks for: what passes
and what an operator can mend (no connection, 401, 403, 404, 408, 429, 5xx, a moved address) as `TransientError`, with
the time that `Retry-After` names as `LaterError`; what the receiver finds wrong with the body as `RefusedError`. No
message has a secret in it. Answers are read up to `ANSWER_BYTES`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import cramjam
import httpx

from tailrace import __version__, limits
from tailrace.access.client_tls import client_context
from tailrace.clock import NS_PER_S
from tailrace.errors import TransientError
from tailrace.patience import asked_s
from tailrace.secret import hide, secret_of
from tailrace.sinks.delivery import LaterError, RefusedError
from tailrace.sinks.service_settings import ServiceSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.access.client_tls import ClientTls
    from tailrace.clock import Clock
    from tailrace.sinks.service_settings import AddressSettings

ANSWER_BYTES: Final = 32 * limits.MIB
"""Longest answer: one item per row of a bulk request, with room for reasons."""

GZIP_LEVEL: Final = 4
"""Measured on JSON of access logs: 4 takes no longer than 1 and gives a tenth less."""

_SAID_CHARS: Final = 300
_TO_MEND: Final = {
    401: "check user and password, or the token",
    403: "check what the user or token may do",
    404: "check the address",
    405: "check the address",
    407: "a proxy asks for credentials",
}
_PASSING: Final = (408, 425, 429)
_SERVER: Final = 500
_LOGGER: Final = logging.getLogger(__name__)


class Service:
    """Connections to one web service; one thread uses it."""

    def __init__(self, settings: AddressSettings, clock: Clock) -> None:
        self._settings = settings
        self._compressed = isinstance(settings, ServiceSettings) and settings.compression == "gzip"
        self._clock = clock
        self._client: httpx.Client | None = None
        self._secrets: list[str] = []
        warn_if_insecure(settings.name, settings.tls)

    def close(self) -> None:
        """Close connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, accept: int = 0
    ) -> httpx.Response:
        """Send a request and return its answer, if that is a success or has the status `accept`."""
        sent = dict(headers or {})
        if body and self._compressed and "Content-Encoding" not in sent:
            body, sent["Content-Encoding"] = bytes(cramjam.gzip.compress(body, level=GZIP_LEVEL)), "gzip"
        client = self._connected()
        try:
            with client.stream(method, self._settings.url + path, content=body, headers=sent) as answer:
                answer._content = self._read(answer)  # noqa: SLF001  as httpx's own `read` does, with a bound
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise TransientError(f"{self._settings.url}: {hide(_plain(error), self._secrets)}") from None
        if answer.status_code == accept:
            return answer
        if answer.is_success:
            if answer.headers.get("Content-Type", "").startswith("text/html"):  # of a proxy: it took nothing
                raise TransientError(f"{self._settings.url}: answered with a page for people (check the address)")
            return answer
        raise self._failure(answer)

    def _connected(self) -> httpx.Client:
        if self._client is None:
            headers = {name: value.reveal() for name, value in self._settings.headers.items()}
            own, auth = self._credentials()
            self._secrets = [
                *headers.values(),
                *own.values(),
                *(auth or ())[1:],
                *(v.split()[-1] for v in own.values()),
            ]
            agent = {"User-Agent": f"tailrace/{__version__}"}
            self._client = httpx.Client(
                headers=agent | own | headers,
                auth=auth,
                verify=client_context(self._settings.tls, needed=self._settings.url.startswith("https:")),
                timeout=self._settings.timeout_s,
                trust_env=False,
            )
        return self._client

    def _credentials(self) -> tuple[dict[str, str], tuple[str, str] | None]:
        settings = self._settings
        if settings.user:
            return {}, (settings.user, secret_of(settings.password, settings.password_file) or "")
        token = secret_of(settings.token, settings.token_file)
        if token:
            return {"Authorization": f"Bearer {token}"}, None
        key = secret_of(getattr(settings, "api_key", None), getattr(settings, "api_key_file", None))
        return ({"Authorization": f"ApiKey {key}"} if key else {}), None

    def _read(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > ANSWER_BYTES:
                raise TransientError(f"{self._settings.url}: answered more than {ANSWER_BYTES >> 20} MiB")
        return bytes(body)

    def _failure(self, answer: httpx.Response) -> Exception:
        status = answer.status_code
        said = " ".join(answer.content.decode(errors="replace")[:_SAID_CHARS].split())  # whatever its charset says
        what = hide(f"{self._settings.url}: answered {status}" + (f": {said}" if said else ""), self._secrets)
        if status in _TO_MEND:
            self.close()  # a secret in a file may be another one now
            return TransientError(f"{what} ({_TO_MEND[status]})")
        if status in _PASSING or status >= _SERVER:
            after_s = asked_s(answer.headers.get("Retry-After", ""), self._clock.now_ns() / NS_PER_S)
            return TransientError(what) if after_s is None else LaterError(what, after_s)
        if answer.is_redirect or answer.is_informational:
            return TransientError(f"{what} (it has moved: give the address that it has now)")
        return RefusedError(what)


def warn_if_insecure(name: str, tls: ClientTls) -> None:
    """Say that a sink trusts anybody."""
    if tls.insecure_skip_verify:
        _LOGGER.warning("sink %s: insecure_skip_verify is set: whoever is in between can read and change what is sent",
                        name)  # fmt: skip


def _plain(error: Exception) -> str:
    said = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return f"{said} (give the CA's file: tls.ca_file)"
    return f"no connection: {said}" if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) else said
