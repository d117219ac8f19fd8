"""The settings of records that have several lines, for every source of lines."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tailrace import limits
from tailrace.contracts import Multiline, Preset
from tailrace.patterns.regex import PatternError, groups_of
from tailrace.settings import Mistake, Settings

_PATTERNS = ("start", "end", "continues")


class MultilineSettings(Settings):
    """Which lines make one record: by `preset`, or by exactly one of `start`, `end` and `continues`."""

    preset: Annotated[
        tuple[Preset, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
    ] = ()
    """Stack traces of `java`, `python`, `go`, `node`, `rust`, `dotnet`, `ruby` and `php`, one or several; `auto` is
    all of them; `indented` are lines that begin with a blank, and lines behind one that ends in a backslash."""

    start: str = ""
    """Regular expression: a line that matches begins a record, which takes every line up to the next one. As all
    expressions here it runs in time linear in the line: there is no looking around and no back-reference."""

    end: str = ""
    """Regular expression: a line that matches ends the record."""

    continues: str = ""
    """Regular expression: a line that matches goes on with the record of the line before it."""

    negate: bool = False
    """Turn the expression round: the lines that do not match are meant."""

    match: dict[str, str] = Field(default_factory=dict)
    """Labels of the streams that this is for, such as `container: billing`; `*` and `?` stand for any text and any
    character. Empty: for all. The first rule that fits a stream counts."""

    max_lines: Annotated[int, Field(ge=2, le=100_000)] = limits.MULTILINE_LINES
    """A record of more lines goes out in linked parts."""

    max_bytes: Annotated[int, Field(ge=limits.KIB, le=16 * limits.MIB)] = limits.MULTILINE_BYTES
    """A record of more bytes goes out in linked parts."""

    wait_s: Annotated[float, Field(gt=0, le=3600)] = limits.MULTILINE_WAIT_S
    """Seconds without a further line after which a record is complete."""

    @field_validator(*_PATTERNS)
    @classmethod
    def _linear(cls, value: str) -> str:
        try:
            groups_of(value)
        except PatternError as error:
            raise Mistake(str(error), "write an expression that the Rust crate `regex` knows") from error
        return value

    @model_validator(mode="after")
    def _one_way(self) -> MultilineSettings:
        given = [name for name in ("preset", *_PATTERNS) if getattr(self, name)]
        if len(given) != 1:
            what = f"needs exactly one of preset, {', '.join(_PATTERNS)}, has {' and '.join(given) or 'none'}"
            raise Mistake(what, "give each way a rule of its own, with `match` to tell the streams apart")
        if self.negate and self.preset:
            raise Mistake("a preset cannot be turned round", "use `negate` with an expression", ("negate",))
        return self

    def rule(self) -> Multiline:
        """Return what the parsing side needs."""
        return Multiline(
            presets=self.preset,
            start=self.start,
            end=self.end,
            continues=self.continues,
            negate=self.negate,
            match=tuple(sorted(self.match.items())),
            max_lines=self.max_lines,
            max_bytes=self.max_bytes,
            wait_s=self.wait_s,
        )


def _rules(value: Any) -> Any:  # what stands in a file
    """Return a list of rules: a preset's name, several names, and one rule are short for it."""
    if isinstance(value, str):
        return ({"preset": value},)
    if isinstance(value, dict | MultilineSettings):
        return (value,)
    if isinstance(value, list | tuple) and value and all(isinstance(each, str) for each in value):
        return ({"preset": value},)
    return value


MultilineRules = Annotated[tuple[MultilineSettings, ...], BeforeValidator(_rules)]
"""Rules as a source's settings have them; `rules_of` makes them ready."""


def rules_of(settings: tuple[MultilineSettings, ...]) -> tuple[Multiline, ...]:
    """Return the rules as a `Reading` has them."""
    return tuple(each.rule() for each in settings)
