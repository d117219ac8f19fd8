r"""What a rule says of a text for sure, so that a tracer can leave out in the kernel what no rule wants.

Comes in: the filters of a document for one event. Goes out: for one argument the texts that it begins with, those
that are the whole of it with `END` behind them; None where some filter wants more than that. What passes is asked
again by the rule itself: a bound may let too much pass, never too little.

>>> beginnings(["arg1 == '/a' and arg2 > 0", "filename like '/srv/%' or arg1 in ('/b')"], "open", 1)
('/a\x00', '/b\x00', '/srv/')
>>> beginnings(["arg1 == '/a'", "arg2 > 0"], "open", 1) is None
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.reduce import rule_tree as tree
from tailrace.reduce.rule_syntax import parse
from tailrace.syscalls.events import EVENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

END: Final = "\0"
"""Behind a text that must be the whole."""

_ESCAPED: Final = "\\x"  # a byte that is no UTF-8, which the kernel has as it is


def beginnings(rules: Sequence[str], event: str, number: int) -> tuple[str, ...] | None:
    """Return what an argument begins with in every event that some of the rules take; None if that is not known."""
    names = {f"arg{number}", EVENTS[event][number - 1].name}
    found: set[str] = set()
    for rule in rules:
        texts = _of(parse(rule), names) if rule.strip() else None
        if not texts or not all(texts) or any(_ESCAPED in text for text in texts):
            return None
        found |= texts
    return tuple(sorted(found)) or None


def _of(node: tree.Node, names: set[str]) -> set[str] | None:
    """Return beginnings of which each event that fulfils a condition has one; None if that is not known."""
    match node:
        case tree.And(parts):
            known = [texts for part in parts if (texts := _of(part, names)) is not None]
            return min(known, key=len) if known else None
        case tree.Or(parts):
            each = [_of(part, names) for part in parts]
            return None if any(texts is None for texts in each) else set().union(*(texts or () for texts in each))
        case tree.Compare(op="=" | "==", left=left, right=right):
            pairs = ((left, right), (right, left))
            return next((_texts([text]) for name, text in pairs if _is(name, names)), None)
        case tree.In(value=value, items=items) if _is(value, names):
            return _texts(items)
        case tree.Match(kind="like" | "prefix" as kind, value=value, pattern=pattern) if _is(value, names):
            return {pattern if kind == "prefix" else _before_wildcard(pattern)}
    return None


def _is(node: object, names: set[str]) -> bool:
    return isinstance(node, tree.Name) and not node.exact and node.text in names


def _texts(items: Sequence[object]) -> set[str] | None:
    texts = [item.value + END for item in items if isinstance(item, tree.Literal) and isinstance(item.value, str)]
    return set(texts) if len(texts) == len(items) else None


def _before_wildcard(pattern: str) -> str:
    ends = [pattern.find(letter) for letter in "%_\\" if letter in pattern]
    return pattern[: min(ends)] if ends else pattern + END
