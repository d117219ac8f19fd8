"""A query laid out over lines: a stage a line, functions around what they take. It says the same as before.

>>> print(pretty('sum by(host)(rate({app="web"}|="connection refused"|json[5m]))'))
sum by (host) (
  rate(
    {app="web"}
      |= "connection refused"
      | json
      [5m]
  )
)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.query.literals import write_duration, write_number
from tailrace.query.syntax import Binary, LabelReplace, LogQuery, RangeAggregation, VectorAggregation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.query.syntax import Grouping, LogRange, Query

INDENT: Final = "  "
SHORT: Final = 40
"""An expression that is no longer stays on one line."""

_STRING: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`')


def pretty(query: str) -> str:
    """Return a query laid out; a `QueryError` if it cannot be read, or has comments, which would be lost."""
    tree = parser.parse(query)
    at = _STRING.sub(lambda match: "_" * len(match[0]), query).find("#")
    if at >= 0:
        raise QueryError("laying the query out would lose its comments", query=query, position=at)
    return "\n".join(_lines(tree))


def _lines(tree: Query) -> Iterator[str]:
    text = str(tree)
    if len(text) <= SHORT:
        yield text
    elif isinstance(tree, LogQuery):
        yield str(tree.selector)
        yield from _indented(map(str, tree.stages))
    elif isinstance(tree, RangeAggregation):
        yield from _call(tree.function, tree.parameter, _range(tree.range), tree.grouping)
    elif isinstance(tree, VectorAggregation):
        head = f"{tree.function} {tree.grouping} " if tree.grouping else tree.function
        yield from _call(head, tree.parameter, _lines(tree.operand), None)
    elif isinstance(tree, Binary):
        yield from _binary(tree, text)
    elif isinstance(tree, LabelReplace):
        inner = "\n".join(_indented(_lines(tree.operand)))
        yield from text.replace(f"({tree.operand}, ", f"(\n{inner},\n{INDENT}", 1).split("\n")
    else:
        yield text


def _range(log: LogRange) -> Iterator[str]:
    yield str(log.log.selector)
    offset = f" offset {write_duration(log.offset_ns)}" if log.offset_ns else ""
    yield from _indented(map(str, log.log.stages))
    if log.unwrap:
        yield INDENT + str(log.unwrap)
    yield f"{INDENT}[{write_duration(log.range_ns)}]{offset}"


def _call(head: str, parameter: float | None, body: Iterator[str], grouping: Grouping | None) -> Iterator[str]:
    yield f"{head}("
    if parameter is not None:
        yield f"{INDENT}{write_number(parameter)},"
    yield from _indented(body)
    yield f") {grouping}" if grouping else ")"


def _binary(tree: Binary, text: str) -> Iterator[str]:
    """Write the operator on a line of its own between its operands, with the parentheses that it has on one line."""
    left, right = str(tree.left), str(tree.right)
    held_left, held_right = text.startswith(f"({left})"), text.endswith(f"({right})")
    between = text[len(left) + 2 * held_left : len(text) - len(right) - 2 * held_right]
    yield from _held(tree.left, held_left)
    yield between.strip()
    yield from _held(tree.right, held_right)


def _held(operand: Query, held: bool) -> Iterator[str]:
    if not held:
        yield from _lines(operand)
        return
    yield "("
    yield from _indented(_lines(operand))
    yield ")"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (INDENT + line for line in lines)
