"""One line on its way: its text, its labels by where they come from, and the rules when two want one name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

S = 1_000_000_000
ERROR, DETAILS = "__error__", "__error_details__"


class AmbiguousError(Exception):
    """The description does not say what comes out."""


class RefusedError(Exception):
    """The query must fail."""


@dataclass
class Line:
    t: int
    text: str
    stream: dict[str, str]
    meta: dict[str, str]
    parsed: dict[str, str] = field(default_factory=dict)
    own: frozenset[str] = frozenset()  # names that the stream had at first
    gone: set[str] = field(default_factory=set)  # parsed once, then dropped

    @classmethod
    def of(cls, row) -> Line:
        stream = dict(row["stream"])
        meta = {name + "_extracted" * (name in stream): value for name, value in row.get("meta", {}).items()}
        return cls(row["t"], row["line"], stream, meta, own=frozenset(stream))

    def get(self, name):
        for source in (self.parsed, self.meta, self.stream):
            if name in source:
                return source[name]
        return None

    def text_of(self, name):
        return self.get(name) or ""

    def all(self):
        return {**self.stream, **self.meta, **self.parsed}

    def set(self, name, value):
        self.stream.pop(name, None)
        self.meta.pop(name, None)
        self.parsed[name] = value

    def remove(self, name):
        if name in self.parsed and name not in (ERROR, DETAILS):
            self.gone.add(name)
        for source in (self.parsed, self.meta, self.stream):
            source.pop(name, None)

    def extract(self, key, value):
        name = sanitized(key)
        if not name:
            return
        if name in self.own or name in self.meta:
            name += "_extracted"
            self.meta.pop(name, None)
        if name not in self.parsed and name not in self.gone:
            self.parsed[name] = value

    def fail(self, kind):
        if ERROR not in self.all():
            self.parsed[ERROR] = kind
            self.parsed[DETAILS] = "?"


def sanitized(key):
    name = re.sub(r"[^A-Za-z0-9_]", "_", key.strip())
    return "_" + name if name[:1].isdigit() else name
