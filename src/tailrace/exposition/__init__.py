"""Metric values as a scraper reads them: families in, bytes in the format that it asked for out.

`families` are the values of one cut. `negotiate` chooses among Prometheus' text (0.0.4 and 1.0.0), OpenMetrics (0.0.1
and 1.0.0) and delimited protobuf by `Accept`. `text` and `protobuf` write them. Native histograms exist in protobuf
only; the text formats show the classic buckets of the same histogram, if it has any.

Formats: prometheus.io/docs/instrumenting/exposition_formats, the OpenMetrics 1.0 specification, and
`io/prometheus/client/metrics.proto`. The Python client library writes the text formats too; what it writes under
`escaping=values` names samples otherwise than their family, and it writes no protobuf.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from tailrace.exposition import protobuf, text
from tailrace.exposition.families import Exemplar, Family, Histogram, Native, Point, Type
from tailrace.exposition.negotiate import Format, choose, gzip_accepted

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Exemplar",
    "Family",
    "Format",
    "Histogram",
    "Native",
    "Point",
    "Type",
    "choose",
    "gzip_accepted",
    "render",
    "respond",
]


def render(families: Iterable[Family], form: Format) -> bytes:
    """Return the families in one format."""
    if form.name == "protobuf":
        return protobuf.encode(families, form.escaping)
    return text.encode(families, form.escaping, openmetrics=form.name == "openmetrics")


def respond(families: Iterable[Family], accept: str, accept_encoding: str = "") -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of an answer to a scrape."""
    form = choose(accept)
    body = render(families, form)
    headers = {"Content-Type": form.content_type, "Vary": "Accept, Accept-Encoding"}
    if gzip_accepted(accept_encoding):
        body = gzip.compress(body, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return body, headers
