"""One pass over an index, and the service that repeats it.

A pass takes host after host: all documents of a host are read as of one point in time, decided on, and acted on. What
arrives meanwhile was not seen, so it is not touched, and is looked at in the next pass. Documents that remove others
(the event of a deleted directory) go last, and only when everything that they remove is gone: a pass that is killed
in the middle leaves an index from which the next one comes to the same result.

A host whose documents are the same as after a pass that had nothing to do is not read again.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tailrace.clock import NS_PER_S
from tailrace.condense.client import Cluster, ExpiredError, HostDocuments
from tailrace.condense.decide import decide, uncondensed
from tailrace.condense.documents import frame
from tailrace.condense.sending import Action, Outbox, Sent
from tailrace.errors import TailraceError
from tailrace.exposition import Family, Point
from tailrace.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tailrace.clock import Clock
    from tailrace.condense.settings import Settings

LOG: Final = logging.getLogger("tailrace.condense")

_RESTARTS: Final = 3  # times that a host is read again after its point in time got lost
_PATIENCE_S: Final = 120.0


@dataclass(slots=True)
class Report:
    """What one pass found and did."""

    hosts: int = 0
    unchanged: int = 0  # of them, as they were after the last pass
    documents: int = 0
    uncondensed_before: int = 0  # paths with more than one document
    uncondensed: int = 0  # the same after the pass: the health number
    to_delete: int = 0
    to_move: int = 0
    deleted: int = 0
    moved: int = 0
    conflicts: int = 0
    failed: int = 0
    seconds: float = 0.0
    complete: bool = True  # false if it was stopped
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        """Whether all was done that was to be done."""
        return self.complete and not self.failed


class Condenser:
    """Condenses an index, pass by pass; one thread runs it."""

    def __init__(
        self, settings: Settings, clock: Clock, *, dry_run: bool = False, cluster: Cluster | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._dry_run = dry_run
        self._stopping = threading.Event()
        self._patience = Patience(clock, _PATIENCE_S)
        self._cluster = cluster or Cluster(settings, self._patience)
        self._calm: dict[str | None, tuple[HostDocuments, int]] = {}  # hosts that had nothing to do, and their health

    def stop(self) -> None:
        """End the pass soon: what is decided is sent, nothing more is read."""
        self._stopping.set()
        self._patience.hurry()

    def close(self) -> None:
        """Close the connection."""
        self._cluster.close()

    def one_pass(self) -> Report:
        """Condense once; an index that changes while it is read is as it should be after the pass that follows."""
        began_s, report = self._clock.monotonic_s(), Report()
        outbox = self._outbox()
        product = self._cluster.product()
        LOG.debug("%s %d.%d at %s", product.name, *product.version, self._settings.url)
        self._cluster.refresh()
        calm: dict[str | None, tuple[HostDocuments, int]] = {}
        for host in self._cluster.hosts():
            if self._stopping.is_set():
                report.complete = False
                break
            self._host(host, report, outbox, calm)
        outbox.flush()
        if report.complete:
            self._calm = calm
        self._settle(report, outbox.sent)
        report.seconds = self._clock.monotonic_s() - began_s
        return report

    def _outbox(self) -> Outbox:
        settings = self._settings
        return Outbox(
            self._cluster.bulk,
            self._clock,
            self._patience,
            keys=settings.delete_buffer,
            actions=settings.action_buffer,
            wait_s=settings.delete_timeout_s,
        )

    @staticmethod
    def _settle(report: Report, sent: Sent) -> None:
        report.deleted, report.moved = sent.deleted, sent.moved
        report.conflicts, report.failed = sent.conflicts, sent.failed
        report.reasons = dict(sent.reasons)
        report.uncondensed += len(sent.left)

    def _host(
        self,
        host: HostDocuments,
        report: Report,
        outbox: Outbox,
        calm: dict[str | None, tuple[HostDocuments, int]],
    ) -> None:
        """Condense one host."""
        report.hosts += 1
        known = self._calm.get(host.host)
        if known is not None and host.signature is not None and known[0] == host:
            calm[host.host] = known
            report.unchanged += 1
            report.documents += host.documents
            report.uncondensed += known[1]
            report.uncondensed_before += known[1]
            return
        documents = self._read(host, outbox)
        if documents is None:
            report.complete = False
            return
        judged = decide(documents)
        judged = self._wished(judged)
        before, after = uncondensed(documents), _uncondensed_after(judged)
        todo = judged.filter(pl.col("verdict") != "keep")
        moves = int((todo["verdict"] == "move").sum())
        report.documents += documents.height
        report.uncondensed_before += before
        report.uncondensed += before if self._dry_run else after
        report.to_move += moves
        report.to_delete += todo.height - moves
        LOG.debug("%s: %d documents, %d to delete, %d to move", host.host, documents.height, todo.height - moves, moves)
        if not todo.height:
            calm[host.host] = (host, after)
        elif not self._dry_run:
            self._act(todo, outbox)

    def _read(self, host: HostDocuments, outbox: Outbox) -> pl.DataFrame | None:
        """Return the documents of a host; None if the pass is to end."""
        for attempt in range(_RESTARTS + 1):
            parts: list[pl.DataFrame] = []
            try:
                for hits in self._cluster.pages(host.host):
                    if self._stopping.is_set():
                        return None
                    parts.append(frame(hits))
                    outbox.tick()
            except ExpiredError:
                if attempt == _RESTARTS:
                    raise
                LOG.warning("%s: read again from the start, its point in time expired", host.host)
                continue
            return pl.concat(parts) if parts else frame([])
        raise AssertionError  # the loop returns or raises

    def _wished(self, judged: pl.DataFrame) -> pl.DataFrame:
        """Remove what was moved, or keep the events of removed paths for a while, if that is wanted."""
        if self._settings.moved == "remove":
            judged = judged.with_columns(pl.col("verdict").replace("move", "delete"), to=pl.lit(None, pl.String))
        if not self._settings.grace_s:
            return judged
        young = pl.col("_time_ns") > self._clock.now_ns() - round(self._settings.grace_s * NS_PER_S)
        kept = pl.col("act") & (pl.col("verdict") == "delete") & young
        return judged.with_columns(verdict=pl.when(kept).then(pl.lit("keep")).otherwise("verdict"))

    def _act(self, todo: pl.DataFrame, outbox: Outbox) -> None:
        """Send what is to be done with the documents of a host, acts last."""
        move = pl.col("verdict") == "move"
        acts = todo.filter(pl.col("act") & ~move)
        if not acts.height:
            outbox.put(_actions(todo.filter(~move)))
            outbox.put(_actions(todo.filter(move)))
            return
        # What an act removes or carries goes before it, and last of that the documents of its own path: they tell the
        # inode by which the new place of a directory is found.
        own = todo.join(acts, on=["host", "file_path"], how="semi").filter(~move & ~pl.col("act"))
        below = todo.filter(~move & ~pl.col("act")).join(own, on="order", how="anti")
        outbox.flush()
        before = len(outbox.sent.left)
        for step in (below, todo.filter(move), own, acts):
            if len(outbox.sent.left) > before:  # something is still there: what is to remove it stays as well
                outbox.sent.left |= set(step.select("host", "file_path").iter_rows())
                continue
            outbox.put(_actions(step))
            outbox.flush()


def _uncondensed_after(judged: pl.DataFrame) -> int:
    kept = judged.filter(pl.col("verdict") != "delete")
    return uncondensed(kept.with_columns(file_path=pl.coalesce("to", "file_path")))


def _actions(rows: pl.DataFrame) -> Iterator[Action]:
    """Yield what is to be done with documents."""
    for row in rows.iter_rows(named=True):
        document = _moved(row) if row["verdict"] == "move" else None
        yield Action((row["host"], row["file_path"]), row["index"], row["id"], row["seq"], row["term"], document)


def _moved(row: dict[str, Any]) -> dict[str, Any]:  # Any: a row, and JSON
    """Return the members that a move changes, and which move it was, so that no event before that one removes it."""
    path: str = row["to"]
    file = {"path": path}
    if row["parents"]:
        cut = max(path.rfind("/"), path.rfind("\\"))
        file["parent_path"] = path[: max(cut, 1)]
    if row["uris"]:
        file["uri"] = f"{row['host']}:{path}"
    return {"file": file, "tailrace": {"placed": row["placed_now"]}}


class Service:
    """Repeats passes until it is stopped, and tells their numbers."""

    def __init__(self, condenser: Condenser, settings: Settings, clock: Clock, done: Callable[[Report], None]) -> None:
        self._condenser = condenser
        self._settings = settings
        self._clock = clock
        self._done = done
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._last: Report | None = None
        self._last_ns = 0
        self._totals = dict.fromkeys(("passes", "failed_passes", "deleted", "moved", "conflicts", "failed"), 0)
        self._trouble = "no pass has ended yet"

    def run(self) -> None:
        """Run passes until `stop`; a pass that fails is told and tried again after the pause."""
        while not self._stopping.is_set():
            try:
                report = self._condenser.one_pass()
            except TailraceError as error:
                LOG.error("the pass failed: %s", error)  # noqa: TRY400  a failure outside: its traceback says nothing
                with self._lock:
                    self._totals["failed_passes"] += 1
                    self._trouble = str(error)
            else:
                self._count(report)
                self._done(report)
            self._clock.wait(self._stopping, self._settings.sleep_s)

    def stop(self) -> None:
        """End soon; what is decided is sent."""
        self._stopping.set()
        self._condenser.stop()

    def trouble(self) -> str:
        """Return why the index is not condensed, or an empty text."""
        with self._lock:
            return self._trouble

    def _count(self, report: Report) -> None:
        with self._lock:
            self._last, self._last_ns = report, self._clock.now_ns()
            self._totals["passes"] += 1
            for name in ("deleted", "moved", "conflicts", "failed"):
                self._totals[name] += getattr(report, name)
            self._trouble = ""

    def families(self) -> list[Family]:
        """Return the metrics."""
        with self._lock:
            last, last_ns, totals = self._last, self._last_ns, dict(self._totals)
        texts = {
            "passes": "Passes that ended.",
            "failed_passes": "Passes that failed.",
            "deleted": "Documents deleted.",
            "moved": "Documents whose directory was renamed, moved to where it is.",
            "conflicts": "Documents left alone because they changed while they were read.",
            "failed": "Documents that could not be deleted or moved.",
        }
        families = [_family(f"{name}_total", "counter", texts[name], value) for name, value in totals.items()]
        if last is not None:
            families += [
                _family(
                    "uncondensed_paths", "gauge", "Paths with more than one document; 0 is healthy.", last.uncondensed
                ),
                _family("documents", "gauge", "Documents seen by the last pass.", last.documents),
                _family("hosts", "gauge", "Hosts seen by the last pass.", last.hosts),
                _family("pass_seconds", "gauge", "How long the last pass took.", last.seconds),
                _family("last_pass_timestamp_seconds", "gauge", "When the last pass ended.", last_ns / NS_PER_S),
            ]
        return families


def _family(name: str, kind: Any, text: str, value: float) -> Family:  # Any: the kinds are literals of the caller
    return Family(f"tailrace_condense_{name}", kind, text, [Point({}, value)])
