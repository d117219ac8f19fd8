"""Read YAML into plain values, and remember where in the text each of them stands.

Comes in: the text of a file and the environment. Goes out: a `Document`, whose values are mappings with text
keys, lists, text, whole and decimal numbers, true, false and null, as YAML 1.2 reads them (`on` is text and
`1:30` no number). Mistakes are gathered, so that one look shows them all; only a text that is no YAML ends at
the first. Refuses duplicate keys, tags, keys that are not text, and anchors that contain themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import yaml

from tailrace.config.environment import substitute
from tailrace.config.trail import Trail, trail_text
from tailrace.errors import Problem
from tailrace.limits import CONFIG_NODES

if TYPE_CHECKING:
    from collections.abc import Mapping

Place = tuple[int, int]
"""Line and column, both from 1."""

_PLAIN: Final = "plain"  # tag of a scalar without quotes, whose type its text decides
_TAGS: Final = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")}
_WORDS: Final[Mapping[str, object]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT: Final = re.compile(r"[-+]?[0-9]+")
_DIGITS: Final = 400  # of a number; what is longer is text
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass(slots=True)
class Document:
    """The values of a file, where each stands, which came from the environment, and what is wrong."""

    value: object = None
    places: dict[Trail, Place] = field(default_factory=dict)  # of a value
    keys: dict[Trail, Place] = field(default_factory=dict)  # of the key in front of a value
    variables: dict[Trail, tuple[str, ...]] = field(default_factory=dict)
    problems: dict[Trail, list[Problem]] = field(default_factory=dict)

    def refuse(self, trail: Trail, place: Place | None, what: str, hint: str = "") -> None:
        """Note a mistake."""
        line, column = place or (None, None)
        self.problems.setdefault(trail, []).append(Problem(trail_text(trail), what, hint, line, column))


class _Loader(yaml.SafeLoader):
    """Leaves the type of plain scalars open: the environment may still change their text."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: object) -> str:
        if kind is yaml.ScalarNode and isinstance(implicit, tuple) and implicit[0]:
            return _PLAIN
        tag: str = super().resolve(kind, value, (False, False))  # type: ignore[no-untyped-call]  # of its stubs
        return tag


def read_document(text: str, environ: Mapping[str, str] | None, most: int = CONFIG_NODES) -> Document:
    """Return what a text says, which has at most so many values; never raises for what it says.

    Without an environment a `$` stands for itself.
    """
    document = Document()
    try:
        node = _Loader(text).get_single_node()
        if node is not None:
            _Reader(document, environ, most).read(node, ())
    except yaml.YAMLError as error:
        place, what, hint = _syntax(error, text)
        document.refuse((), place, what, hint)
    except RecursionError:
        document.refuse((), None, "the values are nested too deeply", "no setting needs that")
    return document


