r"""Text of a query to tokens.

Comes in: the text. Goes out: tokens with their positions (0-based character indexes), the last one
`end`; comments and space are gone. Refuses, as a `QueryError` that points at the place: single quotes,
strings that do not end, unknown escapes, numbers with an unknown unit, characters that LogQL has not,
and a text over `limits.QUERY_BYTES`. Escapes and raw strings are Go's.

>>> [(token.kind, token.text) for token in tokens('{a="b"} # note')]
[('op', '{'), ('name', 'a'), ('op', '='), ('string', '"b"'), ('op', '}'), ('end', '')]
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from tailrace.errors import QueryError
from tailrace.limits import QUERY_BYTES
from tailrace.query import literals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Kind = Literal["name", "string", "number", "duration", "bytes", "flag", "op", "end"]

_SKIP: Final = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_METRIC: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")  # recorded series may have colons in their names
_QUANTITY: Final = re.compile(r"(?:\d|\.\d)(?:[eE][+-](?=\d)|[A-Za-z0-9_.µμ])*", re.ASCII)
_FLAG: Final = re.compile(r"--[A-Za-z][A-Za-z-]*")
_OP: Final = re.compile(r"\|[=~>]|![=~>]|=~|==|>=|<=|[{}()\[\],=|<>+\-*/%^]")
_QUOTED: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_RAW: Final = re.compile(r"`[^`]*`")
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([abfnrtv\\\"]))")
_HINTS: Final = {
    "$": "a dashboard variable must be replaced by a value first",
    ".": "label names have letters, digits and `_`; other characters are stored as `_`",
    **dict.fromkeys("“”„", 'strings stand in straight quotes: "…"'),
    "&": "use `and`, `or`",
    ":": "LogQL has no sub-queries",
    "@": "LogQL has no `@` modifier",
}
_SHOWN: Final = 60  # characters of a word in a message
_SHORT: Final = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34}


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a query; `value` is what a string says, or what a number, duration (ns) or byte literal is worth."""

    kind: Kind
    text: str
    at: int
    value: str | float | int | None = None

    @property
    def end(self) -> int:
        """The index after the token."""
        return self.at + len(self.text)

    @property
    def word(self) -> str:
        """The name in lower case, as keywords and functions are compared; empty for other tokens."""
        return self.text.lower() if self.kind == "name" else ""

    def __str__(self) -> str:
        """Name the token in a message."""
        return "the end of the query" if self.kind == "end" else f"`{_shortened(self.text)}`"


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def tokens(text: str, *, names: bool = False) -> list[Token]:
    """Return the tokens of a query, `end` last; with `names` those of recorded series are names too."""
    if len(text.encode("utf-8", "surrogatepass")) > QUERY_BYTES:
        raise QueryError(f"the query is longer than {QUERY_BYTES} bytes", hint="split it, or shorten its lists")
    return list(_tokens(text, _METRIC if names else _NAME))


def _tokens(text: str, name: re.Pattern[str]) -> Iterator[Token]:
    at = _end_of(_SKIP, text, 0)
    while at < len(text):
        token = _token(text, at, name)
        yield token
        at = _end_of(_SKIP, text, token.end)
    yield Token("end", "", len(text))


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _token(text: str, at: int, name: re.Pattern[str]) -> Token:
    if match := name.match(text, at):
        return Token("name", match[0], at)
    if text[at] in "\"`'":
        return string_at(text, at)
    if match := _QUANTITY.match(text, at):
        return _quantity(text, at, match[0])
    if match := _FLAG.match(text, at):
        return Token("flag", match[0], at)
    if match := _OP.match(text, at):
        return Token("op", match[0], at)
    raise QueryError(f"unexpected character {text[at]!r}", query=text, position=at, hint=_HINTS.get(text[at], ""))


