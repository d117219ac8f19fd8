"""What the settings of sinks that speak HTTP have in common: address, credentials, TLS, compression."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  pydantic reads it
from typing import Literal, Self

from pydantic import Field, model_validator

from tailrace.access.client_tls import ClientTls
from tailrace.secret import Secret  # noqa: TC001  pydantic reads it
from tailrace.settings import Mistake
from tailrace.sinks.settings import HttpUrl, SenderSettings, SinkSettings


class AddressSettings(SinkSettings):
    """Base of the settings of a sink that speaks to a web service: where it is, and who we are."""

    url: HttpUrl
    """Address of the receiver, without credentials."""

    user: str = ""
    """User of basic authentication."""

    password: Secret | None = None
    """Password of the user; better in a file of its own."""

    password_file: Path | None = None
    """File that holds the password; read again when the receiver refuses it."""

    token: Secret | None = None
    """Token that is sent as `Authorization: Bearer …`; better in a file of its own."""

    token_file: Path | None = None
    """File that holds the token; read again when the receiver refuses it."""

    headers: dict[str, Secret] = Field(default_factory=dict)
    """Further headers of every request; their values are shown to nobody."""

    tls: ClientTls = ClientTls()
    """How the receiver proves who it is, and how we do."""

    timeout_s: float = Field(default=30.0, gt=0, le=3_600)
    """How long one request may take."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        ways = [name for name in self._credentials() if getattr(self, name)]
        if len(ways) > 1:
            raise Mistake(f"{' and '.join(ways)} are given", "give one of them")
        if not self.user and ways and ways[0].startswith("password"):
            raise Mistake("a password is given without a user", "give 'user' too")
        for name, value in self.headers.items():
            if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
                raise Mistake(f"{name!r} cannot name a header", "use letters, digits, '-' and '_'", ("headers", name))
            if not value.shown():
                raise Mistake("a header must not be empty", "remove it", ("headers", name))
        return self

    def _credentials(self) -> tuple[str, ...]:
        """Return the keys of which at most one may be given."""
        return ("password", "password_file", "token", "token_file")


class ServiceSettings(AddressSettings, SenderSettings):
    """Base of the settings of a sink that sends rows to a web service."""

    compression: Literal["gzip", "none"] = "gzip"
    """How requests are compressed."""
