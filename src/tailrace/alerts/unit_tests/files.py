"""Read a file of rule tests and the rule files that it names.

Comes in: a path. Goes out: a `Suite`. Refuses both with all of their mistakes at once, each with `$.path`, line and
column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from tailrace.alerts.rules.files import load_rules
from tailrace.alerts.unit_tests.settings import TestFile
from tailrace.config.document import read_document
from tailrace.config.problems import explain, found_text
from tailrace.config.text import text_of
from tailrace.config.trail import trail_text
from tailrace.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.alerts.model import Group
    from tailrace.config.document import Document


@dataclass(frozen=True, slots=True)
class Suite:
    """A file of tests with the groups that it tests, in the order of their evaluation."""

    path: Path
    tests: TestFile
    groups: tuple[Group, ...]


def load(path: Path) -> Suite:
    """Return what a file of tests says, with its rules."""
    document = read_document(text_of(path), None)
    tests = _checked(document, str(path))
    groups = [group for file in _rule_files(path, tests, document) for group in _groups(file, tests)]
    return Suite(path, tests, _ordered(groups, path, tests, document))


def _checked(document: Document, file: str) -> TestFile:
    value = document.value
    if not isinstance(value, dict) and () not in document.problems:
        document.refuse((), document.places.get(()), f"expected a mapping of keys to values, got {found_text(value)}")
    tests = None
    try:
        tests = None if () in document.problems else TestFile.model_validate(value)
    except ValidationError as error:
        unread = set(document.problems)
        for trail, problem in explain(error.errors(), value, document, TestFile):
            if trail not in unread:
                document.problems.setdefault(trail, []).append(problem)
    if tests is None or document.problems:
        found = [problem for several in document.problems.values() for problem in several]
        raise ConfigError(sorted(found, key=lambda each: (each.line or 0, each.column or 0)), file=file)
    return tests


def _rule_files(path: Path, tests: TestFile, document: Document) -> list[Path]:
    """Return the rule files, each once, in the order in which they are named."""
    files: list[Path] = []
    for index, pattern in enumerate(tests.rule_files):
        found = [path.parent / pattern] if (path.parent / pattern).is_file() else sorted(_matching(path, pattern))
        if not found:
            raise _refusal(("rule_files", index), path, document, f"there is no file {pattern}", "")
        files += found
    return list(dict.fromkeys(files))


def _matching(path: Path, pattern: str) -> list[Path]:
    whole = path.parent / pattern  # the folder is left out where the pattern is absolute
    return [each for each in whole.parents[-1].glob(str(whole.relative_to(whole.anchor))) if each.is_file()]


def _groups(file: Path, tests: TestFile) -> tuple[Group, ...]:
    return load_rules(file, str(file), tests.evaluation_interval_ns)


def _ordered(groups: list[Group], path: Path, tests: TestFile, document: Document) -> tuple[Group, ...]:
    names = [group.name for group in groups]
    for index, name in enumerate(tests.group_eval_order):
        if name not in names:
            hint = f"there are {', '.join(names)}" if names else "the rule files have none"
            raise _refusal(("group_eval_order", index), path, document, f"there is no group {name!r}", hint)
    order = {name: place for place, name in enumerate(tests.group_eval_order)}
    return tuple(sorted(groups, key=lambda group: order.get(group.name, len(order))))


def _refusal(trail: tuple[str | int, ...], path: Path, document: Document, what: str, hint: str) -> ConfigError:
    line, column = document.places.get(trail, (None, None))
    return ConfigError([Problem(trail_text(trail), what, hint, line, column)], file=str(path))
