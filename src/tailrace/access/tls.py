"""TLS of what listens: one context for the HTTP port, syslog, Forward and gRPC; certificates are read anew.

Comes in: `TlsSettings`. Goes out: an `ssl.SSLContext` of TLS 1.2 and newer. Refuses files that cannot be read, a key
that does not fit, and a key that others may read. A certificate that is replaced is used for the next connection;
one that cannot be loaded is told of and the old one stays.
"""

from __future__ import annotations

import logging
import ssl
import threading
from typing import TYPE_CHECKING, Final

from tailrace.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.access.settings import TlsSettings

LOOK_S: Final = 10.0
"""Between two looks at the files of a certificate: renewals are announced days ahead."""

_LOGGER: Final = logging.getLogger(__name__)


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return a context that shows the certificate and, with `client_ca`, lets in only whom it certified.

    `ConfigError` when a file cannot be used.
    """
    if settings.certificate is None:
        raise ConfigError([Problem("$.tls.certificate", "no certificate is given", "name a PEM file")])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    _check_private(settings.key or settings.certificate, "$.tls.key" if settings.key else "$.tls.certificate")
    _load(context, settings.certificate, settings.key)
    if settings.client_ca is not None:
        try:
            context.load_verify_locations(settings.client_ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError([Problem("$.tls.client_ca", _why(settings.client_ca, error))]) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Renewal:
    """Looks at the files of a certificate now and then, and has the context show what is new."""

    def __init__(self, context: ssl.SSLContext, settings: TlsSettings) -> None:
        self._context, self._settings = context, settings
        self._seen = self._stamp()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="certificate", daemon=True)

    def start(self) -> None:
        """Look from now on, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> bool:
        """Load the certificate if its files changed; tell whether a new one is shown."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        certificate = self._settings.certificate
        if certificate is None:
            return False
        try:
            fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # half a pair in the used one would break it
            _load(fresh, certificate, self._settings.key)
            _load(self._context, certificate, self._settings.key)
        except ConfigError as error:
            self._seen = ()  # a pair is written file by file: look again
            _LOGGER.warning("tls: the old certificate stays in use: %s", error)
            return False
        return True

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        paths = [path for path in (self._settings.certificate, self._settings.key) if path is not None]
        try:
            found = [path.stat() for path in paths]
        except OSError:
            return ()
        return tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in found)

    def _run(self) -> None:
        while not self._ended.wait(LOOK_S):
            self.look()


def _check_private(path: Path, where: str) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError([Problem(where, _why(path, error))]) from None
    if mode & 0o007:
        hint = f"chmod o= {path}"
        raise ConfigError([Problem(where, f"{path} holds a private key, and everybody may use the file", hint)])


def _load(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    def password() -> str:  # else OpenSSL asks the terminal for it, and waits
        raise ConfigError([Problem("$.tls.key", f"{key or certificate} is locked by a password", "unlock a copy")])

    try:
        context.load_cert_chain(certificate, key, password)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError([Problem("$.tls.certificate", _why(certificate, error))]) from None


def _why(path: Path, error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"{path} cannot be used: {error.reason or 'it is no PEM file of this kind'}"
    return f"{path} cannot be read: {error.strerror}"
