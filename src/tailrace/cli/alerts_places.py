"""Where `tailrace alerts` finds and changes rules: the control database of a data folder, or a server.

Both give rules in the shape of `/api/v1/rules`, so the commands do not know which one they ask.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote

from tailrace.cli import options, output, remote
from tailrace.cli.alerts_shown import AlertRow
from tailrace.cli.unknown import unknown
from tailrace.clock import NS_PER_S
from tailrace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tailrace.alerts.kept.history import Entry
    from tailrace.config.model import Config
    from tailrace.control import Control

    Json = Mapping[str, Any]  # a JSON object: nested, of several kinds

BUILT_IN: Final = "tailrace"
"""The namespace of the rules about rules, see `alerts.evaluate.health`."""

RULES: Final = "/api/v1/rules"
HISTORY: Final = "/api/v1/alerts/history"
CHANGES: Final = "/loki/api/v1/rules"


class Place(Protocol):
    """Rules with their states, their definitions and what they said."""

    def groups(self) -> Sequence[Json]:
        """Return all groups with their states, as `/api/v1/rules` does."""
        ...

    def history(self, rule: str, limit: int) -> list[Entry]:
        """Return the newest lines of a rule's history, newest first."""
        ...

    def namespaces(self) -> Mapping[str, Mapping[str, Json]]:
        """Return namespace to name to group, of those that were saved and not read from files."""
        ...

    def save(self, namespace: str, group: Json) -> None:
        """Keep a group, in place of one of the same name."""
        ...

    def delete(self, namespace: str, group: str) -> None:
        """Remove a group."""
        ...


@contextmanager
def place(data: Path | None, url: str | None, config: Path | None = None, *, create: bool = False) -> Iterator[Place]:
    """Give what the flags point to; a folder that is not there is made if something is to be kept in it."""
    options.exclusive(data, url)
    if url is not None:
        yield Server(url)
        return
    from tailrace.cli.folder import configured_control

    with configured_control(data, config, create=create) as (control, settings):
        yield Folder(control, settings)


def rows(where: Place) -> list[AlertRow]:
    """Return all alerting rules."""
    return [row for group in where.groups() for row in _rows(group)]


def told(found: Sequence[AlertRow]) -> list[AlertRow]:
    """Return the rules that a list shows: of the built-in ones, which watch the others, those that say something."""
    return [row for row in found if row.namespace != BUILT_IN or row.state != "inactive"]


def _rows(group: Json) -> Iterator[AlertRow]:
    for rule in group["rules"]:
        if rule["type"] != "alerting":
            continue
        never = rule["health"] == "unknown"
        yield AlertRow(
            id=rule["id"],
            name=rule["name"],
            namespace=group["file"],
            group=group["name"],
            expr=rule["query"],
            interval_s=group["interval"],
            for_s=rule["duration"],
            labels=rule["labels"],
            annotations=rule["annotations"],
            state=rule["state"],
            evaluated="" if never else rule["lastEvaluation"],
            outcome=rule.get("outcome", ""),
            error=rule["lastError"],
        )


def named(found: Sequence[AlertRow], name: str) -> list[AlertRow]:
    """Return the rules of a name, or the one of an id; there is at least one, or a `QueryError` says what there is."""
    chosen = [row for row in found if name in (row.name, row.id)]
    if chosen:
        return chosen
    names = sorted({row.name for row in told(found)})
    raise unknown("alert", name, names)


def remove(where: Place, chosen: Sequence[AlertRow]) -> None:
    """Delete rules: whole groups, or what is chosen of a group that has others."""
    from tailrace.alerts.rules.book import parsed

    saved = where.namespaces()
    wanted: dict[tuple[str, str], set[str]] = {}
    for row in chosen:
        if row.group not in saved.get(row.namespace, {}):
            raise DataError(f"the alert {row.name!r} comes from {row.namespace}; remove it there")
        wanted.setdefault((row.namespace, row.group), set()).add(row.id)
    for (namespace, name), ids in wanted.items():
        group = saved[namespace][name]
        (read,) = parsed(namespace, group)
        rest = [rule for rule, known in zip(group["rules"], read.rules, strict=True) if known.id not in ids]
        if rest:
            where.save(namespace, {**group, "rules": rest})
        else:
            where.delete(namespace, name)


