"""Documents of Elasticsearch clients become rows of the table.

Comes in: actions with their documents. Goes out: a frame, a row for each. The time is `@timestamp` (RFC 3339 or
milliseconds), else that of another member that holds times, else now; the line is `message`, else the whole document.
Members are typed fields, flattened with `_`; the `_id` of the action is one too. A document that is no JSON object is
kept as text with `_error`, and can be found by that: it is never thrown away.

Labels: `index`, `source="elasticsearch"`, and from the Elastic Common Schema, and what Fluent Bit's Kubernetes filter
writes, those in `LABELS`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.batch import field_column, stream_text
from tailrace.contracts import Reading
from tailrace.errors import DataError
from tailrace.parse.json_lines import TIMES, JsonLines

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE: Final = "elasticsearch"
"""The name of these lines in the accounts, and their label `source`."""

ID: Final = "_id"
"""The field of a document's key."""

LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    "service_name": ("service_name", "kubernetes_container_name", "container_name"),
    "host": ("host_name", "host_hostname", "host", "hostname"),
    "filename": ("log_file_path",),
    "namespace": ("kubernetes_namespace", "kubernetes_namespace_name"),
    "pod": ("kubernetes_pod_name",),
    "container": ("kubernetes_container_name", "container_name"),
}
"""Label to the fields that it is taken from, best first."""

UNKNOWN_SERVICE: Final = "unknown_service"

REMEMBERED: Final = 64
"""Shapes of indices that are remembered: some 100 KiB each, at the most."""

_READING: Final = Reading("json", timezone="UTC")
_TIMES: Final = ("@timestamp", *(name for name in TIMES if name != "@timestamp"))
_DAY_NS: Final = 86_400_000_000_000


class Documents:
    """Reads documents; any thread may call. Remembers the shapes of indices: to learn one costs more than to read it.

    What is learned of one index changes nothing for another one. A shape without room for further members is forgotten.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: OrderedDict[int, tuple[str, JsonLines]] = OrderedDict()  # by identity, the newest last

    def rows(self, actions: pl.DataFrame, now_ns: int) -> pl.DataFrame:
        """Return the frame of documents, in their order."""
        index = str(actions["index"][0])
        parser = self._taken(index)
        frame = _rows(parser, actions, now_ns)
        if len(parser.leaves) < limits.FIELD_COLUMNS:
            with self._lock:
                self._idle[id(parser)] = (index, parser)
                while len(self._idle) > REMEMBERED:
                    self._idle.popitem(last=False)
        return frame

    def _taken(self, index: str) -> JsonLines:
        with self._lock:
            found = next((key for key, (name, _) in reversed(self._idle.items()) if name == index), None)
            return JsonLines(_TIMES) if found is None else self._idle.pop(found)[1]


def _rows(parser: JsonLines, actions: pl.DataFrame, now_ns: int) -> pl.DataFrame:
    frame = actions.select(_line=pl.col("line").fill_null(""), _observed_ns=pl.lit(now_ns, pl.Int64))
    frame = parser.parse(frame, _READING)
    if "raw" in actions.columns and actions["raw"].null_count() < actions.height:
        frame = frame.with_columns(actions["raw"].alias("_raw"))
    frame = frame.with_columns(pl.col("_time_ns").fill_null(now_ns))
    if (frame["_time_ns"] // _DAY_NS).n_unique() > limits.PUSH_DAYS:
        raise DataError(f"the documents are of more than {limits.PUSH_DAYS} days; send fewer days at once")
    return _with_id(_with_stream(frame, actions["index"]), actions["id"])


def _with_id(frame: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """Add the keys; a document's own member of that name, which Elasticsearch would refuse, makes room."""
    if ids.null_count() == len(ids):
        return frame
    column = field_column(ID)
    if column in frame.columns:
        frame = frame.rename({column: f"{column}_extracted"})
    return frame.with_columns(ids.alias(column))


def _with_stream(frame: pl.DataFrame, index: pl.Series) -> pl.DataFrame:
    """Add the label sets; each different one is written once."""
    taken = {
        label: pl.coalesce(_known(pl.col(name)) for name in names if frame.schema.get(name) == pl.String)
        for label, names in LABELS.items()
        if any(frame.schema.get(name) == pl.String for name in names)
    }
    labels = frame.select(pl.lit(index).alias("index"), **taken)
    labels = labels.with_columns(
        source=pl.lit(SOURCE), service_name=pl.coalesce([*({"service_name"} & taken.keys()), pl.lit(UNKNOWN_SERVICE)])
    )
    different = labels.unique()
    texts = [stream_text({name: value or "" for name, value in row.items()}) for row in different.iter_rows(named=True)]
    different = different.with_columns(pl.Series("_stream", texts, dtype=pl.String))
    stream = labels.join(different, on=labels.columns, how="left", nulls_equal=True, maintain_order="left")["_stream"]
    same = [name for name in taken if name in frame.columns and (frame[name].eq_missing(labels[name])).all()]
    return frame.drop(same).with_columns(stream)


def _known(field: pl.Expr) -> pl.Expr:
    return pl.when(field != "").then(field)
