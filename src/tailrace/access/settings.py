"""Settings of access and of TLS."""

from __future__ import annotations

import ipaddress
from pathlib import Path  # noqa: TC003  pydantic reads it
from typing import TYPE_CHECKING, Literal

from pydantic import field_validator, model_validator

from tailrace.settings import Mistake, Mistakes, Settings

if TYPE_CHECKING:
    from typing import Self


class AccessSettings(Settings):
    """Who may ask this server, and what it may call in turn."""

    tokens: Literal["optional", "required"] = "optional"
    """With `optional`, who reaches a loopback address, or shows a client certificate, needs no token; with `required`
    everybody does. On an address that other machines reach, a token or a certificate is always needed."""

    tenants: bool = False
    """Whether lines belong to tenants: a token of a tenant brings and reads lines of that tenant only, a token of
    none sees all lines. Tokens are required then."""

    call_private: tuple[str, ...] = ()
    """Names and networks (`alertmanager`, `10.0.0.0/8`) of this machine and of private networks that receivers saved
    over the API may be sent to. Receivers of this file may be sent anywhere."""

    secret_key_file: Path | None = None
    """File with the key that secrets of saved receivers are kept under, readable to its owner alone; servers that share
    a control database need the same one. None: `secret.key` in the data folder, which is made when it is not there."""

    @field_validator("call_private")
    @classmethod
    def _places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [index for index, one in enumerate(value) if not one.strip() or ("/" in one and not _network(one))]
        if wrong:
            what = "this is neither a name nor a network"
            raise Mistakes([Mistake(what, "write for example 10.0.0.0/8 or hooks.internal", (one,)) for one in wrong])
        return value


class TlsSettings(Settings):
    """The certificate that this server shows, and whom it believes."""

    certificate: Path | None = None
    """PEM file of the server's certificate and of those above it. Read again when it changes."""

    key: Path | None = None
    """PEM file of its private key; without it, it is looked for in `certificate`."""

    client_ca: Path | None = None
    """PEM file of the authorities whose client certificates are let in; all others are turned away. None: clients need
    no certificate."""

    @property
    def on(self) -> bool:
        """Tell whether TLS is spoken."""
        return self.certificate is not None

    @model_validator(mode="after")
    def _certified(self) -> Self:
        for name in ("key", "client_ca"):
            if self.certificate is None and getattr(self, name) is not None:
                raise Mistake(f"{name} is given without a certificate", "name the certificate too", (name,))
        return self


def _network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