def _quantity(text: str, at: int, word: str) -> Token:
    if (value := literals.number(word)) is not None:
        return Token("number", word, at, value)
    if (ns := literals.duration(word)) is not None:
        return Token("duration", word, at, ns)
    if (size := literals.byte_count(word)) is not None:
        return Token("bytes", word, at, size)
    hint = "durations look like 5m or 1h30m, byte counts like 5KB or 10MiB"
    raise QueryError(
        f"`{_shortened(word)}` is not a number, duration or byte count", query=text, position=at, hint=hint
    )


def string_at(text: str, at: int) -> Token:
    """Read the string literal that begins at `at`."""
    if text[at] == "'":
        hint = 'strings stand in "…" or `…`'
        raise QueryError("single quotes do not make a string", query=text, position=at, hint=hint)
    match = (_RAW if text[at] == "`" else _QUOTED).match(text, at)
    if match is None:
        hint = "" if text[at] == "`" else 'close it with " on the same line; write a newline as \\n'
        raise QueryError("this string does not end", query=text, position=at, hint=hint)
    return Token("string", match[0], at, _decode(text, at, match[0])[0])


def _decode(text: str, at: int, quoted: str) -> tuple[str, Sequence[int]]:
    """Return what a string says and, per character and one more, where in `text` it comes from."""
    inner = quoted[1:-1]
    if quoted[0] == "`" or "\\" not in inner:
        plain = inner.replace("\r", "") if quoted[0] == "`" else inner
        return plain, range(at + 1, at + 2 + len(plain))
    data, origins, index = bytearray(), [], 0
    while index < len(inner):
        match = _ESCAPE.match(inner, index) if inner[index] == "\\" else None
        if match is None and inner[index] == "\\":
            hint = "write a backslash as \\\\, or use `…`, in which backslashes are plain"
            raise QueryError(
                f"unknown escape `{inner[index : index + 2]}`", query=text, position=at + 1 + index, hint=hint
            )
        piece = _escaped(match) if match else inner[index].encode("utf-8", "surrogatepass")
        origins += [at + 1 + index] * len(piece)
        data += piece
        index = match.end() if match else index + 1
    try:
        value = data.decode()
    except UnicodeDecodeError as error:
        raise QueryError("this string is not valid UTF-8", query=text, position=origins[error.start]) from None
    starts = [origins[i] for i, byte in enumerate(data) if byte & 0xC0 != 0x80]  # noqa: PLR2004 -- not a continuation byte
    return value, [*starts, at + len(quoted) - 1]


def _escaped(match: re.Match[str]) -> bytes:
    hexadecimal, octal, short_code, long_code, letter = match.groups()
    if hexadecimal:
        return bytes([int(hexadecimal, 16)])
    if octal:
        return bytes([int(octal, 8) & 0xFF])
    if letter:
        return bytes([_SHORT[letter]])
    code = int(short_code or long_code, 16)
    return chr(code).encode("utf-8", "surrogatepass") if code <= sys.maxunicode else b"\xff"


def inside(text: str, at: int, index: int) -> int:
    r"""Return where character `index` of the string that begins at `at` stands in the query's text.

    >>> inside(r'"a\\n(b"', 0, 2)
    4
    """
    match = (_RAW if text[at] == "`" else _QUOTED).match(text, at)
    if match is None:
        return at
    origins = _decode(text, at, match[0])[1]
    return origins[min(index, len(origins) - 1)]


def quote(value: str) -> str:
    r"""Write a string as LogQL: raw when that saves backslashes, else with Go escapes.

    >>> print(quote("a"), quote('say "x"'), quote("\\d+"), quote("`\n"))
    "a" `say "x"` `\d+` "`\n"
    """
    if ('"' in value or "\\" in value) and "`" not in value and value.isprintable():
        return f"`{value}`"
    return '"' + "".join(_escape(char) for char in value) + '"'


def _escape(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"  # noqa: PLR2004


_ESCAPES: Final = {chr(code): f"\\{letter}" for letter, code in _SHORT.items()}
