r"""Go templates, as `line_format` takes them: text with `{{.label}}`, pipelines, functions, `if`, `with`, variables.

`compile_template` reads one and refuses, as a `QueryError` that points into the template, what is not a
template or not in this version. A `Template` tells which labels it reads, so that the others need not be
made, and whether it is only text and labels (`simple`), so that the executor can build it as one
expression; `render` makes the others, a call per line (or distinct set of labels).

>>> compile_template('{{.level | upper}}: {{ if .user }}{{.user}}{{ else }}-{{ end }}').render({"level": "warn"})
'WARN: -'
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from tailrace.errors import QueryError, did_you_mean
from tailrace.query import regexes
from tailrace.query.template_functions import FUNCTIONS, REGEXES, UNSUPPORTED
from tailrace.query.template_values import TemplateError, Time, Value, shown, truth
from tailrace.query.template_words import OPEN, Token, action

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_NESTING: Final = 100
_KEYWORDS: Final = ("if", "else", "end", "with")


@dataclass(frozen=True, slots=True)
class Field:
    """`{{.name}}`: the text of a label, nothing when it is absent."""

    name: str


@dataclass(slots=True)
class _Scope:
    """What a template sees while it renders one line."""

    labels: Mapping[str, str]
    line: str
    time_ns: int
    dot: Value | None = None
    variables: dict[str, Value] = field(default_factory=dict)


_Eval: TypeAlias = "Callable[[_Scope], Value]"
_Piece: TypeAlias = "str | Field | Callable[[_Scope], str]"


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template.

    `labels` are the names it reads; `reads_line` and `reads_time` tell whether it uses `__line__` and
    `__timestamp__`. `simple` holds its texts and labels in order when there is nothing else in it, else None.
    """

    labels: frozenset[str]
    simple: Sequence[str | Field] | None
    reads_line: bool
    reads_time: bool
    _pieces: tuple[_Piece, ...]

    def render(self, labels: Mapping[str, str], line: str = "", time_ns: int = 0) -> str:
        """Return the text for one line; raise `TemplateError` if a function fails on it."""
        return _joined(self._pieces, _Scope(labels, line, time_ns))


@lru_cache(maxsize=256)
def compile_template(text: str) -> Template:
    """Compile a template; a `QueryError` points into `text`."""
    compiler = _Compiler(text)
    pieces = compiler.whole()
    simple = [piece for piece in pieces if isinstance(piece, str | Field)]
    return Template(
        labels=frozenset(compiler.labels),
        simple=simple if len(simple) == len(pieces) else None,
        reads_line="__line__" in compiler.special,
        reads_time="__timestamp__" in compiler.special,
        _pieces=pieces,
    )


def _joined(pieces: tuple[_Piece, ...], scope: _Scope) -> str:
    return "".join(
        piece
        if isinstance(piece, str)
        else scope.labels.get(piece.name, "")
        if isinstance(piece, Field)
        else piece(scope)
        for piece in pieces
    )


