"""Deliver rows to Loki, at least once: after a crash at most what was on its way comes again, as it was.

Loki keeps one of two entries with the same labels, time and line, so such repeats are not seen there. A push is taken
as a whole or refused; what is refused is halved until the entries to blame are found (entries too old or too long,
streams beyond a limit).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.sinks.delivery import DELIVERED, Sent
from tailrace.sinks.json_rows import column, encode, fields, of_streams, quoted
from tailrace.sinks.sending import SendingSink
from tailrace.sinks.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.sinks.around import Around
    from tailrace.sinks.delivery import Rows
    from tailrace.sinks.loki.settings import LokiSettings

_PATH: Final = "/loki/api/v1/push"
_NOTES: Final = {"_level": "level", "_error": "tailrace_error", "_more": "tailrace_more"}


def loki_sink(settings: LokiSettings, around: Around) -> SendingSink:
    """Return the sink."""
    return SendingSink(settings, around, LokiCourier(settings, Service(settings, around.clock)))


class LokiCourier:
    """Takes rows to one Loki."""

    def __init__(self, settings: LokiSettings, service: Service) -> None:
        self._settings = settings
        self._service = service
        self._path = "" if settings.url.endswith(_PATH) else _PATH
        self._headers = {"Content-Type": "application/json"}
        if settings.tenant:
            self._headers["X-Scope-OrgID"] = settings.tenant

    def send(self, rows: Rows) -> Sent:
        """Push entries; a success means all of them."""
        body = push(rows.frame, self._settings.labels, with_fields=self._settings.fields)
        self._service.request("POST", self._path, body, self._headers)
        return DELIVERED

    def close(self) -> None:
        """Close the connection."""
        self._service.close()


def push(frame: pl.DataFrame, labels: Mapping[str, str], *, with_fields: bool) -> bytes:
    """Return the body of a push: one stream per label set, entries in the order of the rows."""
    stream = of_streams(frame, lambda own: json.dumps({**own, **labels} or {"source": "tailrace"}, ensure_ascii=False))
    parts = [pl.lit('["'), pl.col("_time_ns").cast(pl.String), pl.lit('",'), quoted(pl.col("_line"))]
    if with_fields:
        notes = {name: column(frame, key) for key, name in _NOTES.items() if key in frame.columns}
        texts = {name: value.cast(pl.String) for name, value in {**notes, **fields(frame)}.items()}
        parts += [pl.lit(","), encode(texts)]
    entries = frame.select(stream.alias("stream"), pl.concat_str(*parts, pl.lit("]")).alias("entry"))
    grouped = entries.group_by("stream", maintain_order=True).agg(pl.col("entry").str.join(","))
    streams = grouped.select(
        pl.concat_str(pl.lit('{"stream":'), "stream", pl.lit(',"values":['), "entry", pl.lit("]}")).str.join(",")
    )
    return f'{{"streams":[{streams.item()}]}}'.encode()
