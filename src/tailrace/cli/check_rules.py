"""`tailrace check rules`: the mistakes of rule files, and what is doubtful about rules that can be evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailrace.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tailrace.alerts.rules.checks import Seen
    from tailrace.config.document import Document
    from tailrace.config.trail import Trail


@dataclass(frozen=True, slots=True)
class Checked:
    """A rule file that was checked: how many rules it has, its mistakes, and doubts about its rules."""

    file: Path
    rules: int
    mistakes: tuple[Problem, ...] = ()
    doubts: tuple[Problem, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "ok": not self.mistakes,
            "file": str(self.file),
            "rules": self.rules,
            "problems": _documents(self.mistakes),
            "warnings": _documents(self.doubts),
        }


def streams_of(data: Path | None) -> Seen | None:
    """Return the streams that a data folder had lines of lately; without a folder nothing is known of them."""
    if data is None:
        return None
    from tailrace.alerts.rules.checks import seen
    from tailrace.cli.folder import open_table
    from tailrace.clock import SystemClock

    return seen(open_table(data), SystemClock().now_ns())


def checked(file: Path, streams: Seen | None) -> Checked:
    """Return what is wrong with a file, or doubtful; a `ConfigError` says that it cannot be read at all."""
    from tailrace.alerts.rules.checks import check_groups
    from tailrace.alerts.rules.files import parse_rules
    from tailrace.config.document import read_document
    from tailrace.config.text import text_of
    from tailrace.limits import RULES_BYTES, RULES_NODES

    text = text_of(file, RULES_BYTES)
    try:
        groups = parse_rules(text, file.name, str(file))
    except ConfigError as error:
        return Checked(file, 0, error.problems)
    document = read_document(text, None, RULES_NODES)
    doubts = (doubt.problem(_place(doubt.trail, document)) for doubt in check_groups(groups, streams))
    found = sorted(doubts, key=lambda problem: (problem.line or 0, problem.column or 0))
    return Checked(file, sum(len(group.rules) for group in groups), doubts=tuple(found))


def mistakes(patterns: Sequence[str]) -> list[str]:
    """Return what is wrong with the rule files of a configuration, a line each."""
    from glob import glob
    from pathlib import Path

    found: list[str] = []
    for number, pattern in enumerate(patterns):
        files = sorted(glob(pattern, recursive=True))  # noqa: PTH207  a pattern may be absolute
        if not files:
            found.append(f"$.alerts.rule_files[{number}]: {pattern} does not exist; it is read when it appears")
        for file in files:
            try:
                wrong = checked(Path(file), None).mistakes
            except ConfigError as error:
                found.append(str(error))
            else:
                found += [problem.one_line(file) for problem in wrong]
    return found


def _place(trail: Trail, document: Document) -> tuple[int, int] | None:
    """Return where a value stands, or what is around it."""
    around = (trail[:length] for length in range(len(trail), -1, -1))
    return next((document.places[part] for part in around if part in document.places), None)


def _documents(problems: Sequence[Problem]) -> list[dict[str, object]]:
    return [{name: getattr(each, name) for name in ("where", "what", "hint", "line", "column")} for each in problems]