class _Compiler:
    """Recursive descent over the text of one template; builds closures."""

    def __init__(self, text: str) -> None:
        self.labels: set[str] = set()
        self.special: set[str] = set()
        self._text = text
        self._at = 0
        self._trim = False
        self._tokens: list[Token] = []
        self._variables: list[str] = ["$"]
        self._depth = 0

    def whole(self) -> tuple[_Piece, ...]:
        pieces, stop = self._until()
        if stop:
            raise self._error(f"`{stop.text}` without `if` or `with`", stop.at)
        return pieces

    # --- text and actions -----------------------------------------------------------------------

    def _until(self) -> tuple[tuple[_Piece, ...], Token | None]:
        """Read pieces up to `else`, `end` (returned, its action not yet closed) or the end of the text (None)."""
        pieces: list[_Piece] = []
        while self._at < len(self._text):
            opening = OPEN.search(self._text, self._at)
            plain = self._text[self._at : opening.start() if opening else len(self._text)]
            plain = plain.lstrip(" \t\r\n") if self._trim else plain
            plain = plain.rstrip(" \t\r\n") if opening and opening[1] else plain
            if plain:
                pieces.append(plain)
            if opening is None:
                self._at = len(self._text)
                break
            found = action(self._text, opening)
            self._tokens, self._at, self._trim = found.tokens, found.end, found.trims
            if not found.tokens:
                continue
            head = found.tokens[0]
            if head.text in ("else", "end"):
                return tuple(pieces), self._tokens.pop(0)
            piece = self._action(head)
            if piece is not None:
                pieces.append(piece)
        return tuple(pieces), None

    def _action(self, head: Token) -> _Piece | None:
        if head.text in ("if", "with") and head.kind == "name":
            return self._block(self._tokens.pop(0))
        if head.kind == "variable" and self._tokens[1].text in (":=", "="):
            return self._assignment()
        if head.kind == "field" and self._tokens[1].kind == "close" and "." not in self._variables:
            return Field(self._label(head))
        value = self._pipeline()
        self._close()
        return lambda scope: shown(value(scope))

    def _block(self, word: Token) -> _Piece:
        """Read `if` or `with`, up to and with its `end`."""
        self._depth += 1
        if self._depth > _NESTING:
            raise self._error(f"more than {_NESTING} levels of nesting", word.at)
        known = len(self._variables)
        test = self._pipeline()
        self._close()
        if word.text == "with":
            self._variables.append(".")
        then, stop = self._until()
        del self._variables[known:]
        otherwise: tuple[_Piece, ...] = ()
        if stop and stop.text == "else":
            if self._tokens[0].text in ("if", "with"):
                otherwise, stop = (self._block(self._tokens.pop(0)),), None
                self._depth -= 1
                return _branch(word.text, test, then, otherwise)
            self._close()
            otherwise, stop = self._until()
            del self._variables[known:]
        if stop is None or stop.text != "end":
            raise self._error(f"`{word.text}` has no `end`", word.at, "add {{ end }}")
        self._close()
        self._depth -= 1
        return _branch(word.text, test, then, otherwise)

    def _assignment(self) -> _Piece:
        name, op = self._tokens.pop(0), self._tokens.pop(0)
        if op.text == "=" and name.text not in self._variables:
            raise self._error(f"variable {name.text} is not declared", name.at, f"write {name.text} := …")
        value = self._pipeline()
        self._close()
        self._variables.append(name.text)

        def assign(scope: _Scope) -> str:
            scope.variables[name.text] = value(scope)
            return ""

        return assign

    def _close(self) -> None:
        token = self._tokens[0]
        if token.kind != "close":
            raise self._error(f"unexpected `{token.text}` in a template", token.at)
        self._tokens.pop(0)

    # --- pipelines ------------------------------------------------------------------------------

    def _pipeline(self) -> _Eval:
        value = self._command(None)
        while self._tokens[0].text == "|":
            self._tokens.pop(0)
            value = self._command(value)
        return value

    def _command(self, piped: _Eval | None) -> _Eval:
        head = self._tokens[0]
        if head.kind == "name" and head.text not in ("true", "false", "nil"):
            return self._call(self._tokens.pop(0), piped)
        if piped is not None:
            raise self._error(f"`{head.text}` cannot take the value before `|`", head.at, "a function stands there")
        value = self._operand()
        if self._tokens[0].kind != "close" and self._tokens[0].text not in ("|", ")"):
            raise self._error(
                f"`{head.text}` is not a function", head.at, "the function comes first: {{ upper .level }}"
            )
        return value

    def _call(self, name: Token, piped: _Eval | None) -> _Eval:
        arguments: list[_Eval] = []
        places: list[Token] = []
        while self._tokens[0].kind != "close" and self._tokens[0].text not in ("|", ")"):
            places.append(self._tokens[0])
            arguments.append(self._operand())
        if piped is not None:
            arguments.append(piped)
        if name.text in ("__line__", "__timestamp__") and not arguments:
            return self._special(name.text)
        function = FUNCTIONS.get(name.text)
        if function is None:
            raise self._unknown(name)
        if len(arguments) < function.least or not (function.kind(len(arguments) - 1) or not arguments):
            wanted = f"at least {function.least}" if function.takes[-1] in "?*" else str(function.least)
            raise self._error(f"`{name.text}` takes {wanted} arguments, not {len(arguments)}", name.at)
        if name.text in REGEXES and places and places[0].kind == "string":
            self._check_regex(places[0])
        return _application(name.text, arguments)

    def _operand(self) -> _Eval:
        token = self._tokens.pop(0)
        if token.text == "(":
            self._depth += 1
            if self._depth > _NESTING:
                raise self._error(f"more than {_NESTING} levels of nesting", token.at)
            inner = self._pipeline()
            if self._tokens[0].text != ")":
                raise self._error("this parenthesis does not end", token.at)
            self._tokens.pop(0)
            self._depth -= 1
            return inner
        if token.kind == "field":
            return self._field(token)
        if token.kind == "variable":
            return self._variable(token)
        if token.kind in ("string", "number") or token.text in ("true", "false", "nil"):
            constant = {"true": True, "false": False, "nil": None}.get(token.text, token.value)
            return lambda _: constant
        if token.kind == "name":
            return self._call_alone(token)
        if token.kind == "close":
            raise self._error("a value is missing here", token.at, "for example {{.level}}")
        raise self._error(f"unexpected `{token.text}` in a template", token.at)

    def _call_alone(self, token: Token) -> _Eval:
        """Read a function without arguments, as it may stand among arguments."""
        if token.text in ("__line__", "__timestamp__"):
            return self._special(token.text)
        if token.text in FUNCTIONS:
            raise self._error(f"`{token.text}` needs parentheses here", token.at, f"write ({token.text} …)")
        raise self._unknown(token)

    def _field(self, token: Token) -> _Eval:
        if token.text == ".":
            if "." not in self._variables:
                raise self._error("`.` alone is the set of all labels", token.at, "name one: {{.level}}")
            return lambda scope: scope.dot
        name = self._label(token)
        if "." in self._variables:
            raise self._error("inside `with`, `.` is its value", token.at, f"write $.{name}")
        return lambda scope: scope.labels.get(name, "")

    def _variable(self, token: Token) -> _Eval:
        following = self._tokens[0]
        if token.text == "$" and following.kind == "field" and following.at == token.at + 1:
            name = self._label(self._tokens.pop(0))
            return lambda scope: scope.labels.get(name, "")
        if token.text == "$" or token.text not in self._variables:
            raise self._error(f"undefined variable {token.text}", token.at)
        return lambda scope: scope.variables.get(token.text)

    def _label(self, token: Token) -> str:
        name = token.text[1:]
        if "." in name or not name:
            hint = f"write .{name.strip('.').replace('.', '_')}" if name else "name a label: {{.level}}"
            raise self._error(
                "labels have no members" if name else "`.` alone is the set of all labels", token.at, hint
            )
        self.labels.add(name)
        return name

    def _special(self, name: str) -> _Eval:
        self.special.add(name)
        return (lambda scope: scope.line) if name == "__line__" else (lambda scope: Time(scope.time_ns))

    # --- refusals -------------------------------------------------------------------------------

    def _check_regex(self, token: Token) -> None:
        if found := regexes.problem(str(token.value)):
            raise self._error(f"invalid regular expression: {found[1]}", token.at)

    def _unknown(self, token: Token) -> QueryError:
        if token.text in UNSUPPORTED:
            return self._error(
                f"`{token.text}` is a template word of LogQL, but not in this version of Tailrace", token.at
            )
        hint = did_you_mean(token.text, [*FUNCTIONS, *_KEYWORDS]) or f"a label is written .{token.text}"
        return self._error(f"unknown function `{token.text}` in a template", token.at, hint)

    def _error(self, what: str, at: int, hint: str = "") -> QueryError:
        return QueryError(what, query=self._text, position=at, hint=hint)


def _branch(word: str, test: _Eval, then: tuple[_Piece, ...], otherwise: tuple[_Piece, ...]) -> _Piece:
    def branch(scope: _Scope) -> str:
        value, outer = test(scope), scope.dot
        if not truth(value):
            return _joined(otherwise, scope)
        if word == "with":
            scope.dot = value
        text = _joined(then, scope)
        scope.dot = outer
        return text

    return branch


def _application(name: str, arguments: Sequence[_Eval]) -> _Eval:
    function = FUNCTIONS[name]
    kinds = [function.kind(place) for place in range(len(arguments))]

    def apply(scope: _Scope) -> Value:
        values = [argument(scope) for argument in arguments]
        for kind, value in zip(kinds, values, strict=True):
            fits = isinstance(value, str) if kind == "s" else type(value) is int if kind == "i" else True
            if not fits:
                raise TemplateError(f"{name}: {shown(value)} is not {'a text' if kind == 's' else 'a whole number'}")
        try:
            return function.call(*values)
        except (ArithmeticError, ValueError) as error:  # a number that is too large for what is asked
            raise TemplateError(f"{name}: {error}") from None

    return apply
