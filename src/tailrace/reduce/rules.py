"""Rules: conditions over one row, written as SQL.

Comes in: `status >= 500 and path like '/api/%'` and a frame. Goes out: for each row whether the rule holds. A name is
what `names` says; one that nothing in the frame has is null: fields come and go, and that is no mistake.

A rule holds for a row or it does not: what cannot be told, because a value is missing, does not hold. So
`status >= 500` and `not status >= 500` are both false for a row without a status.

>>> rule = Rule("status >= 500 and path like '/api/%'")
>>> rule.mask(pl.DataFrame({"status": [502, 502, None], "path": ["/api/a", "/", "/api/b"]})).to_list()
[True, False, False]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.batch import ENVELOPE
from tailrace.reduce import rule_tree as tree
from tailrace.reduce.names import SHORT, find, with_labels
from tailrace.reduce.rule_syntax import parse
from tailrace.reduce.rule_tree import RuleError
from tailrace.reduce.rule_values import condition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tailrace.reduce.rule_values import Typed

__all__ = ["Rule", "RuleError"]


class Rule:
    """A condition, checked when it is made: raises `RuleError`.

    `meaning` may put another tree in the place of the one that was read.
    """

    def __init__(self, text: str, meaning: Callable[[tree.Node], tree.Node] | None = None) -> None:
        self.text = text
        read = parse(text)
        self._tree = read if meaning is None else meaning(read)
        names = list(_names(self._tree))
        self.names = frozenset(name.text for name in names)
        """Columns and labels in it."""
        self._plain = tuple(dict.fromkeys(name.text for name in names if not name.exact))
        self.unseen: set[str] = set()
        """Names that nothing had in any frame so far: maybe misspelt."""
        self.mask(pl.DataFrame(schema=ENVELOPE))
        self.unseen = {name.text for name in names if name.exact or name.text not in SHORT}

    def mask(self, frame: pl.DataFrame) -> pl.Series:
        """Return for each row whether the rule holds; never null."""
        frame = with_labels(frame, self._plain)

        def meaning(name: tree.Name) -> Typed:
            found = find(name.text, frame.schema, exact=name.exact)
            if found.kind != "null":
                self.unseen.discard(name.text)
            return found

        try:
            expr = condition(self._tree, meaning)
        except RecursionError:
            raise RuleError("nested too deeply", 0) from None
        result = frame.select(_=expr.fill_null(value=False)).to_series()
        if len(result) == len(frame):
            return result
        return pl.repeat(result.item(), len(frame), dtype=pl.Boolean, eager=True)  # a rule of constants alone


def _names(node: object) -> Iterator[tree.Name]:
    """Yield the names of a tree."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, tree.Name):
            yield each
        elif isinstance(each, tuple):
            waiting += each
        elif hasattr(each, "__dataclass_fields__"):
            waiting += [getattr(each, field) for field in each.__dataclass_fields__]
