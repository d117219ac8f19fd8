"""What stands at the cursor of the query box: which kind of word could go there, and which text it would replace.

Comes in: an unfinished query and a place in it. Goes out: a `Spot`. What is left of the place is read from token to
token and never refused; strings may be open. Pure, and linear in the length of the text.

>>> spot('{host="a", pod=~"we', 18)
Spot(kind='value', start=16, end=19, typed='w', name='pod', op='=~', selector='{host="a"}', log='')
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from tailrace.query.stages import STAGES
from tailrace.web.explorer.search.box.sugar import means_logql
from tailrace.web.explorer.search.box.sugar_terms import unquoted

Kind: TypeAlias = Literal["start", "label", "value", "stage", "field", "duration", "word", "key-value", ""]
"""The beginning of a query, a label of a selector or its value, a stage, a label of lines, a range, plain words."""

_TOKEN: Final = re.compile(
    r'(?P<string>"(?:[^"\\\n]|\\.)*"?|`[^`]*`?)|(?P<name>[A-Za-z_]\w*|\d[\w.]*)|(?P<space>\s+)'
    r"|(?P<op>\|[=~>]|![=~>]|=~|==|>=|<=|.)",
    re.DOTALL | re.ASCII,
)
MOST_CHARS: Final = 4_000
"""Nothing is offered further into a text: looking there takes longer than anybody waits."""

_LINE_OPS: Final = ("|=", "|~", "!=", "!~", "|>", "!>")
_MATCH_OPS: Final = ("=", "!=", "=~", "!~")
_ORDERS: Final = (">", ">=", "<", "<=", "==")
_LISTED: Final = ("by", "without", "on", "ignoring", "group_left", "group_right")
_PLAIN: Final = re.compile(
    r'(?P<minus>-?)(?:(?P<key>[A-Za-z_][\w.-]*):(?P<value>"[^"]*|[^\s"]*)|(?P<word>[^\s"]*))$', re.ASCII
)
_REST: Final = re.compile(r"\w*", re.ASCII)
_REST_OF_STRING: Final = re.compile(r'[^"`\n,{}|]*["`]?')


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a query: what could stand there, and what is there already (`typed`, from `start` to the place)."""

    kind: Kind
    start: int
    end: int
    typed: str = ""
    name: str = ""  # of the label whose value is wanted
    op: str = ""  # between it and the value
    selector: str = ""  # of the query at the place, without what is being written
    log: str = ""  # the log query up to the stage at the place


@dataclass(slots=True)
class _Reader:
    """What is known after the tokens so far."""

    brackets: list[str] = field(default_factory=list)
    last: str = ""  # the last token that is no space
    name: str = ""  # the last name
    matchers: list[str] = field(default_factory=list)
    selector: str = ""  # the last one that was closed
    selected_at: int = -1  # where it begins
    pipe_at: int = -1  # where the current stage begins
    stage: str = ""  # its keyword
    listed: bool = False  # within the parentheses of `by` and its like

    @property
    def inside(self) -> str:
        """The bracket that was opened last."""
        return self.brackets[-1] if self.brackets else ""

    def step(self, word: str, at: int) -> None:
        """Take the next token."""
        if word in "{([":
            self._open(word, at)
        elif word in "})]":
            self._close(word)
        elif self.inside == "{":
            if word[0] in '"`' and self.last in _MATCH_OPS:
                self.matchers.append(f"{self.name}{self.last}{word}")
        elif word == "|" or (word in _LINE_OPS and not (word in _MATCH_OPS and _named(self.last))):
            self.pipe_at, self.stage = at, word if word in _LINE_OPS else ""
        elif self.last == "|" and _named(word):
            self.stage = word.lower()
        if _named(word):
            self.name = word
        self.last = word

    def _open(self, bracket: str, at: int) -> None:
        if bracket == "{":
            self.matchers, self.selected_at, self.pipe_at = [], at, -1
        if bracket == "(":
            self.listed = self.last.lower() in _LISTED
        self.brackets.append(bracket)

    def _close(self, bracket: str) -> None:
        if bracket == "}":
            self.selector = "{" + ", ".join(self.matchers) + "}"
        if self.brackets:
            self.brackets.pop()


