r"""Go templates, as `line_format` takes them: text with `{{.label}}`, pipelines, functions, blocks, variables.

`compile_template` reads one and refuses, as a `QueryError` that points into the template, what is no
template. A `Template` tells which labels it reads, so that the others need not be
made, and whether it is only text and labels (`simple`), so that the executor can build it as one
expression; `render` makes the others, a call per line (or distinct set of labels).

>>> compile_template('{{.level | upper}}: {{ if .user }}{{.user}}{{ else }}-{{ end }}').render({"level": "warn"})
'WARN: -'
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, TypeAlias

from tailrace.query.template_expressions import NESTING, Eval, Expressions, Scope
from tailrace.query.template_functions import LINES
from tailrace.query.template_values import LONGEST, TemplateError, Value, shown, truth
from tailrace.query.template_words import OPEN, Token, action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tailrace.errors import QueryError
    from tailrace.query.template_functions import Dialect

_BLOCKS = ("if", "with", "range")


@dataclass(frozen=True, slots=True)
class Field:
    """`{{.name}}`: the text of a label, nothing when it is absent."""

    name: str


_Piece: TypeAlias = "str | Field | Callable[[Scope], str]"
_Pieces: TypeAlias = "tuple[_Piece, ...]"


class _Jump(Exception):  # noqa: N818  not an error: how `break` and `continue` leave the pieces that they stand in
    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word
        self.text = ""  # what was written in this turn before


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template.

    `labels` are the names it reads, `every` tells whether it reads all of them; `reads_line` and `reads_time` tell
    whether it uses `__line__` and `__timestamp__`. `simple` holds its texts and labels in order when there is nothing
    else in it, else None.
    """

    labels: frozenset[str]
    every: bool
    simple: Sequence[str | Field] | None
    reads_line: bool
    reads_time: bool
    _pieces: _Pieces
    _named: Mapping[str, Callable[[Scope], str]]

    def render(self, labels: Mapping[str, str], line: str = "", time_ns: int = 0) -> str:
        """Return the text for one line; raise `TemplateError` if a function fails on it."""
        return _joined(self._pieces, Scope(labels, line, time_ns, named=self._named))

    def expand(self, value: Value, variables: Sequence[Value] = (), time_ns: int = 0, host: object = None) -> str:
        """Return the text for a value: of a template whose dialect has no labels. Raises as `render`."""
        slots = dict(enumerate(variables))
        return _joined(self._pieces, Scope({}, "", time_ns, value, value, slots, named=self._named, host=host))


@lru_cache(maxsize=256)
def compile_template(text: str) -> Template:
    """Compile a template of `line_format` or `label_format`; a `QueryError` points into `text`."""
    return compile_dialect(text, LINES)


def compile_dialect(text: str, dialect: Dialect) -> Template:
    """Compile a template; a `QueryError` points into `text`."""
    compiler = _Compiler(text, dialect)
    pieces = compiler.whole()
    simple = [piece for piece in pieces if isinstance(piece, str | Field)]
    return Template(
        labels=frozenset(compiler.words.labels),
        every=compiler.words.every,
        simple=simple if len(simple) == len(pieces) else None,
        reads_line="__line__" in compiler.words.special,
        reads_time="__timestamp__" in compiler.words.special,
        _pieces=pieces,
        _named=compiler.named,
    )


def _joined(pieces: _Pieces, scope: Scope) -> str:
    text = ""
    try:
        for piece in pieces:
            if isinstance(piece, str):
                text += piece
            else:
                text += scope.labels.get(piece.name, "") if isinstance(piece, Field) else piece(scope)
    except _Jump as jump:
        jump.text = text + jump.text
        raise
    return text