class Folder:
    """The control database of a data folder, and the rule files of a configuration."""

    def __init__(self, control: Control, config: Config) -> None:
        from tailrace.alerts.kept.store import AlertStore
        from tailrace.alerts.rules.book import RuleBook
        from tailrace.clock import SystemClock
        from tailrace.control.lease import Lease

        self._control, self._config = control, config
        interval_ns = round(config.alerts.evaluation_interval_s * NS_PER_S)
        self._book = RuleBook(control, config.alerts.rule_files, SystemClock(), interval_ns)
        self._store = AlertStore(control, Lease(control, "command"))  # it only reads, and never takes the lease

    def groups(self) -> Sequence[Json]:
        """Return all groups with their states; say which rule files cannot be read."""
        from tailrace.alerts.evaluate.health import GROUP
        from tailrace.alerts.shown import shown

        groups = self._book.current()
        found = shown((*groups, GROUP) if groups else groups, self._store.standings())
        for why in self._book.problems.values():
            output.note(f"warning: {why}")
        return found

    def history(self, rule: str, limit: int) -> list[Entry]:
        """Return the newest lines of a rule's history."""
        from tailrace.alerts.kept.history import entries

        return entries(self._control, rule, limit)

    def namespaces(self) -> Mapping[str, Mapping[str, Json]]:
        """Return what was saved."""
        return self._book.namespaces()

    def save(self, namespace: str, group: Json) -> None:
        """Keep a group."""
        self._book.save(namespace, group)

    def delete(self, namespace: str, group: str) -> None:
        """Remove a group."""
        self._book.delete(namespace, group)

    @contextmanager
    def evaluated(self) -> Iterator[None]:
        """Evaluate the rules until the end of a `with`, unless a server does: one of both has the lease.

        Nobody is told: what a command finds while somebody looks at it is told by the next server.
        """
        from tailrace.alerts.alerting import Alerting
        from tailrace.alerts.kept.recordings import Recordings
        from tailrace.alerts.kept.samples import SamplesTable
        from tailrace.clock import SystemClock
        from tailrace.config.tables import open_logs
        from tailrace.engines.polars import PolarsEngine
        from tailrace.telemetry import Accounts

        config = self._config
        if not config.alerts.evaluate:
            yield
            return
        table = open_logs(config, create=True)
        alerting = Alerting(
            config.alerts,
            self._control,
            table,
            PolarsEngine(),
            clock=SystemClock(),
            accounts=Accounts(),
            recordings=Recordings(
                self._control, SamplesTable(table.place.beside("samples")), config.alerts.samples_days
            ),
        )
        alerting.service.start()
        try:
            yield
        finally:
            alerting.service.stop()


class Server:
    """A running Tailrace."""

    def __init__(self, url: str) -> None:
        self._url = url

    def groups(self) -> Sequence[Json]:
        """Return all groups with their states."""
        groups: Sequence[Json] = remote.call(self._url, RULES)["data"]["groups"]
        return groups

    def history(self, rule: str, limit: int) -> list[Entry]:
        """Return the newest lines of a rule's history."""
        from tailrace.alerts.kept.history import Entry

        found = remote.call(self._url, HISTORY, parameters={"rule": rule, "limit": limit})
        return [
            Entry(
                int(one["time_ns"]), one["kind"], one["labels"], None if one["value"] is None else float(one["value"])
            )
            for one in found["history"]
        ]

    def namespaces(self) -> Mapping[str, Mapping[str, Json]]:
        """Return what was saved."""
        saved = remote.call(self._url, CHANGES) or {}
        return {name: {group["name"]: group for group in groups} for name, groups in saved.items()}

    def save(self, namespace: str, group: Json) -> None:
        """Keep a group."""
        remote.call(self._url, f"{CHANGES}/{quote(namespace, safe='')}", method="POST", body=group)

    def delete(self, namespace: str, group: str) -> None:
        """Remove a group."""
        remote.call(self._url, f"{CHANGES}/{quote(namespace, safe='')}/{quote(group, safe='')}", method="DELETE")
