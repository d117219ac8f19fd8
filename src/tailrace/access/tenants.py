"""Tenants: whose row is whose, written into the table on the way in and held to on the way out.

A row belongs to the tenant that its reserved label `__tenant_id__` names; a row without the label belongs to none, and
only those who belong to none see it. On the way in, `Stamped` writes the label, whatever the sender put there. On the
way out, `ConfinedTable` and `ConfinedEngine` stand in the place of the table and the engine:

- the table shows the segments that hold rows of the tenant, their streams of the tenant, and counts and times of those
  rows alone. The paths of segments carry the tenant's name, so what is remembered by path of one tenant is never found
  by another, and a path that reaches any other reader opens nothing;
- the engine filters each scan by the label, whatever the query asked, and refuses segments that are not the tenant's.

So a mistake of whoever plans a query shows too little, or fails; it cannot show a row of somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NoReturn

import narwhals as nw
import polars as pl

from tailrace.access.model import OPERATOR, TENANT
from tailrace.batch import stream_labels, stream_text
from tailrace.contracts import CONFINED
from tailrace.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from tailrace.batch import Batch
    from tailrace.contracts import Bound, Choice, Engine, Frame, Needle, Segments, Sink, Snapshot, Table, Work

LABEL: Final = "__tenant_id__"
"""The label that says whose a row is; Loki uses the name in answers over several tenants."""

_UNCONFINED: Final = "rows of a tenant were to be read past what confines them to it"


def check_tenant(tenant: str) -> str:
    """Return the name of a tenant; any other text is a bug of the caller, and never gets near a filter."""
    if not TENANT.fullmatch(tenant):
        raise TailraceError("a reader was to be confined to what is no tenant")
    return tenant


# --- on the way in --------------------------------------------------------------------------------


class Stamped:
    """A sink whose rows belong to one tenant, or to none: what senders write under the reserved label is taken off.

    Names of agents are each tenant's own: two tenants may both have an agent `web`, and neither is told of the other's.
    """

    def __init__(self, sink: Sink, tenant: str) -> None:
        self._sink = sink
        self._tenant = tenant if tenant == OPERATOR else check_tenant(tenant)

    def of(self, tenant: str) -> Stamped:
        """Return the same sink for the rows of another tenant, not stamped twice."""
        return Stamped(self._sink, tenant)

    def submit(self, batch: Batch) -> Future[None]:
        """Take a batch; costs a look at each stream, not at each row, unless a row has to be changed."""
        position = batch.position and replace(batch.position, agent=self._agent(batch.position.agent))
        return self._sink.submit(replace(batch, frame=stamped(batch.frame, self._tenant), position=position))

    def last_number(self, agent: str) -> int | None:
        """Return the last durable number of an agent."""
        return self._sink.last_number(self._agent(agent))

    def close(self) -> None:
        """Close nothing: the sink belongs to whoever made it."""

    def _agent(self, name: str) -> str:
        return _mark(self._tenant) + name if self._tenant else name


def stamped(frame: pl.DataFrame, tenant: str) -> pl.DataFrame:
    """Return the rows with the label of a tenant, and with none if it is empty."""
    if "_stream" not in frame.columns:
        return frame
    texts = frame["_stream"].unique().to_list()
    new = [None if text is None else _stamp(text, tenant) for text in texts]
    if new == texts:
        return frame
    streams = pl.col("_stream").replace_strict(texts, new, return_dtype=pl.String)
    return frame.with_columns(streams.alias("_stream"))


def _stamp(text: str, tenant: str) -> str:
    if tenant == OPERATOR and LABEL not in text:
        return text
    labels = {name: value for name, value in stream_labels(text).items() if name != LABEL}
    return stream_text({**labels, LABEL: tenant})


# --- on the way out -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConfinedTable:
    """The table as one tenant sees it."""

    table: Table
    tenant: str

    def snapshot(self) -> Snapshot:
        """Return the newest version, confined."""
        return ConfinedSnapshot(self.table.snapshot(), check_tenant(self.tenant))


@dataclass(frozen=True, slots=True)
class ConfinedSnapshot:
    """One version of the table as one tenant sees it."""

    _inner: Snapshot
    _tenant: str

    @property
    def version(self) -> int:
        """The version's number."""
        return self._inner.version

    @property
    def columns(self) -> Mapping[str, pl.DataType]:
        """Every column of the table with its type; names of fields are the table's, not a tenant's."""
        return self._inner.columns

    def variants(self, field: str) -> Sequence[str]:
        """Return the columns that hold a field."""
        return self._inner.variants(field)

    def segments(self, start_ns: int, end_ns: int, bounds: Sequence[Bound] = ()) -> ConfinedSegments:
        """Return the files that hold rows of the tenant, and may hold some within the bounds."""
        return _confined(self._inner.segments(start_ns, end_ns, bounds), self._tenant)

    def added_since(self, version: int) -> ConfinedSegments:
        """Return the files that brought new rows of the tenant."""
        return _confined(self._inner.added_since(version), self._tenant)