class _Compiler:
    """Recursive descent over the text of one template; builds closures."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self.words = Expressions(text, dialect)
        self._text = text
        self._at = 0
        self._trim = False
        self._loops = 0
        self.named: dict[str, Callable[[Scope], str]] = {}
        self._asked: list[Token] = []

    def whole(self) -> _Pieces:
        pieces, stop = self._until()
        if stop:
            raise self._error(f"`{stop.text}` without `if`, `with` or `range`", stop.at)
        for name in self._asked:
            if str(name.value) not in self.named:
                raise self._error(f"no template {name.text} is defined", name.at, "write {{define …}} … {{end}}")
        return pieces

    # --- text and actions -----------------------------------------------------------------------

    def _until(self) -> tuple[_Pieces, Token | None]:
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
            self.words.tokens, self._at, self._trim = found.tokens, found.end, found.trims
            if not found.tokens:
                continue
            head = found.tokens[0]
            if head.kind == "name" and head.text in ("else", "end"):
                return tuple(pieces), self.words.tokens.pop(0)
            piece = self._action(head)
            if piece is not None:
                pieces.append(piece)
        return tuple(pieces), None

    def _action(self, head: Token) -> _Piece | None:
        tokens = self.words.tokens
        if head.kind == "name":
            if head.text in _BLOCKS:
                return self._block(tokens.pop(0))
            if head.text in ("define", "block", "template"):
                return self._named(tokens.pop(0))
            if head.text in ("break", "continue"):
                return self._jump(tokens.pop(0))
        if head.kind == "variable" and tokens[1].text in (":=", "="):
            return self._assignment()
        if head.kind == "field" and tokens[1].kind == "close" and head.text != "." and not self.words.inner:
            return Field(self.words.label(head))
        value = self.words.pipeline()
        self.words.close()
        return lambda scope: shown(value(scope))

    def _assignment(self) -> _Piece:
        slot, value = self._set()
        self.words.close()

        def assign(scope: Scope) -> str:
            scope.variables[slot] = value(scope)
            return ""

        return assign

    def _set(self) -> tuple[int, Eval]:
        """Read `$x := pipeline` or `$x = pipeline`."""
        name, op = self.words.tokens.pop(0), self.words.tokens.pop(0)
        known = self.words.slot(name)
        if op.text == "=" and known is None:
            raise self._error(f"variable {name.text} is not declared", name.at, f"write {name.text} := …")
        value = self.words.pipeline()
        return (known if op.text == "=" and known is not None else self.words.declare(name)), value

    # --- blocks ---------------------------------------------------------------------------------

    def _block(self, word: Token) -> _Piece:
        """Read `if`, `with` or `range`, up to and with its `end`."""
        self.words.depth += 1
        if self.words.depth > NESTING:
            raise self._error(f"more than {NESTING} levels of nesting", word.at)
        mark = self.words.declared()
        slots, test = self._head(word)
        self.words.close()
        self.words.inner += word.text != "if"
        self._loops += word.text == "range"
        then, stop = self._until()
        self._loops -= word.text == "range"
        self.words.inner -= word.text != "if"
        otherwise: _Pieces = ()
        if stop and stop.text == "else":
            if self.words.tokens[0].text in ("if", "with"):
                otherwise, stop = (self._block(self.words.tokens.pop(0)),), None
                self.words.forget(mark)
                self.words.depth -= 1
                return _branch(word.text, slots, test, then, otherwise)
            self.words.close()
            otherwise, stop = self._until()
        self.words.forget(mark)
        self._end(word, stop)
        self.words.depth -= 1
        return _branch(word.text, slots, test, then, otherwise)

    def _head(self, word: Token) -> tuple[tuple[int, ...], Eval]:
        """Read the pipeline of a block, and the variables that take its values."""
        tokens = self.words.tokens
        if tokens[0].kind != "variable" or tokens[1].text not in (":=", ","):
            return (), self.words.pipeline()
        if tokens[1].text == ":=":
            slot, value = self._set()
            return (slot,), value
        first, _, second, op = (tokens.pop(0) for _ in range(min(4, len(tokens))))
        if word.text != "range" or second.kind != "variable" or op.text != ":=":
            raise self._error("two variables stand in `range` only", first.at, "as in {{range $key, $value := …}}")
        value = self.words.pipeline()
        return (self.words.declare(first), self.words.declare(second)), value

    def _end(self, word: Token, stop: Token | None) -> None:
        if stop is None or stop.text != "end":
            raise self._error(f"`{word.text}` has no `end`", word.at, "add {{ end }}")
        self.words.close()

    def _jump(self, word: Token) -> _Piece:
        if not self._loops:
            raise self._error(f"`{word.text}` stands inside `range`", word.at)
        self.words.close()

        def jump(_: Scope) -> str:
            raise _Jump(word.text)

        return jump

    def _named(self, word: Token) -> _Piece | None:
        """Read `define "name"`, `template "name" value`, or `block "name" value`, which is both."""
        name = self.words.tokens.pop(0)
        if name.kind != "string":
            raise self._error(f"`{word.text}` needs a name in quotes", name.at, f'as in {{{{{word.text} "name" …}}}}')
        value: Eval | None = None
        if word.text != "define" and self.words.tokens[0].kind != "close":
            value = self.words.pipeline()
        self.words.close()
        if word.text != "template":
            self._define(word, name)
        if word.text == "define":
            return None
        self._asked.append(name)
        used = str(name.value)
        return lambda scope: scope.use(used, None if value is None else value(scope))

    def _define(self, word: Token, name: Token) -> None:
        self.words.depth += 1
        if self.words.depth > NESTING:
            raise self._error(f"more than {NESTING} levels of nesting", word.at)
        outer = self.words.inner, self.words.defining, self._loops
        mark = self.words.declared()
        self.words.inner, self.words.defining, self._loops = 1, True, 0
        pieces, stop = self._until()
        self._end(word, stop)
        self.words.inner, self.words.defining, self._loops = outer
        self.words.forget(mark)
        self.words.depth -= 1
        self.named[str(name.value)] = partial(_joined, pieces)

    def _error(self, what: str, at: int, hint: str = "") -> QueryError:
        return self.words.error(what, at, hint)


def _branch(word: str, slots: tuple[int, ...], test: Eval, then: _Pieces, otherwise: _Pieces) -> _Piece:
    def branch(scope: Scope) -> str:
        value, outer = test(scope), scope.dot
        if word != "range":
            if slots:
                scope.variables[slots[0]] = value
            if not truth(value):
                return _joined(otherwise, scope)
            if word == "with":
                scope.dot = value
            try:
                return _joined(then, scope)
            finally:
                scope.dot = outer
        text, turned = "", False
        for key, item in _items(value):
            turned = True
            scope.turns.spend()
            if len(text) > LONGEST:
                raise TemplateError(f"range makes more than {LONGEST} bytes")
            scope.dot = item
            scope.variables.update(zip(slots, (item,) if len(slots) == 1 else (key, item), strict=False))
            try:
                text += _joined(then, scope)
            except _Jump as jump:
                text += jump.text
                if jump.word == "break":
                    break
            finally:
                scope.dot = outer
        return text if turned else _joined(otherwise, scope)

    return branch


def _items(value: Value) -> Iterator[tuple[Value, Value]]:
    """Yield what `range` goes over: a list by place, a map in the order of its keys, the numbers below one."""
    if isinstance(value, dict):
        yield from sorted(value.items())
    elif isinstance(value, list):
        yield from enumerate(value)
    elif type(value) is int:
        yield from ((number, number) for number in range(value))
    elif value is not None:
        raise TemplateError(f"range cannot go over {shown(value)}")
