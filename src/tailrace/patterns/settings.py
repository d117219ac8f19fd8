"""The settings of a format that a user declares: a pattern, and what its fields mean."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from tailrace.patterns import time_format
from tailrace.patterns.capture import capture_regex
from tailrace.patterns.grok import TYPES, Expanded, expand
from tailrace.patterns.regex import PatternError, groups_of
from tailrace.settings import Settings

Type = Literal["string", "int", "float", "bool", "time"]
_KINDS = ("regex", "grok", "pattern")


class PatternSettings(Settings):
    """A format of your own: exactly one of `regex`, `grok` and `pattern`, and what the fields mean."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
    """Name of the format, as a source's `format` has it."""

    regex: str = ""
    """A regular expression with named groups, `(?P<name>…)`: each group becomes a field. It runs in time linear in
    the line: there is no looking around and no back-reference."""

    grok: str = ""
    """Named pieces: `%{IP:client} %{INT:status:int}`. It is tried at the start of the line."""

    pattern: str = ""
    """Text with captures, as LogQL's `pattern` stage has it: `<ip> - - [<time>] "<method> <path>"`."""

    definitions: dict[str, str] = Field(default_factory=dict)
    """Further pieces for `grok`, by name."""

    types: dict[str, Type] = Field(default_factory=dict)
    """Types of fields that are no text; a value that does not fit is null and marks the line."""

    time: str = ""
    """The field that is the line's time; else the line has the time of reading."""

    time_format: str = ""
    """How the time is written, as `strftime` has it; empty tries the usual shapes."""

    level: str = ""
    """The field that is the line's level."""

    message: str = ""
    """The field that people read: it becomes the line. Else the whole line stays."""

    nested: dict[str, Literal["json", "logfmt"]] = Field(default_factory=dict)
    """Fields whose text is a record of its own; its fields join the line's."""

    _expanded: Expanded = PrivateAttr()

    @field_validator("regex", "grok", "pattern")
    @classmethod
    def _fits_in_a_line(cls, value: str) -> str:
        return value.rstrip("\r\n")

    @field_validator("time_format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if wrong := time_format.refuse(value):
            raise ValueError(wrong)
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in _KINDS if getattr(self, kind)]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of {', '.join(_KINDS)}, has {' and '.join(given) or 'none'}")
        try:
            self._expanded = self._expand()
            fields = groups_of(self._expanded.regex)
        except PatternError as error:
            raise ValueError(f"{given[0]}: {error}") from error
        if not fields:
            raise ValueError(f"{given[0]}: no group has a name, so there would be no field: write (?P<name>…)")
        used = {"time": [self.time], "level": [self.level], "message": [self.message]}
        for key, names in (used | {"types": [*self.types], "nested": [*self.nested]}).items():
            for name in names:
                if name and name not in fields:
                    raise ValueError(f"{key}: the pattern has no group {name!r}; it has {', '.join(fields)}")
        return self

    def _expand(self) -> Expanded:
        if self.grok:
            return expand(self.grok, self.definitions)
        return Expanded(capture_regex(self.pattern) if self.pattern else self.regex, {})

    @property
    def expression(self) -> str:
        """The regular expression that lines are matched with."""
        return self._expanded.regex

    def type_of(self, field: str) -> str:
        """Return the type of a field, one of `grok.TYPES`."""
        kind = self.types.get(field) or self._expanded.types.get(field, "string")
        assert kind in TYPES
        return kind
