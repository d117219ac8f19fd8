"""Load the configuration: a YAML file, the environment and the flags, joined and checked.

Flags go before the file, the file before the environment's `TAILRACE_DATA`, that before the defaults. Refuses
with one `ConfigError` that holds every mistake of the file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from tailrace.config.document import Document, read_document
from tailrace.config.folders import named_data
from tailrace.config.model import Config
from tailrace.config.problems import explain, found_text
from tailrace.config.text import text_of
from tailrace.errors import ConfigError, Problem
from tailrace.store.urls import url_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.config.trail import Trail


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, the document it was read from, and the keys that flags gave."""

    config: Config
    document: Document
    file: Path | None
    flags: Mapping[str, object]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it was read from: its own, and the one of the spec if that has its own."""
        value = self.document.value
        spec = value.get("spec") if isinstance(value, dict) else None
        own = () if self.file is None else (self.file,)
        return (*own, Path(spec).expanduser()) if isinstance(spec, str) else own

    def origin(self, trail: Trail) -> str:
        """Say where a value comes from: flag, file with its line, environment variable, or default."""
        if self._by_url and trail in (("data",), ("table",)):  # `data` named the table: the folder is the usual one
            trail = ("data",) if trail == ("table",) else ("",)
        if trail and trail[0] in self.flags:
            return f"flag --{str(trail[0]).replace('_', '-')}"
        if trail in self.document.places and trail:
            variables = "".join(f", env {name}" for name in self.document.variables.get(trail, ()))
            return f"file line {self.document.places[trail][0]}{variables}"
        if trail == ("data",) and os.environ.get("TAILRACE_DATA"):
            return "env TAILRACE_DATA"
        return "default"

    @property
    def _by_url(self) -> bool:
        """Whether a URL was given where a folder is named."""
        value = self.document.value
        written = value.get("data") if isinstance(value, dict) else None
        return url_of(str(self.flags.get("data", written or named_data()))) is not None


def load(path: Path | None = None, flags: Mapping[str, object] | None = None) -> Config:
    """Return the configuration of a file (none: the defaults) with the given top-level keys put over it.

    A flag of None counts as not given.
    """
    return resolve(path, flags).config


def resolve(path: Path | None = None, flags: Mapping[str, object] | None = None) -> Loaded:
    """Return the same with the origin of every value."""
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    document = Document() if path is None else read_document(text_of(path), os.environ)
    config = _config(document, given, None if path is None else str(path))
    return Loaded(config, document, path, given)


def parse(text: str, environ: Mapping[str, str] | None = None, file: str | None = None) -> Config:
    """Return the configuration that a text says."""
    return _config(read_document(text, environ or {}), {}, file)


def _config(document: Document, flags: Mapping[str, object], file: str | None) -> Config:
    unread = set(document.problems)
    value = {} if document.value is None else document.value
    if not isinstance(value, dict):
        document.refuse((), document.places.get(()), f"expected a mapping of keys to values, got {found_text(value)}")
        value = {}
    joined = {**value, **flags}
    try:
        config = Config.model_validate(joined)
    except ValidationError as error:
        for trail, problem in explain(error.errors(), joined, document, Config):
            if trail not in unread:  # a value that could not be read is wrong once, not twice
                document.problems.setdefault(trail, []).append(_of_flag(problem, trail, flags))
    if document.problems:
        found = [problem for group in document.problems.values() for problem in group]
        raise ConfigError(sorted(found, key=lambda each: (each.line or 0, each.column or 0)), file=file)
    return config


def _of_flag(problem: Problem, trail: Trail, flags: Mapping[str, object]) -> Problem:
    """Return the problem with the flag's name as its place, if a flag gave the value."""
    if not trail or trail[0] not in flags:
        return problem
    return Problem(f"--{trail[0]}", problem.what, problem.hint)