@dataclass(frozen=True, slots=True)
class ConfinedSegments:
    """Files as one tenant sees them: as though each held the rows of that tenant alone."""

    inner: Segments
    tenant: str
    frame: pl.DataFrame  # one row per file; rows, bytes, times and streams are those of the tenant

    @property
    def skipped(self) -> int:
        """Return nothing: how many files others have is their business."""
        return 0

    @property
    def parts(self) -> Mapping[str, Sequence[tuple[int, int]]]:
        """Per path the places where wanted rows may lie."""
        return {_mark(self.tenant) + path: places for path, places in self.inner.parts.items()}

    def streams(self) -> pl.DataFrame:
        """Return the streams of the tenant, per file."""
        return self.inner.streams().filter(of_tenant(self.tenant)).with_columns(_marked(self.tenant))

    def opened(self, paths: Sequence[str] | None = None) -> NoReturn:  # noqa: ARG002  none is opened
        """Refuse: these are read by `ConfinedEngine` alone, which opens them by itself."""
        raise TailraceError(_UNCONFINED)

    def urls(self) -> NoReturn:
        """Refuse, as above."""
        raise TailraceError(_UNCONFINED)

    def only(self, paths: Sequence[str]) -> ConfinedSegments:
        """Return the segments among `paths`; a path without the tenant's mark is none of them."""
        mark = _mark(self.tenant)
        own = [path.removeprefix(mark) for path in paths if path.startswith(mark)]
        return self._of(self.inner.only(own))

    def holding(self, needles: Sequence[Needle]) -> ConfinedSegments:
        """Return the segments, and parts of them, that may hold a row with all needles."""
        return self._of(self.inner.holding(needles))

    def _of(self, inner: Segments) -> ConfinedSegments:
        kept = [_mark(self.tenant) + path for path in inner.frame["path"]]
        return ConfinedSegments(inner, self.tenant, self.frame.filter(pl.col("path").is_in(kept)))


@dataclass(slots=True)
class ConfinedEngine:
    """An engine that gives the rows of one tenant, whatever it is asked."""

    engine: Engine
    tenant: str
    name: str = CONFINED

    @property
    def warnings(self) -> Sequence[str]:
        """What who asked should know of how the scans ran."""
        return self.engine.warnings

    @property
    def scan_bytes(self) -> int:
        """How many bytes of files one scan should hold."""
        return self.engine.scan_bytes

    def within(self, check: Callable[[], None]) -> Engine:
        """Return the engine for one query, confined as this one."""
        return ConfinedEngine(self.engine.within(check), self.tenant)

    def suited(self, work: Work) -> Choice:
        """Return the engine that is best for a scan, confined as this one."""
        choice = self.engine.suited(work)
        return replace(choice, engine=ConfinedEngine(choice.engine, self.tenant))

    def scan(self, segments: Segments, columns: Mapping[str, pl.DataType]) -> Frame:
        """Return the rows of the tenant, lazily, with exactly these columns."""
        tenant = check_tenant(self.tenant)
        if not isinstance(segments, ConfinedSegments) or segments.tenant != tenant:
            raise TailraceError(_UNCONFINED)
        frame = self.engine.scan(segments.inner, {**columns, "_stream": pl.String()})
        own = frame.filter(_own(tenant))
        # without a column the number of rows would be lost; such scans are counted, whatever the columns are
        return own if "_stream" in columns or not columns else own.select(*columns)

    def collect(self, frame: Frame) -> pl.DataFrame:
        """Run the expressions and return the result."""
        return self.engine.collect(frame)

    def batches(self, frame: Frame, *, ordered: bool = False) -> Iterator[pl.DataFrame]:
        """Run the expressions and return the result in pieces."""
        return self.engine.batches(frame, ordered=ordered)


def of_tenant(tenant: str) -> pl.Expr:
    r"""Return whether a stream is a tenant's.

    The name needs no escaping, and a quote within a value is always escaped: so the label with its quotes, behind what
    only begins a label, stands nowhere else. Of rows without a stream it is null, which no filter lets pass.
    """
    first, later = _written(tenant)
    stream = pl.col("_stream")
    return stream.str.starts_with(first) | stream.str.contains(later, literal=True)


def _own(tenant: str) -> nw.Expr:
    first, later = _written(tenant)
    stream = nw.col("_stream").str
    return stream.starts_with(first) | stream.contains(later, literal=True)


def _written(tenant: str) -> tuple[str, str]:
    pair = f'{LABEL}="{tenant}"'
    return "{" + pair, ", " + pair


def _confined(segments: Segments, tenant: str) -> ConfinedSegments:
    """Return the files that hold rows of a tenant, counted anew."""
    streams = segments.streams().filter(of_tenant(tenant))
    held = streams.group_by("path").agg(
        pl.col("rows").sum(),
        pl.col("min_time_ns").min(),
        pl.col("max_time_ns").max(),
        pl.col("_stream").min().alias("min_stream"),
        pl.col("_stream").max().alias("max_stream"),
    )
    files = segments.frame
    ours = files.select("path", "date", "bytes", _whole=pl.col("rows"))
    found = ours.join(held, on="path", how="inner", maintain_order="left")
    share = pl.col("bytes") * pl.col("rows") // pl.max_horizontal("_whole", 1)
    inner = segments.only(found["path"].to_list())
    frame = found.with_columns(share.alias("bytes"), _marked(tenant)).select(files.columns).cast(files.schema)
    return ConfinedSegments(inner, tenant, frame)


def _mark(tenant: str) -> str:
    return f"tenant={tenant}:"


def _marked(tenant: str) -> pl.Expr:
    return (pl.lit(_mark(tenant)) + pl.col("path")).alias("path")
