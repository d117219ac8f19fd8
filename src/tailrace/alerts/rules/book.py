"""The rules of a server: those of files, read again when they change, and those that people save here.

Comes in: patterns of rule files, and groups from the API. Goes out: `current`, the groups that count now. A file that
cannot be read, or is wrong, leaves its last good groups in force, across a restart too, and is named in `problems`; one
that is gone takes its groups along. What is saved here is durable in the control database and never mixes with what
files say: a namespace belongs to one of the two.
"""

from __future__ import annotations

import glob
import json
import logging
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from sqlalchemy import BigInteger, Column, Table, delete, func, select

from tailrace.alerts.rules import files as rule_files
from tailrace.config.document import Document
from tailrace.config.problems import explain
from tailrace.config.text import text_of
from tailrace.control import METADATA, TEXT, insert
from tailrace.errors import ConfigError, DataError
from tailrace.limits import RULES_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.alerts.model import Group
    from tailrace.clock import Clock
    from tailrace.control import Control

    Json = Mapping[str, Any]  # a group as it was saved: JSON of several kinds
    _Saved = dict[str, dict[str, Json]]  # namespace to name to group

_LOGGER: Final = logging.getLogger(__name__)

LOOK_S: Final = 5.0
"""Seconds between two looks at the files."""

_SAVED: Final = Table(
    "alert_groups",
    METADATA,
    Column("namespace", TEXT, primary_key=True),
    Column("name", TEXT, primary_key=True),
    Column("definition", TEXT, nullable=False),  # JSON, as it was saved
    Column("saved_ns", BigInteger, nullable=False),
)

_GOOD: Final = Table(
    "alert_rule_files",
    METADATA,
    Column("path", TEXT, primary_key=True),
    Column("text", TEXT, nullable=False),  # as it was when it was read without a mistake last
)

_Mark = tuple[int, int, int]  # of a file: inode, size, time at which anything of it changed


