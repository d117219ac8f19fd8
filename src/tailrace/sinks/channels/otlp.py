"""A channel that sends OTLP logs over HTTP, as protobuf."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx

from tailrace.errors import TailraceError, TransientError
from tailrace.sinks.channels.otlp_logs import request
from tailrace.sinks.channels.outbox import Outbox

if TYPE_CHECKING:
    import polars as pl

    from tailrace.channels import OtlpChannel

TIMEOUT_S: Final = 10.0
_AGAIN: Final = (408, 429, 500, 502, 503, 504)
_OK_END: Final = 300


def to_otlp(settings: OtlpChannel) -> Outbox:
    """Return a channel that posts rows; what the receiver refuses for good is given up."""
    url = settings.url if urlsplit(settings.url).path.strip("/") else settings.url.rstrip("/") + "/v1/logs"
    headers = {"Content-Type": "application/x-protobuf", **settings.headers}
    client = httpx.Client(timeout=TIMEOUT_S, verify=_verify(settings.ca_file), headers=headers)

    def deliver(rows: pl.DataFrame) -> None:
        try:
            response = client.post(url, content=request(rows).SerializeToString())
        except httpx.TransportError as error:
            raise TransientError(f"{url}: {error}") from error
        if response.status_code in _AGAIN:
            raise TransientError(f"{url}: answered {response.status_code}")
        if response.status_code >= _OK_END:
            raise TailraceError(f"{url}: answered {response.status_code}: {response.text[:200]}")

    return Outbox(settings.name, settings.queue, deliver, client.close)


def _verify(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file or None)
