"""What the settings of sinks have in common; each kind's own model lies beside its class.

A kind derives from `SinkSettings` (a name), one that sends over the network from `SenderSettings` (how patiently, how
much at once), and names its TLS options as `tls: ClientTls`. Secrets are `tailrace.secret.Secret`: written as they
are, as `${NAME}` or `env:NAME`, or in a file of their own.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from tailrace import limits
from tailrace.settings import Mistake, Settings

SEND_ROWS: Final = 5_000
"""Rows of one request: about 1 to 2 MB of JSON, which every receiver takes."""

SEND_BYTES: Final = 2 * limits.MIB
"""Bytes of one request before it is encoded: receivers with limits of 4 MiB and more take it."""

SEND_QUEUE_BYTES: Final = 64 * limits.MIB
"""Bytes of lines that may wait for one sender: a batch of the agent has at most that."""

DEAD_LETTER_BYTES: Final = limits.GIB
"""Size of what one sink may set aside."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _folder_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise Mistake(f"{value!r} cannot name a sink", "use letters, digits, '.', '_' and '-'")
    return value


def _bare_url(value: str) -> str:
    """Refuse an address that is none, or that holds a password, which would be shown."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise Mistake("this is no address", "write for example https://logs.example.com:443") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        what = "expected an address that begins with http:// or https://"
        raise Mistake(what, "write for example https://logs.example.com:443")
    if parts.username or parts.password:
        raise Mistake("an address must not hold a user or a password", "use the keys 'user' and 'password_file'")
    if parts.query or parts.fragment:
        raise Mistake("an address must not have '?' or '#'")
    return value.rstrip("/")


SinkName = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_folder_name)]
"""Name of a sink, also of its folders below `sinks/` and `dead-letters/`."""

HttpUrl = Annotated[str, AfterValidator(_bare_url)]
"""Address of a web service without credentials."""


class SinkSettings(Settings):
    """Base of the settings of every sink."""

    name: SinkName
    """Name of the sink; `type` if there is none."""


class QueueSettings(SinkSettings):
    """Base of the settings of a sink with a queue of its own: how much at once, how patiently."""

    batch_rows: int = Field(default=SEND_ROWS, ge=1, le=100_000)
    """Rows of one request, at most."""

    batch_bytes: int = Field(default=SEND_BYTES, ge=1_024, le=256 * limits.MIB)
    """Bytes of lines and fields of one request, about; a single row may have more."""

    queue_bytes: int = Field(default=SEND_QUEUE_BYTES, ge=limits.MIB)
    """Bytes of lines that may wait to be sent; with more of them reading waits, so that memory stays bounded."""

    retry_s: float | None = Field(default=None, gt=0)
    """How long rows that cannot be sent now are tried again before they are set aside as dead letters; null tries
    until it works, and reading waits meanwhile."""

    dead_letter_bytes: int = Field(default=DEAD_LETTER_BYTES, ge=limits.MIB)
    """Size of what may be set aside; beyond it the oldest goes, counted and said."""


class SenderSettings(QueueSettings):
    """Base of the settings of a sink that sends rows to a receiver."""

    timeout_s: float = Field(default=30.0, gt=0, le=3_600)
    """How long one request may take."""


class StoreSinkSettings(SinkSettings):
    """The table in the data folder, whose own settings stand under `store`."""

    type: Literal["store"] = "store"
    """The kind of sink."""

    name: SinkName = "store"
    """Name of the sink."""
