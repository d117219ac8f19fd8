"""Read a spec that stands in a file of its own: the same keys as under `spec` of the configuration.

Refuses with one `ConfigError` that holds every mistake of the file.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pydantic import ValidationError

from tailrace.config.document import read_document
from tailrace.config.problems import explain, found_text
from tailrace.config.text import text_of
from tailrace.errors import ConfigError
from tailrace.reduce.spec import Spec
from tailrace.reduce.traceleft.document import Document as Aggregation
from tailrace.reduce.traceleft.document import is_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def load_spec(path: Path) -> Spec:
    """Return the spec of a file."""
    return parse_spec(text_of(path), os.environ, str(path))


def parse_spec(text: str, environ: Mapping[str, str] | None = None, file: str | None = None) -> Spec:
    """Return the spec that a text says."""
    document = read_document(text, environ or {})
    value = {} if document.value is None else document.value
    if not isinstance(value, dict):
        document.refuse((), document.places.get(()), f"expected a mapping of keys to values, got {found_text(value)}")
        value = {}
    spec = Spec()
    model = Aggregation if is_document(value) else Spec
    try:
        read = model.model_validate(value)
        spec = read if isinstance(read, Spec) else Spec(aggregation=read)
    except ValidationError as error:
        unread = set(document.problems)
        for trail, problem in explain(error.errors(), value, document, model):
            if trail not in unread:  # a value that could not be read is wrong once, not twice
                document.problems.setdefault(trail, []).append(problem)
    if document.problems:
        found = [problem for group in document.problems.values() for problem in group]
        raise ConfigError(sorted(found, key=lambda each: (each.line or 0, each.column or 0)), file=file)
    return spec