class _Reader:
    """Walks the nodes of one document."""

    def __init__(self, document: Document, environ: Mapping[str, str] | None, most: int) -> None:
        self._document = document
        self._most = most  # values
        self._environ = environ
        self._above: set[int] = set()
        self._nodes = 0

    def read(self, root: yaml.Node, trail: Trail) -> None:
        self._document.value = self._value(root, trail)

    def _value(self, node: yaml.Node, trail: Trail) -> object:
        place = _place(node.start_mark)
        self._document.places[trail] = place
        self._nodes += 1
        if id(node) in self._above:
            self._document.refuse(trail, place, "this anchor contains itself", "write the values out")
            return None
        if self._nodes > self._most:
            if self._nodes == self._most + 1:
                self._document.refuse((), place, f"more than {self._most:,} values", "anchors multiply what they hold")
            return None
        if node.tag != _PLAIN and node.tag not in _TAGS:
            self._document.refuse(trail, place, f"the tag {node.tag!r} is not supported", "remove the tag")
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, trail, place)
        self._above.add(id(node))
        value: object = None
        if isinstance(node, yaml.MappingNode):
            value = self._mapping(node, trail)
        elif isinstance(node, yaml.SequenceNode):
            value = self._list(node, trail)
        self._above.discard(id(node))
        return value

    def _scalar(self, node: yaml.ScalarNode, trail: Trail, place: Place) -> object:
        if not _is_text(node.value):
            self._document.refuse(trail, place, "half of a character", "write the character itself, or all of it")
            return None
        if self._environ is None:
            return plain_value(node.value) if node.tag == _PLAIN else node.value
        result = substitute(node.value, self._environ)
        if result.variables:
            self._document.variables[trail] = result.variables
        for what, hint in result.mistakes:
            self._document.refuse(trail, place, what, hint)
        return plain_value(result.text) if node.tag == _PLAIN else result.text

    def _list(self, node: yaml.SequenceNode, trail: Trail) -> list[object]:
        return [self._value(item, (*trail, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, trail: Trail) -> dict[str, object]:
        merged: dict[str, object] = {}
        own: dict[str, object] = {}
        for key_node, value_node in node.value:
            place = _place(key_node.start_mark)
            if key_node.tag == _PLAIN and key_node.value == "<<":
                merged |= self._merged(value_node, trail, place)
                continue
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None:
                self._document.refuse(trail, place, "a key must be text", "quote it")
                continue
            if not _is_text(key):
                self._document.refuse(trail, place, "half of a character", "write the character itself, or all of it")
                continue
            here = (*trail, key)
            if key in own:
                first = self._document.keys[here][0]
                self._document.refuse(
                    here, place, f"the key {key!r} is given twice", f"the first one is on line {first}"
                )
                continue
            self._document.keys[here] = place
            own[key] = self._value(value_node, here)
        return {**merged, **own}

    def _merged(self, node: yaml.Node, trail: Trail, place: Place) -> dict[str, object]:
        """Return what `<<: *anchor` brings in; of several anchors the first one that has a key gives it."""
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        result: dict[str, object] = {}
        for part in parts:
            value = self._value(part, trail)
            if not isinstance(value, dict):
                self._document.refuse(trail, place, "'<<' takes a mapping", "point it to an anchor of a mapping")
                continue
            result = {**value, **result}
        return result


def plain_value(text: str) -> object:
    """Return what a scalar without quotes means.

    >>> [plain_value(text) for text in ("12", "1.5", "true", "~", "on", "0x1F", "10 MiB")]
    [12, 1.5, True, None, 'on', 31, '10 MiB']
    """
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _DIGITS:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if re.fullmatch(r"0x[0-9a-fA-F]+|0o[0-7]+", text):
        return int(text, 0)
    return text


def _is_text(value: str) -> bool:
    """Tell whether this can be written anywhere: an escape in double quotes may be one half of a pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _place(mark: yaml.Mark) -> Place:
    return mark.line + 1, mark.column + 1


_PLAIN_WORDS: Final = (
    (r"mapping values are not allowed", "there is one ':' too many here", "quote the value if the ':' belongs to it"),
    (r"could not find expected ':'", "expected 'key: value'", "is a ':' missing, or the indentation wrong?"),
    (r"expected <block end>, but found '-'", "this '-' does not fit the lines above", "align it with its list"),
    (r"expected <block end>", "this line does not fit the lines above", "check its indentation"),
    (r"end of stream|end of the stream|unexpected end", "the file ends inside quotes or brackets", "close them"),
    (r"expected ',' or '\]'", "a list opened by '[' is not closed", "write ']' at its end"),
    (r"expected ',' or '}'", "a mapping opened by '{' is not closed", "write '}' at its end"),
    (r"undefined alias", "this anchor is not defined", "quote the value if the '*' belongs to it"),
    (r"duplicate anchor", "this anchor is defined twice", "give it another name"),
    (r"found another document", "the file holds more than one document", "remove the '---' in the middle"),
    (r"cannot start any token", "a value cannot start with this character", "quote the value"),
    (
        r"unknown escape character",
        "this escape is unknown in double quotes",
        "use single quotes for regular expressions",
    ),
    (r"sequence entries are not allowed", "a list cannot start here", "put the '-' on a line of its own"),
)


def _syntax(error: yaml.YAMLError, text: str) -> tuple[Place | None, str, str]:
    """Return where the text stops being YAML, what is wrong there, and what to do."""
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        place = before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1
        return (
            place,
            "a control character is not allowed in YAML",
            "remove it, or write it as an escape in double quotes",
        )
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return None, f"not valid YAML: {error}", ""
    mark = error.problem_mark
    lines = text.splitlines()
    indent = re.match(r"\s*", lines[mark.line])[0] if mark.line < len(lines) else ""  # type: ignore[index]  # `*` always matches
    if "\t" in indent:
        return (mark.line + 1, indent.index("\t") + 1), "a tab indents this line", "indent with spaces"
    said = f"{error.context or ''} {error.problem or ''}"
    for pattern, what, hint in _PLAIN_WORDS:
        if re.search(pattern, said):
            return _place(mark), what, hint
    return _place(mark), f"not valid YAML: {error.problem}", ""
