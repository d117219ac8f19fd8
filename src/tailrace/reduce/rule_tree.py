"""The tree of a rule: what `rule_syntax` reads and `rule_values` makes expressions of."""

from __future__ import annotations

from dataclasses import dataclass

Value = str | int | float | bool | None


class RuleError(ValueError):
    """A rule that cannot be used: what is wrong, at which character from 0, and what to do."""

    def __init__(self, what: str, at: int, hint: str = "", text: str = "") -> None:
        self.what = what
        self.at = at
        self.hint = hint
        before = text[:at].split("\n")
        line = f"line {len(before)}, " if len(before) > 1 else ""
        super().__init__(f"{line}column {at + 1 - sum(len(each) + 1 for each in before[:-1])}: {what}")

    def within(self, text: str) -> RuleError:
        """Return the same with its line, if the rule has several."""
        return RuleError(self.what, self.at, self.hint, text)


@dataclass(frozen=True, slots=True)
class Name:
    """A column, a label, or one of the short names of the envelope; `exact` if it was written in double quotes."""

    text: str
    exact: bool
    at: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the rule."""

    value: Value
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function of some values."""

    name: str
    arguments: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers joined by `+ - * / %`."""

    op: str
    left: Node
    right: Node
    at: int


@dataclass(frozen=True, slots=True)
class Compare:
    """Two values compared by `= != < <= > >=`."""

    op: str
    left: Node
    right: Node
    at: int


@dataclass(frozen=True, slots=True)
class Match:
    """A text held against a pattern; `kind` is like, ilike, regex or prefix."""

    kind: str
    value: Node
    pattern: str
    at: int


@dataclass(frozen=True, slots=True)
class In:
    """A value that is one of some."""

    value: Node
    items: tuple[Literal, ...]
    at: int


@dataclass(frozen=True, slots=True)
class IsNull:
    """A value that is not there."""

    of: Node


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; null stays null."""

    of: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    parts: tuple[Node, ...]


Node = Name | Literal | Call | Arithmetic | Compare | Match | In | IsNull | Not | And | Or
