"""Streams of lines whose labels are said by whoever sends them: as many as a table bears, then one for all others.

Comes in: two columns of names, of hosts and of services. Goes out: `_stream`. The first `limits.RECEIVER_LABELS` pairs
get a stream of their own; whatever comes then, and names that are too long to be names, is `__other__`. What was said
stays in the fields of each line. Cost: one look per distinct pair of a turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.batch import stream_text

if TYPE_CHECKING:
    from collections.abc import Mapping

OTHER: Final = "__other__"
NAME_CHARS: Final = 255
"""A longer name is no label: RFC 5424 gives hosts as many."""


class Streams:
    """The streams of one receiver; one thread asks."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = dict(labels)
        self._known: dict[tuple[str, str], str] = {}
        self._other = stream_text({"host": OTHER, "service_name": OTHER, **self._labels})

    def of(self, hosts: pl.Series, services: pl.Series) -> pl.Series:
        """Return the stream of each row; neither column has nulls."""
        frame = pl.DataFrame({"host": hosts, "service": services})
        pairs = frame.unique(maintain_order=True)  # those that came first get theirs
        texts = pairs.with_columns(_stream=pl.Series(map(self._text, pairs.iter_rows()), dtype=pl.String))
        return frame.join(texts, on=("host", "service"), how="left", maintain_order="left")["_stream"]

    def _text(self, pair: tuple[str, str]) -> str:
        host, service = (name if len(name) <= NAME_CHARS else OTHER for name in pair)
        known = self._known.get((host, service))
        if known is None:
            if len(self._known) >= limits.RECEIVER_LABELS:
                return self._other
            known = stream_text({"host": host, "service_name": service, **self._labels})
            self._known[host, service] = known
        return known
