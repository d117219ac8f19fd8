"""Pipelines of a Go template, compiled to closures: what stands between `{{` and `}}`.

Comes in: the words of one action (`template_words`). Goes out: a function from a `Scope` to a value, and in
`Expressions` which labels, and whether line and time, were read on the way. Refuses, as a `QueryError`, unknown
functions, wrong numbers of arguments, undeclared variables and regexes that cannot run.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from tailrace.errors import QueryError, did_you_mean
from tailrace.query.template_functions import LINES
from tailrace.query.template_values import TemplateError, Time, Value, part_of_time, shown, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.query.template_functions import Dialect, Function
    from tailrace.query.template_words import Token

NESTING = 100
TURNS = 100_000  # of all loops of one rendering, and templates used by it: a line is not that long
KEYWORDS = ("if", "else", "end", "with", "range", "define", "template", "block", "break", "continue")


@dataclass(slots=True)
class Turns:
    """How much one rendering may still loop: no nesting of `range` and `template` runs for ever."""

    left: int = TURNS

    def spend(self) -> None:
        """Take one; raise `TemplateError` if none is left."""
        self.left -= 1
        if self.left < 0:
            raise TemplateError(f"more than {TURNS} turns of loops")


@dataclass(slots=True)
class Scope:
    """What a template sees while it renders one line; inside of `with`, `range` and `define`, `dot` is its value.

    `host` is what scoped functions reach for, whatever the dialect says that is.
    """

    labels: Mapping[str, str]
    line: str
    time_ns: int
    dot: Value = None
    root: Value = None
    variables: dict[int, Value] = field(default_factory=dict)
    depth: int = 0
    turns: Turns = field(default_factory=Turns)
    named: Mapping[str, Callable[[Scope], str]] = field(default_factory=dict)  # templates by name
    host: object = None

    def use(self, name: str, dot: Value) -> str:
        """Render a named template for a value."""
        self.turns.spend()
        if self.depth > NESTING:
            raise TemplateError(f"the template {name!r} is nested too deeply")
        if name not in self.named:
            raise TemplateError(f"no template {name!r} is defined")
        inner = replace(self, dot=dot, root=dot, variables=dict(self.variables), depth=self.depth + 1)
        return self.named[name](inner)


Eval: TypeAlias = "Callable[[Scope], Value]"


class Expressions:
    """Reads pipelines; `tokens` are the words of the action that is being read."""

    def __init__(self, text: str, dialect: Dialect = LINES) -> None:
        self.tokens: list[Token] = []
        self.labels: set[str] = set()
        self.special: set[str] = set()
        self.every = False  # whether all labels are read
        self.inner = 0 if dialect.labels else 1  # blocks around that have a dot of their own
        self.defining = not dialect.labels  # whether `$` is what `template` passes
        self.depth = 0
        self._text = text
        self._dialect = dialect
        self._variables: list[str | None] = list(dialect.variables)  # by slot; None: the name is out of scope again

    # --- variables ------------------------------------------------------------------------------

    def declared(self) -> int:
        """Return a mark, to forget by."""
        return len(self._variables)

    def forget(self, mark: int) -> None:
        """Take the variables that were declared since the mark out of scope."""
        self._variables[mark:] = [None] * (len(self._variables) - mark)

    def declare(self, name: Token) -> int:
        """Return the slot of a new variable."""
        self._variables.append(name.text)
        return len(self._variables) - 1

    def slot(self, name: Token) -> int | None:
        """Return the slot of a variable that is in scope."""
        places = [place for place, known in enumerate(self._variables) if known == name.text]
        return places[-1] if places else None

    # --- pipelines ------------------------------------------------------------------------------

    def pipeline(self) -> Eval:
        """Read commands with `|` between them."""
        value = self._command(None)
        while self.tokens[0].text == "|":
            self.tokens.pop(0)
            value = self._command(value)
        return value

    def close(self) -> None:
        """Step over the closing braces."""
        token = self.tokens[0]
        if token.kind != "close":
            raise self.error(f"unexpected `{token.text}` in a template", token.at)
        self.tokens.pop(0)

    def _command(self, piped: Eval | None) -> Eval:
        head = self.tokens[0]
        if head.kind == "name" and head.text not in ("true", "false", "nil"):
            return self._call(self.tokens.pop(0), piped)
        if piped is not None:
            raise self.error(f"`{head.text}` cannot take the value before `|`", head.at, "a function stands there")
        value = self._operand(first=True)
        if not self._at_end():
            raise self.error(
                f"`{head.text}` is not a function", head.at, "the function comes first: {{ upper .level }}"
            )
        return value

    def _at_end(self) -> bool:
        return self.tokens[0].kind == "close" or self.tokens[0].text in ("|", ")")

    def _call(self, name: Token, piped: Eval | None) -> Eval:
        arguments: list[Eval] = []
        places: list[Token] = []
        while not self._at_end():
            places.append(self.tokens[0])
            arguments.append(self._operand())
        if piped is not None:
            arguments.append(piped)
        if self._dialect.labels and name.text in ("__line__", "__timestamp__") and not arguments:
            return self._special(name.text)
        function = self._dialect.functions.get(name.text)
        if function is None:
            raise self.unknown(name)
        if len(arguments) < function.least or not (not arguments or function.kind(len(arguments) - 1)):
            wanted = f"at least {function.least}" if function.takes[-1:] in ("?", "*") else str(function.least)
            raise self.error(f"`{name.text}` takes {wanted} arguments, not {len(arguments)}", name.at)
        check = self._dialect.checks.get(name.text)
        if check and places and places[0].kind == "string" and (wrong := check(str(places[0].value))):
            raise self.error(wrong, places[0].at)
        return _application(name.text, function, arguments)

    def _operand(self, *, first: bool = False) -> Eval:
        """Read one value; the `first` of a command may be a method with arguments."""
        token = self.tokens.pop(0)
        if token.text == "(":
            return self._members(self._parenthesised(token), token, first=first)
        if token.kind == "field":
            return self._field(token, first=first)
        if token.kind == "variable":
            return self._variable(token, first=first)
        if token.kind in ("string", "number") or token.text in ("true", "false", "nil"):
            constant = {"true": True, "false": False, "nil": None}.get(token.text, token.value)
            return lambda _: constant
        if token.kind == "name":
            return self._call_alone(token)
        if token.kind == "close":
            raise self.error("a value is missing here", token.at, "for example {{.level}}")
        raise self.error(f"unexpected `{token.text}` in a template", token.at)

    def _parenthesised(self, opening: Token) -> Eval:
        self.depth += 1
        if self.depth > NESTING:
            raise self.error(f"more than {NESTING} levels of nesting", opening.at)
        inner = self.pipeline()
        if self.tokens[0].text != ")":
            raise self.error("this parenthesis does not end", opening.at)
        self.depth -= 1
        return inner

    def _call_alone(self, token: Token) -> Eval:
        """Read a function without arguments, as it may stand among arguments."""
        if self._dialect.labels and token.text in ("__line__", "__timestamp__"):
            return self._special(token.text)
        function = self._dialect.functions.get(token.text)
        if function is None:
            raise self.unknown(token)
        if function.least:
            raise self.error(f"`{token.text}` needs parentheses here", token.at, f"write ({token.text} …)")
        return _application(token.text, function, [])

    # --- labels, fields and variables -----------------------------------------------------------

    def _field(self, token: Token, *, first: bool) -> Eval:
        if self.inner:
            names = [name for name in token.text.split(".") if name]
            arguments = self._arguments(names) if first else []
            return lambda scope: _member(scope.dot, names, [argument(scope) for argument in arguments])
        if token.text == ".":
            self.every = True
            return lambda scope: dict(scope.labels)
        name = self.label(token)
        return lambda scope: scope.labels.get(name, "")

    def _variable(self, token: Token, *, first: bool) -> Eval:
        if token.text == "$":
            following = self.tokens[0]
            if self.defining:
                return self._members(lambda scope: scope.root, token)
            if following.kind == "field" and following.at == token.at + 1:
                name = self.label(self.tokens.pop(0))
                return lambda scope: scope.labels.get(name, "")
            self.every = True
            return lambda scope: dict(scope.labels)
        slot = self.slot(token)
        if slot is None:
            known = [name for name in self._variables if name]
            raise self.error(f"undefined variable {token.text}", token.at, did_you_mean(token.text, known))
        return self._members(lambda scope: scope.variables.get(slot), token, first=first)

    def _members(self, value: Eval, before: Token, *, first: bool = False) -> Eval:
        """Read `.a.b` right behind a variable or parenthesis, and what the method that comes last takes."""
        end = self.tokens.pop(0).at + 1 if before.text == "(" else before.at + len(before.text)
        following = self.tokens[0]
        if following.kind != "field" or following.at != end:
            return value
        names = [name for name in self.tokens.pop(0).text.split(".") if name]
        arguments = self._arguments(names) if first else []
        return lambda scope: _member(value(scope), names, [argument(scope) for argument in arguments])

    def _arguments(self, names: Sequence[str]) -> list[Eval]:
        """Read what a method takes, if the last name is that of one."""
        arguments: list[Eval] = []
        while names[-1:] == ["Format"] and not self._at_end():
            arguments.append(self._operand())
        return arguments

    def label(self, token: Token) -> str:
        """Return the label that a field names at the top, and take note that it is read."""
        name = token.text[1:]
        if "." in name or not name:
            hint = f"write .{name.strip('.').replace('.', '_')}" if name else "name a label: {{.level}}"
            raise self.error("labels have no members", token.at, hint)
        self.labels.add(name)
        return name

    def _special(self, name: str) -> Eval:
        self.special.add(name)
        return (lambda scope: scope.line) if name == "__line__" else (lambda scope: Time(scope.time_ns))

    # --- refusals -------------------------------------------------------------------------------

    def unknown(self, token: Token) -> QueryError:
        """Return the error about a name that is no function."""
        hint = did_you_mean(token.text, [*self._dialect.functions, *KEYWORDS])
        hint = hint or (f"a label is written .{token.text}" if self._dialect.labels else "")
        return self.error(f"unknown function `{token.text}` in a template", token.at, hint)

    def error(self, what: str, at: int, hint: str = "") -> QueryError:
        """Return the error that points at a place of the template."""
        return QueryError(what, query=self._text, position=at, hint=hint)


def _member(value: Value, names: Sequence[str], arguments: Sequence[Value] = ()) -> Value:
    """Return a member of a map, or of one within it; nothing where there is none. A time has methods."""
    for place, name in enumerate(names):
        if isinstance(value, Time):
            value = part_of_time(value, name, *(arguments if place == len(names) - 1 else ()))
        elif isinstance(value, dict):
            value = value.get(name)
        elif value is None and place:
            raise TemplateError(f"nil has no member {name}")
        elif value is not None:
            raise TemplateError(f"{shown(value)} has no member {name}")
    return value


def _first_that_decides(name: str, arguments: Sequence[Eval]) -> Eval:
    """Return `and` or `or`: what stands behind the argument that decides is not looked at."""

    def decide(scope: Scope) -> Value:
        value: Value = None
        for argument in arguments:
            value = argument(scope)
            if truth(value) == (name == "or"):
                break
        return value

    return decide


def _application(name: str, function: Function, arguments: Sequence[Eval]) -> Eval:
    if name in ("and", "or"):
        return _first_that_decides(name, arguments)
    kinds = [function.kind(place) for place in range(len(arguments))]

    def apply(scope: Scope) -> Value:
        values = [argument(scope) for argument in arguments]
        for kind, value in zip(kinds, values, strict=True):
            fits = isinstance(value, str) if kind == "s" else type(value) is int if kind == "i" else True
            if not fits:
                raise TemplateError(f"{name}: {shown(value)} is not {'a text' if kind == 's' else 'a whole number'}")
        try:
            return function.call(scope, *values) if function.scoped else function.call(*values)
        except (ArithmeticError, ValueError, RecursionError) as error:  # a number that is too large for what is asked
            raise TemplateError(f"{name}: {error}") from None

    return apply
