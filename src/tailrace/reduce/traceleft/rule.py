"""Rules of an aggregation spec: conditions over the arguments of one event.

`arg1 == '/tmp/a.txt'` is a rule of `reduce.rules` whose names are the arguments, by number or name, the common members,
other fields of the event, and labels. Three things are theirs alone: the name of a flag (`O_CREAT`) is its number; a
descriptor that is compared with a text means the path behind it; and what stands in double quotes is a text, unless the
event has an argument of that name.
"""

from __future__ import annotations

import os
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tailrace.errors import did_you_mean
from tailrace.reduce.rule_tree import Compare, In, Literal, Match, Name, RuleError
from tailrace.reduce.rules import Rule
from tailrace.syscalls.events import AT_FDCWD, COMMON, EVENTS, argument, path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_FLAGS: Final = {
    **{name: value for name, value in vars(os).items() if name.startswith("O_") and isinstance(value, int)},
    "AT_FDCWD": AT_FDCWD,
    "AT_SYMLINK_NOFOLLOW": 0x100,
    "AT_REMOVEDIR": 0x200,
}
_LABELS: Final = {"source", "host", "service_name", "namespace", "pod", "container"}  # that sources give
_PATH: Final = "\0path of "  # in front of a descriptor's name where its path is meant


class EventRule:
    """A condition over rows of one event; raises `RuleError` when it is made of a wrong text."""

    def __init__(self, text: str, event: str) -> None:
        self.text = text
        self._event = event
        self._arguments = {name: number for number, names in _named(event) for name in names}
        try:
            self._rule = Rule(text, self._meant) if text.strip() else None
        except RuleError as error:
            raise error.within(text) from None

    def mask(self, frame: pl.DataFrame) -> pl.Series:
        """Return for each row, all of the rule's event, whether it holds."""
        if self._rule is None:
            return pl.repeat(value=True, n=len(frame), dtype=pl.Boolean, eager=True)
        columns: list[pl.Series] = []
        for name in self._rule.names:
            number = self._arguments.get(name.removeprefix(_PATH))
            if number is not None:
                find = path_of if name.startswith(_PATH) else argument
                columns.append(find(frame, self._event, number).alias(name))
        return self._rule.mask(frame.with_columns(columns))

    @property
    def strangers(self) -> dict[str, str]:
        """Names that every event of the kind lacks, with a suggestion: fields or labels, or misspelt."""
        names = frozenset() if self._rule is None else self._rule.names
        known = [*self._arguments, *COMMON]
        strange = {name for name in names if name.removeprefix(_PATH) not in known} - _LABELS
        return {name: did_you_mean(name, known) for name in sorted(strange)}

    def _meant(self, node: Any) -> Any:  # of any kind of node, or a tuple of them
        """Return a tree with the meanings of an event's names."""
        node = self._name(node) if isinstance(node, Name) else _within(node, self._meant)
        match node:
            case Compare(left=left, right=right):
                sides = (
                    self._paths(left) if _is_text(right) else left,
                    self._paths(right) if _is_text(left) else right,
                )
                return replace(node, left=sides[0], right=sides[1])
            case In(value=value, items=items) if any(map(_is_text, items)):
                return replace(node, value=self._paths(value))
            case Match(value=value):
                return replace(node, value=self._paths(value))
        return node

    def _name(self, name: Name) -> Name | Literal:
        if name.text in self._arguments:
            return name
        if name.exact:
            return Literal(name.text, name.at)
        if name.text in _FLAGS:
            return Literal(_FLAGS[name.text], name.at)
        number = name.text.removeprefix("arg")
        if number != name.text and number.isdecimal():
            names = ", ".join(" ".join(pair) for _, pair in _named(self._event))
            raise RuleError(f"{self._event} has no {name.text}; it has {names}", name.at)
        return name

    def _paths(self, node: Any) -> Any:  # as above
        """Return a tree in which descriptors are their paths."""
        if not isinstance(node, Name):
            return _within(node, self._paths)
        number = self._arguments.get(node.text)
        of_path = number is not None and EVENTS[self._event][number - 1].kind == "fd"
        return replace(node, text=_PATH + node.text) if of_path else node


def _within(node: Any, function: Callable[[Any], Any]) -> Any:  # as above
    """Return a node with a function of each part of it."""
    if isinstance(node, tuple):
        return tuple(map(function, node))
    if not hasattr(node, "__dataclass_fields__"):
        return node
    return replace(node, **{each.name: function(getattr(node, each.name)) for each in fields(node)})


def _named(event: str) -> Iterable[tuple[int, tuple[str, str]]]:
    """Yield the arguments of an event: number, and both names."""
    for number, wanted in enumerate(EVENTS[event], 1):
        yield number, (f"arg{number}", wanted.name)


def _is_text(node: object) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, str)
