"""Profiles: what a log's lines mean and what is counted of them, as a YAML file that anybody could write.

Comes in: the name of a shipped profile, or a path. Goes out: a `Profile`, with the one that it extends folded in.
Refuses what cannot work, every mistake of a file at once, each with its place.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self, TypeVar

from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator

from tailrace.config.document import read_document
from tailrace.config.problems import explain
from tailrace.config.text import text_of
from tailrace.errors import ConfigError, Problem, did_you_mean
from tailrace.patterns.regex import PatternError, groups_of
from tailrace.reduce.metrics.settings import MetricSettings, SessionSettings, Span, Sql
from tailrace.reduce.metrics.state import problems
from tailrace.reduce.rules import Rule, RuleError
from tailrace.registry import format_parts, names
from tailrace.settings import Mistake, Mistakes, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.resources.abc import Traversable

_Named = TypeVar("_Named", MetricSettings, SessionSettings)
_DEPTH: Final = 4
"""Profiles that may extend each other."""


class FieldPattern(Settings):
    """Further fields from one column of a line."""

    regex: str
    """A regular expression with named groups, `(?P<name>…)`: each becomes a field of the lines that match."""

    on: Annotated[str, Field(min_length=1)] = "_line"
    """The column that is matched; `_line` is the line, or its message if the format has one."""

    set: dict[str, str] = Field(default_factory=dict)
    """Fields with a fixed text for the lines that match, such as the kind of event."""

    types: dict[str, Literal["int", "float"]] = Field(default_factory=dict)
    """Groups that are numbers; a value that is none is null."""

    _groups: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="after")
    def _compile(self) -> Self:
        try:
            self._groups = groups_of(self.regex)
        except PatternError as error:
            raise Mistake(str(error), "see docs.rs/regex for what a pattern may hold", ("regex",)) from error
        for name in self.types:
            if name not in self._groups:
                hint = f"it has {', '.join(self._groups) or 'none'}"
                raise Mistake(f"the pattern has no group {name!r}", hint, ("types", name))
        return self

    @property
    def groups(self) -> tuple[str, ...]:
        """The fields that the pattern finds."""
        return self._groups


class Profile(Settings):
    """What a log's lines mean, and what is counted of them."""

    about: str = ""
    """One sentence about it."""

    extends: str = ""
    """Name of a shipped profile that this one adds to: a metric or a session of the same name takes its place."""

    prefix: Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")] = "tailrace"
    """In front of the names of the exporter's own metrics, `PREFIX_exporter_lines_total` and so on."""

    format: str = "auto"
    """Format of the lines, by the name of a parser."""

    partial_after: Span | None = None
    """The time after which a last line counts though it has no newline; what may come of it later is left out then. For
    programs that write whole lines at once. Default: a line counts when it is complete."""

    patterns: tuple[FieldPattern, ...] = ()
    """Further fields of the lines: the first pattern that matches counts."""

    unmatched: Sql | None = None
    """The condition of lines that are not understood. Default: those that no pattern matches, if there are any
    patterns, and those that the format does not fit."""

    sessions: tuple[SessionSettings, ...] = ()
    """Lines that belong together."""

    metrics: tuple[MetricSettings, ...] = ()
    """What is counted."""

    _unmatched: Rule = PrivateAttr()

    @field_validator("format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        known = ["auto", *names("parser")]
        for name in format_parts(value):
            if name.partition(":")[0] not in known:
                hint = did_you_mean(name, known) or f"known: {', '.join(known)}"
                raise Mistake(f"there is no format {name!r}", hint)
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        default = "_error is not null" + (" or _matched = false" if self.patterns else "")
        try:
            self._unmatched = Rule(self.unmatched or default)
        except RuleError as error:
            raise Mistake(str(error), error.hint, ("unmatched",)) from error
        if not self.extends:
            wrong = problems(self.metrics, self.sessions)
            if wrong:
                raise Mistakes([Mistake(text, "", ("metrics", index)) for index, text in wrong])
        return self

    @property
    def unmatched_rule(self) -> Rule:
        """The condition of lines that are not understood, ready to run."""
        return self._unmatched


def shipped() -> list[str]:
    """Return the names of the profiles that come with Tailrace."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _folder().iterdir() if entry.name.endswith(".yaml"))


def load_profile(name: str, *, depth: int = 0) -> Profile:
    """Return a shipped profile by its name, or the one in a file; `ConfigError` with all that is wrong in it."""
    if name in shipped():
        profile = parse_profile((_folder() / f"{name}.yaml").read_text("utf-8"), f"profile {name}")
    elif os.sep in name or name.endswith((".yaml", ".yml")) or Path(name).is_file():
        profile = parse_profile(text_of(Path(name).expanduser()), name)
    else:
        known = shipped()
        hint = did_you_mean(name, known) or f"known: {', '.join(known)}; or give the path of a file"
        raise ConfigError([Problem("--profile", f"there is no profile {name!r}", hint)])
    if not profile.extends:
        return profile
    if depth >= _DEPTH or profile.extends not in shipped():
        hint = did_you_mean(profile.extends, shipped()) or f"known: {', '.join(shipped())}"
        raise ConfigError([Problem("$.extends", f"there is no shipped profile {profile.extends!r}", hint)], file=name)
    return _extended(load_profile(profile.extends, depth=depth + 1), profile, name)


def parse_profile(text: str, file: str) -> Profile:
    """Return the profile that a text says."""
    document = read_document(text, os.environ)
    if not document.problems:
        try:
            return Profile.model_validate(document.value or {})
        except ValidationError as error:
            for trail, problem in explain(error.errors(), document.value, document, Profile):
                document.problems.setdefault(trail, []).append(problem)
    found = [problem for group in document.problems.values() for problem in group]
    raise ConfigError(sorted(found, key=lambda each: (each.line or 0, each.column or 0)), file=file)


def _extended(base: Profile, own: Profile, file: str) -> Profile:
    """Return a profile put over the one that it extends."""
    given = {name: getattr(own, name) for name in own.model_fields_set - {"extends", "sessions", "metrics"}}
    joined = {name: getattr(base, name) for name in base.model_fields_set - {"sessions", "metrics"}} | given
    sessions = _over(base.sessions, own.sessions)
    metrics = _over(base.metrics, own.metrics)
    try:
        return Profile(**joined, sessions=sessions, metrics=metrics)
    except ValidationError as error:
        raise ConfigError("; ".join(each["msg"] for each in error.errors()), file=file) from None


def _over(base: Sequence[_Named], own: Sequence[_Named]) -> tuple[_Named, ...]:
    """Return the parts of both; one of a name that is there already takes its place."""
    parts: dict[str, _Named] = {part.name: part for part in base}
    return tuple((parts | {part.name: part for part in own}).values())


def _folder() -> Traversable:
    return files("tailrace") / "profiles"
