"""Rows as documents with the names of the Elastic Common Schema, and the index template that fits them.

Comes in: rows of a batch. Goes out: the lines of a bulk request. Labels that ECS has a name for get it, the others
stand below `labels`, fields below `fields`: so no field can be a value where another one is an object.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tailrace.sinks.json_rows import column, encode, fields, of_streams, quoted, time_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.sinks.delivery import Rows

_LABELS: Final = {
    "host": "host.name",
    "service_name": "service.name",
    "filename": "log.file.path",
    "container": "container.name",
    "namespace": "orchestrator.namespace",
    "pod": "orchestrator.resource.name",
    "source": "tailrace.source",
}
_OTHERS: Final = {
    "_level": "log.level",
    "_offset": "log.offset",
    "_format": "tailrace.format",
    "_error": "error.message",
    "_part": "tailrace.part",
    "_part_last": "tailrace.part_last",
    "_more": "tailrace.more",
}


def bulk(rows: Rows) -> bytes:
    """Return the body of a bulk request that creates one document a row, under the row's id."""
    frame = rows.frame
    labels = of_streams(frame, _labels)
    envelope = {name: column(frame, key) for key, name in _OTHERS.items() if key in frame.columns}
    envelope["event.created"] = pl.from_epoch("_observed_ns", "ns").dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ")
    if "_raw" in frame.columns:
        envelope["event.original"] = pl.col("_raw").bin.encode("base64")
    inner = {f"fields.{name}": value for name, value in fields(frame).items()}
    both = encode({**envelope, **inner}).str.strip_prefix("{")
    texts = frame.select(
        pl.concat_str(
            pl.lit('{"create":{"_id":"'),
            rows.ids().alias("id"),
            pl.lit('"}}\n{"@timestamp":"'),
            time_text(),
            pl.lit('","message":'),
            quoted(pl.col("_line")),
            labels.alias("labels"),
            pl.lit(","),
            both,
            pl.lit("\n"),
        ).alias("text")
    )
    return str(texts["text"].str.join("").item()).encode()


def _labels(labels: Mapping[str, str]) -> str:
    named = {_LABELS.get(name, f"labels.{name}"): value for name, value in labels.items()}
    return "".join(f",{json.dumps(name)}:{json.dumps(value, ensure_ascii=False)}" for name, value in named.items())


def template(index: str) -> dict[str, Any]:  # JSON as the cluster takes it
    """Return the index template of a data stream."""
    keyword = {"type": "keyword", "ignore_above": 1024}
    return {
        "index_patterns": [index],
        "data_stream": {},
        "priority": 250,
        "template": {
            "settings": {
                "index.mapping.ignore_malformed": True,
                "index.mapping.total_fields.limit": 2_000,
            },
            "mappings": {
                "dynamic_templates": [
                    {"texts": {"match_mapping_type": "string", "mapping": keyword}},
                ],
                "date_detection": False,
                "properties": {
                    "@timestamp": {"type": "date_nanos"},
                    "message": {"type": "text"},
                    "event": {
                        "properties": {
                            "created": {"type": "date_nanos"},
                            "original": {"type": "keyword", "index": False, "doc_values": False},
                        }
                    },
                    "error": {"properties": {"message": {"type": "text"}}},
                    "log": {"properties": {"offset": {"type": "long"}}},
                },
            },
        },
        "_meta": {"managed_by": "tailrace"},
    }
