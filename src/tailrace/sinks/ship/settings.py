"""Settings of the sink that sends to servers."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  pydantic reads it
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from tailrace import limits
from tailrace.access.client_tls import ClientTls
from tailrace.secret import Secret  # noqa: TC001  pydantic reads it
from tailrace.settings import Mistake
from tailrace.sinks.settings import DEAD_LETTER_BYTES, HttpUrl, SinkName, SinkSettings

if TYPE_CHECKING:
    from typing import Self


class ShipSettings(SinkSettings):
    """Tailrace servers that take what is read here. They share one table, so any of them will do."""

    type: Literal["ship"] = "ship"
    """The kind of sink."""

    name: SinkName = "ship"
    """Name of the sink."""

    servers: Annotated[tuple[HttpUrl, ...], Field(min_length=1)]
    """Addresses of the servers, as `https://example.com:9080`. One is used until it fails, then the next one."""

    token: Secret | None = None
    """Token with the scope `push`, or `env:NAME`, the environment variable that holds it."""

    token_file: Path | None = None
    """File that holds the token instead; read again for each connection, so it may be replaced."""

    tls: ClientTls = ClientTls()
    """Whom to trust, and the certificate to show."""

    timeout_s: Annotated[float, Field(gt=0, le=3_600)] = 60.0
    """How long a server may take to make one batch durable before the next one is asked."""

    under_way: Annotated[int, Field(ge=1, le=16)] = 4
    """Batches that may be under way at once, each on a connection of its own."""

    queue_bytes: Annotated[int, Field(ge=limits.MIB)] = limits.SHIP_QUEUE_BYTES
    """Bytes of batches, as sent, that are held in memory until a server has them; with more of them reading waits."""

    spool_bytes: Annotated[int, Field(ge=0)] = 0
    """Room on the disk, in `spool/` of the data folder, for batches that no server has taken yet; zero: none.

    Files are read again when that is needed, so they need none. Lines of standard input and pipes cannot be read
    again: with a spool they are safe as soon as they are in it, also while no server can be reached."""

    dead_letter_bytes: Annotated[int, Field(ge=limits.MIB)] = DEAD_LETTER_BYTES
    """Size of batches that no server takes, whatever is tried, and that are set aside; beyond it the oldest goes."""

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.token is not None and self.token_file is not None:
            raise Mistake("there are two tokens: token and token_file", "leave one of them out", ("token_file",))
        return self
