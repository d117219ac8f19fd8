"""TLS of what calls: whom to believe, and how to show who we are. For sinks and for receivers of alerts.

Comes in: `ClientTls`, as people write it. Goes out: an `ssl.SSLContext` of TLS 1.2 and newer. A file that cannot be
used is a `TransientError`: one that is replaced just now may be there a moment later.
"""

from __future__ import annotations

import ssl
from pathlib import Path  # noqa: TC003  pydantic reads it
from typing import Self

from pydantic import model_validator

from tailrace.errors import TransientError
from tailrace.settings import Mistake, Settings


class ClientTls(Settings):
    """How the other side proves who it is, and how we do."""

    ca_file: Path | None = None
    """Certificates to trust instead of the system's, as PEM."""

    cert_file: Path | None = None
    """Our certificate, as PEM, where the receiver asks for one."""

    key_file: Path | None = None
    """The key of our certificate; may be left out when it stands in the same file."""

    insecure_skip_verify: bool = False
    """Take any certificate: whoever is in between can read and change everything. For tests."""

    @model_validator(mode="after")
    def _certified(self) -> Self:
        if self.key_file is not None and self.cert_file is None:
            raise Mistake("key_file is given without a certificate", "name cert_file too", ("key_file",))
        return self


def client_context(tls: ClientTls, *, needed: bool = True) -> ssl.SSLContext:
    """Return whom to trust; nobody where it is not `needed`, since reading the system's certificates takes 0.2 s."""
    if not needed:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file, _no_password)
    except (OSError, ssl.SSLError) as error:
        named = ", ".join(str(file) for file in (tls.ca_file, tls.cert_file, tls.key_file) if file)
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise TransientError(f"{named}: no certificates can be read: {reason or error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _no_password() -> str:
    return ""  # else OpenSSL asks the terminal for the password of a locked key, and waits
