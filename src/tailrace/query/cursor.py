"""A place in the tokens of a query, and the few moves that the parser and every stage make from it.

`Source` is the query's text for those who report mistakes after parsing.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from tailrace.errors import QueryError
from tailrace.query.lexer import Token, inside, tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RESERVED: Final = frozenset(
    [
        "and",
        "or",
        "unless",
        "bool",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "by",
        "without",
        "offset",
        "json",
        "logfmt",
        "regexp",
        "pattern",
        "unpack",
        "line_format",
        "label_format",
        "decolorize",
        "drop",
        "keep",
        "unwrap",
    ]
)
"""Words that cannot be label names."""

NESTING: Final = 100
"""Levels of parentheses, functions and right operands: far more than anyone writes, and no overflow of the stack."""


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a query, to point into."""

    text: str

    def error(self, what: str, at: int, hint: str = "") -> QueryError:
        """Return the error that points at `at`."""
        return QueryError(what, query=self.text, position=at, hint=hint)

    def inside(self, at: int, index: int) -> int:
        """Return the place of character `index` of the string literal at `at`."""
        return inside(self.text, at, index)


class Cursor:
    """Walks over tokens; every `expect_*` raises a `QueryError` at the token that is not what was needed."""

    def __init__(self, text: str, *, names: bool = False) -> None:
        self.source = Source(text)
        self._tokens = tokens(text, names=names)
        self._index = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        """The token ahead."""
        return self._tokens[self._index]

    def peek(self, ahead: int = 1) -> Token:
        """Return a token further ahead; past the end it is the `end` token."""
        return self._tokens[min(self._index + ahead, len(self._tokens) - 1)]

    def next(self) -> Token:
        """Return the token ahead and step over it."""
        token = self.token
        if token.kind != "end":
            self._index += 1
        return token

    def at_op(self, *ops: str) -> bool:
        """Tell whether one of these operators is ahead."""
        return self.token.kind == "op" and self.token.text in ops

    def at_word(self, *words: str) -> bool:
        """Tell whether one of these keywords is ahead, in any case."""
        return self.token.word in words

    def accept_op(self, *ops: str) -> Token | None:
        """Step over one of these operators, if it is ahead."""
        return self.next() if self.at_op(*ops) else None

    def accept_word(self, *words: str) -> Token | None:
        """Step over one of these keywords, if it is ahead."""
        return self.next() if self.at_word(*words) else None

    def expect_op(self, op: str, after: str = "", hint: str = "") -> Token:
        """Step over this operator."""
        return self.accept_op(op) or self._refuse(f"`{op}`", after, hint)

    def expect_string(self, after: str = "", hint: str = "") -> Token:
        """Step over a string."""
        if self.token.kind == "string":
            return self.next()
        if not hint and self.token.kind in ("name", "number"):
            hint = f'put it in quotes: "{self.token.text}"'
        return self._refuse("a string", after, hint)

    def expect_name(self, what: str = "a label name", after: str = "") -> Token:
        """Step over a name that is no keyword."""
        if self.token.kind != "name":
            hint = "label names stand without quotes" if self.token.kind == "string" else ""
            return self._refuse(what, after, hint)
        if self.token.word in RESERVED:
            raise self.error(f"{self.token} is a keyword and cannot be a label name")
        return self.next()

    def listed(self, item: Callable[[], object], close: str, after: str) -> None:
        """Run `item` for each entry of a comma list up to and over the operator `close`; the list may be empty."""
        if self.accept_op(close):
            return
        item()
        while not self.accept_op(close):
            if not self.at_op(","):
                self._refuse(f"`,` or `{close}`", after, "")
            comma = self.next()
            if self.at_op(close):
                raise self.error("a list does not end in a comma", comma, "remove it")
            item()

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Go one level deeper while the body runs; refuses more than `NESTING` levels."""
        self._depth += 1
        if self._depth > NESTING:
            raise self.error(f"more than {NESTING} levels of nesting")
        yield
        self._depth -= 1

    def error(self, what: str, token: Token | None = None, hint: str = "") -> QueryError:
        """Return the error that points at a token, or at the one ahead."""
        return self.source.error(what, (token or self.token).at, hint)

    def _refuse(self, wanted: str, after: str, hint: str) -> NoReturn:
        where = f" after {after}" if after else ""
        raise self.error(f"expected {wanted}{where}, found {self.token}", hint=hint)