class RuleBook:
    """All rules of a server. Any thread may call.

    One thread at a time looks for changes and parses them, which takes seconds for ten thousand rules. The others are
    given what counted before, not made to wait; but whoever saved or deleted a group is given what counts with that.
    """

    def __init__(
        self, control: Control, files: Sequence[str], clock: Clock, interval_ns: int = rule_files.INTERVAL_NS
    ) -> None:
        self._control, self._patterns, self._clock = control, tuple(files), clock
        self._interval_ns = interval_ns  # of groups that do not say
        self._turn = threading.Lock()  # to look, parse, save or delete
        self._look_s = float("-inf")
        self._marks: dict[Path, _Mark] = {}
        self._filed: dict[Path, tuple[Group, ...]] = {}
        self._saved: _Saved | None = None
        self._saved_mark: tuple[int, int] | None = None
        self._parsed: dict[tuple[str, str], tuple[Json, tuple[Group, ...]]] = {}  # saved groups, parsed once each
        self._stale = True  # something was saved or deleted here that `_current` lacks
        self._changed = True  # something was found that `_current` lacks
        self._current: tuple[Group, ...] = ()
        self._wrong_files: Mapping[str, str] = {}
        self._wrong_saved: Mapping[str, str] = {}

    @property
    def problems(self) -> Mapping[str, str]:
        """What is wrong with files, by their names, and with saved groups, by `namespace/group`."""
        return {**self._wrong_files, **self._wrong_saved}

    def current(self) -> tuple[Group, ...]:
        """Return all groups; the same object while nothing changed."""
        due = self._clock.monotonic_s() - self._look_s >= LOOK_S
        if (due or self._stale) and self._turn.acquire(blocking=self._stale):
            try:
                self._renew()
            finally:
                self._turn.release()
        return self._current

    def known(self) -> tuple[Group, ...]:
        """Return the groups that `current` gave last: without a look, a lock or a transaction of its own."""
        return self._current

    def _renew(self) -> None:
        if self._clock.monotonic_s() - self._look_s >= LOOK_S:
            self._look_s = self._clock.monotonic_s()
            self._look()
            self._look_saved()
        if self._changed or self._stale:
            filed = [group for path in sorted(self._filed) for group in self._filed[path]]
            self._current = (*filed, *self._kept())
            self._changed = self._stale = False

    # --- files ----------------------------------------------------------------------------------

    def _look(self) -> None:
        there = {Path(path) for pattern in self._patterns for path in glob.glob(pattern, recursive=True)}  # noqa: PTH207  a pattern may be absolute
        for path in self._filed.keys() - there:
            with self._control.transaction() as connection:
                connection.execute(delete(_GOOD).where(_GOOD.c.path == str(path)))
            del self._filed[path]
            self._marks.pop(path, None)
            self._changed = True
        wrong = {path: why for path, why in self._wrong_files.items() if Path(path) in there}
        for path in there:
            self._read(path, wrong)
        self._wrong_files = wrong

    def _read(self, path: Path, wrong: dict[str, str]) -> None:
        """Read a file if it changed, and note in `wrong` whether something is."""
        try:
            found = path.stat()
        except OSError as error:
            if os.path.lexists(path):  # a link to nowhere, or to itself; else it is gone since it was listed
                self._refuse(path, wrong, f"{path}: cannot be read: {error.strerror}")
            return
        if not stat.S_ISREG(found.st_mode):  # to open a pipe would wait for whoever writes to it
            self._refuse(path, wrong, f"{path}: this is no file; name files, as in rules/*.yaml")
            return
        mark = (found.st_ino, found.st_size, found.st_ctime_ns)
        if self._marks.get(path) == mark:
            return
        try:
            text = text_of(path, RULES_BYTES)
            groups = rule_files.parse_rules(text, str(path), str(path), self._interval_ns)
        except ConfigError as error:
            self._refuse(path, wrong, str(error))
            self._marks[path] = mark
            return
        if self._filed.get(path) != groups:
            self._keep_good(path, text)
            self._filed[path], self._changed = groups, True
        self._marks[path] = mark  # last: when the database is busy, the file is read again
        wrong.pop(str(path), None)

    def _refuse(self, path: Path, wrong: dict[str, str], why: str) -> None:
        """Note what is wrong with a file, whose last good groups count."""
        if wrong.get(str(path)) != why:
            _LOGGER.warning("rules: %s", why)
        wrong[str(path)] = why
        self._marks.pop(path, None)
        if path not in self._filed:
            self._filed[path], self._changed = self._last_good(path), True

    def _last_good(self, path: Path) -> tuple[Group, ...]:
        """Return what a file said when it was good last; nothing if it never was."""
        with self._control.reading() as connection:
            text = connection.execute(select(_GOOD.c.text).where(_GOOD.c.path == str(path))).scalar()
        try:
            return rule_files.parse_rules(text or "", str(path), str(path), self._interval_ns)
        except ConfigError:  # an older Tailrace took it
            return ()

    def _keep_good(self, path: Path, text: str) -> None:
        row = insert(_GOOD).values(path=str(path), text=text)
        with self._control.transaction() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["path"], set_={"text": text}))

    # --- what people save -----------------------------------------------------------------------

    def namespaces(self) -> Mapping[str, Mapping[str, Json]]:
        """Return namespace to name to definition, as it was saved."""
        saved = self._saved
        return {namespace: dict(groups) for namespace, groups in (self._all() if saved is None else saved).items()}

    def save(self, namespace: str, group: Json) -> None:
        """Keep a group durably, in place of one of the same name; all that is wrong with it is a `DataError`."""
        parsed(namespace, group)
        row = {"namespace": namespace, "name": group["name"], "definition": json.dumps(group)}
        self.current()  # what files say is not known before a first look
        with self._turn:
            if any(str(path) == namespace for path in self._filed):
                raise DataError(f"the rules of {namespace} come from that file; change them there")
            newest = select(func.coalesce(func.max(_SAVED.c.saved_ns), 0))
            with self._control.transaction() as connection:
                saved_ns = max(
                    self._clock.now_ns(), connection.execute(newest).scalar_one() + 1
                )  # others look for that
                statement = insert(_SAVED).values(**row, saved_ns=saved_ns)
                changes = {name: statement.excluded[name] for name in ("definition", "saved_ns")}
                connection.execute(statement.on_conflict_do_update(index_elements=["namespace", "name"], set_=changes))
            self._saved, self._stale = None, True

    def delete(self, namespace: str, group: str | None) -> bool:
        """Remove a group, or all of a namespace; false if there is none."""
        chosen = _SAVED.c.namespace == namespace
        if group is not None:
            chosen &= _SAVED.c.name == group
        with self._turn:
            with self._control.transaction() as connection:
                gone = connection.execute(delete(_SAVED).where(chosen)).rowcount
            self._saved, self._stale = None, True
        return bool(gone)

    def _kept(self) -> list[Group]:
        """Return the groups that were saved; one that an older Tailrace took and this one does not is a problem."""
        if self._saved is None:
            self._saved = self._all()
        found: list[Group] = []
        wrong, parsed_before, self._parsed = dict[str, str](), self._parsed, {}
        for namespace, groups in self._saved.items():
            for name, group in groups.items():
                known = parsed_before.get((namespace, name))
                try:
                    read = known[1] if known and known[0] == group else parsed(namespace, group, self._interval_ns)
                except DataError as error:
                    wrong[f"{namespace}/{name}"] = f"{namespace}/{name}: {error}"
                    _LOGGER.warning("rules: %s/%s: %s", namespace, name, error)
                else:
                    self._parsed[namespace, name] = group, read
                    found += read
        self._wrong_saved = wrong
        return found

    def _look_saved(self) -> None:
        """Forget what was read if another process saved or deleted a group since."""
        wanted = select(func.count(), func.coalesce(func.max(_SAVED.c.saved_ns), 0))
        with self._control.reading() as connection:
            count, saved_ns = connection.execute(wanted).one()
        if (count, saved_ns) != self._saved_mark:
            self._saved, self._changed = None, True
            self._saved_mark = (count, saved_ns)

    def _all(self) -> _Saved:
        wanted = select(_SAVED).order_by(_SAVED.c.namespace, _SAVED.c.name)
        saved: _Saved = {}
        with self._control.reading() as connection:
            for row in connection.execute(wanted).all():
                saved.setdefault(row.namespace, {})[row.name] = json.loads(row.definition)
        return saved


def parsed(namespace: str, group: Json, interval_ns: int = rule_files.INTERVAL_NS) -> tuple[Group, ...]:
    """Return the group of a definition; all that is wrong with it is one `DataError`."""
    value = {"groups": [group]}
    try:
        read = rule_files.RuleFile.model_validate(value)
        return rule_files.groups_of(read, namespace, editable=True, interval_ns=interval_ns)
    except ValidationError as error:
        found = [problem for _, problem in explain(error.errors(), value, Document(), rule_files.RuleFile)]
        said = "; ".join(str(problem).replace("$.groups[0]", "$") for problem in found)
        raise DataError(said) from None