def spot(text: str, at: int) -> Spot:
    """Return what could stand at a place; kind empty if nothing can be offered there."""
    left = text[:at]
    if at > MOST_CHARS:
        return Spot("", at, at)
    if not means_logql(left):
        return _plain(text, at)
    reader, partial = _Reader(), ""
    for match in _TOKEN.finditer(left):
        token = match[0]
        open_string = match.lastgroup == "string" and match.end() == at and not _closed(token)
        if open_string or (match.lastgroup == "name" and match.end() == at):
            partial = token
            break
        if match.lastgroup != "space":
            reader.step(token, match.start())
    return _found(reader, text, at, partial)


def _closed(token: str) -> bool:
    return len(token) > 1 and token[-1] == token[0] and not (token[0] == '"' and _escaped(token))


def _escaped(token: str) -> bool:
    """Tell whether the last quote of a string is escaped."""
    return (len(token) - 1 - len(token[:-1].rstrip("\\"))) % 2 == 1


def _named(token: str) -> bool:
    return token[:1].isalpha() or token[:1] == "_"


def _found(reader: _Reader, text: str, at: int, partial: str) -> Spot:
    quoted = partial[:1] in {'"', "`"}
    rest = (_REST_OF_STRING if quoted else _REST).match(text, at) if partial else None
    log = text[reader.selected_at : reader.pipe_at].rstrip() if 0 <= reader.selected_at < reader.pipe_at else ""
    here = Spot(
        "",
        at - len(partial),
        rest.end() if rest else at,
        _opened(partial) if quoted else partial,
        selector=reader.selector,
        log=log or reader.selector,
    )
    if reader.inside == "{":
        return _in_selector(reader, here, quoted=quoted)
    if reader.pipe_at >= 0 and reader.inside != "[" and not reader.listed:
        return _in_stage(reader, here, quoted=quoted)
    return here if quoted else replace(here, kind=_between(reader, partial))


def _between(reader: _Reader, partial: str) -> Kind:
    """Return what could stand outside of selectors and pipelines."""
    if reader.inside == "[":
        return "duration"
    if reader.listed and reader.inside == "(":
        return "field"
    if reader.last == "}":
        return "" if partial else "stage"
    begins = reader.last in {"", "(", ",", "and", "or", "unless", *_ORDERS} or reader.last in "+-*/%^"
    return "start" if begins else ""


def _in_selector(reader: _Reader, here: Spot, *, quoted: bool) -> Spot:
    here = replace(here, selector="{" + ", ".join(reader.matchers) + "}")
    if reader.last in _MATCH_OPS:
        return replace(here, kind="value", name=reader.name, op=reader.last)
    if reader.last in {"{", ","} and not quoted:
        return replace(here, kind="label")
    return here


def _in_stage(reader: _Reader, here: Spot, *, quoted: bool) -> Spot:
    if reader.stage in _LINE_OPS:
        over = reader.last[:1] in {'"', "`"} and not here.typed and not quoted
        return replace(here, kind="stage") if over else here
    if reader.last in (*_MATCH_OPS, *_ORDERS):
        return replace(here, kind="value", name=reader.name, op=reader.last)
    return here if quoted else replace(here, kind=_of_stage(reader, here.typed))


def _of_stage(reader: _Reader, typed: str) -> Kind:
    """Return what could stand in a stage that begins with a keyword or a label."""
    if reader.last == "|":
        return "stage"
    tests = reader.stage not in STAGES and reader.last in {"and", "or", ",", "("}
    if reader.stage in {"drop", "keep", "unwrap"} or tests:
        return "field"
    return "" if typed else "stage"


def _opened(partial: str) -> str:
    """Return what an open string says so far."""
    return partial[1:] if partial[0] == "`" else unquoted(partial + '"')


def _plain(text: str, at: int) -> Spot:
    """Return the term of plain words that a place is in."""
    left = text[:at]
    match = _PLAIN.search(left)
    if match is None or left[: match.start()].count('"') % 2:
        return Spot("", at, at)
    rest = re.compile(r'[^\s"]*"?').match(text, at)
    end = rest.end() if rest else at
    if match["key"] is None:
        return Spot("word", match.start("word"), end, match["word"])
    start, typed = match.start("value"), match["value"]
    if not typed.startswith('"'):
        start += typed.rfind(",") + 1
        typed = typed[typed.rfind(",") + 1 :]
    return Spot("key-value", start, end, typed.removeprefix('"'), match["key"], ":")
