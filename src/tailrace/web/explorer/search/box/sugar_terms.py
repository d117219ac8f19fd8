"""The terms of plain words: a text to look for, or the test of a label as `status:>=500`, `pod:web-*`, `level:error`.

`read_test` knows what a key means: a stream label, a field, or the level of a line; for any other key it has no test,
and what was typed is a text. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from tailrace.batch import LEVELS, sanitize_name
from tailrace.parse.level import WORDS
from tailrace.query import literals
from tailrace.query.cursor import RESERVED
from tailrace.query.stages.label_filter import All, AnyOf, Comparison
from tailrace.query.syntax import Matcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.query.stages.label_filter import CompareOp, Condition, Measure

QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
"""A text in quotes, in which a backslash takes the character after it as it is."""

LEVEL_KEY: Final = "level"
LEVEL: Final = "detected_level"
_CRITICAL: Final = "critical"  # what a sender's `critical` stays; in files it is read as fatal
_RANKS: Final = (*LEVELS, _CRITICAL)
_PARTS: Final = re.compile(rf"(?:^|,)((?:{QUOTED}|[^,])*)", re.DOTALL)
_WHOLE: Final = re.compile(QUOTED, re.DOTALL)
_BETWEEN: Final = re.compile(r"(.+?)\.\.(.+)", re.DOTALL)
_OPPOSITE: Final[dict[str, CompareOp]] = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_ANY: Final = ".+"


@dataclass(frozen=True, slots=True)
class Known:
    """Which labels and fields there are; `every` if any name may be that of a field."""

    labels: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    every: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A text that lines hold (`keep`) or do not hold: `exact`, or in any case and with `*` for any characters."""

    text: str
    keep: bool = True
    exact: bool = False

    def opposite(self) -> Text:
        """Return the term that holds where this one does not."""
        return replace(self, keep=not self.keep)


@dataclass(frozen=True, slots=True)
class LabelTest:
    """The test of a label, and its opposite, which a line without the label passes."""

    condition: Condition
    other: Condition
    of_stream: bool
    keep: bool = True

    def opposite(self) -> LabelTest:
        """Return the term that holds where this one does not."""
        return LabelTest(self.other, self.condition, self.of_stream, not self.keep)


Term: TypeAlias = Text | LabelTest


def read_test(key: str, op: str, value: str, known: Known) -> LabelTest | None:
    """Return the test that `key`, `op` and `value` stand for; None if the key is no label or the value fits none."""
    name = _named(key, known)
    if name is None:
        return None
    of_stream = name in known.labels
    op = op.removeprefix(":").replace("==", "=") or "="
    if op in _OPPOSITE:
        return _ordered(name, cast("CompareOp", op), value, of_stream=of_stream)  # a key of _OPPOSITE
    test = _between(name, value, of_stream=of_stream) or _equal(name, value, of_stream=of_stream)
    return test.opposite() if test and op == "!=" else test


def unquoted(quoted: str) -> str:
    r"""Return what stands in quotes; a backslash takes the character after it as it is.

    >>> print(unquoted(r'"say \"x\""'))
    say "x"
    """
    return re.sub(r"\\(.)", r"\1", quoted[1:-1], flags=re.DOTALL)


def parts(text: str) -> list[tuple[str, bool]]:
    """Return the parts of a list as `a,"b c",d*`, each with whether it was quoted.

    >>> parts('a,"b, c",d,')
    [('a', False), ('b, c', True), ('d', False)]
    """
    return [
        (unquoted(part), True) if _WHOLE.fullmatch(part) else (part, False) for part in _PARTS.findall(text) if part
    ]


def literal(text: str) -> str:
    """Escape what a regex of the query language would not take for itself; `-` and the like it takes."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text)


def globbed(text: str) -> str:
    """Return the regex of a text in which `*` stands for any characters."""
    return ".*".join(map(literal, re.split(r"\*+", text)))


def _named(key: str, known: Known) -> str | None:
    name = sanitize_name(key)
    if name.lower() in RESERVED:
        return None
    if name in known.labels:
        return name
    if name == LEVEL_KEY:
        return LEVEL
    return name if name == LEVEL or known.every or name in known.fields else None


def _equal(name: str, value: str, *, of_stream: bool) -> LabelTest | None:
    found = parts(value)
    if not found:
        return None
    if name == LEVEL:
        found = [(one, True) for part, _ in found for one in _levels(part)]
    if found == [("*", False)]:
        present = Matcher(name, "=~", _ANY) if of_stream else Matcher(name, "!=", "")
        return LabelTest(present, Matcher(name, "=", ""), of_stream)
    if len(found) == 1 and (found[0][1] or "*" not in found[0][0]):
        return LabelTest(Matcher(name, "=", found[0][0]), Matcher(name, "!=", found[0][0]), of_stream)
    regex = "|".join(literal(part) if quoted else globbed(part) for part, quoted in found)
    return LabelTest(Matcher(name, "=~", regex), Matcher(name, "!~", regex), of_stream)


def _levels(word: str) -> list[str]:
    """Return the levels that a word means; a word that is none stays."""
    lower = word.lower()
    return ["fatal", _CRITICAL] if lower == _CRITICAL else [WORDS.get(lower, word)]


def _ordered(name: str, op: CompareOp, value: str, *, of_stream: bool) -> LabelTest | None:
    if name == LEVEL:
        return _ranked(op, value)
    test = _compared(name, op, value)
    if test is None:
        return None
    opposite = replace(test, op=_OPPOSITE[op])
    return LabelTest(test, AnyOf((opposite, Matcher(name, "=", ""))), of_stream)


def _between(name: str, value: str, *, of_stream: bool) -> LabelTest | None:
    """Read `400..499`, both ends included."""
    match = _BETWEEN.fullmatch(value)
    if match is None:
        return None
    low, high = _compared(name, ">=", match[1]), _compared(name, "<=", match[2])
    if low is None or high is None or low.measure != high.measure:
        return None
    outside = (replace(low, op="<"), replace(high, op=">"), Matcher(name, "=", ""))
    return LabelTest(All((low, high)), AnyOf(outside), of_stream)


def _compared(name: str, op: CompareOp, value: str) -> Comparison | None:
    sign, text = ("-", value[1:]) if value.startswith("-") else ("", value)
    readers: tuple[tuple[Measure, float | None], ...] = (
        ("number", literals.number(text)),
        ("duration", literals.duration(text)),
        ("bytes", None if sign else literals.byte_count(text)),
    )
    for measure, found in readers:
        if found is not None:
            return Comparison(name, op, -found if sign else found, measure)
    return None


def _ranked(op: CompareOp, value: str) -> LabelTest | None:
    """Compare levels by how grave they are."""
    wanted = WORDS.get(value.lower())
    if wanted is None:
        return None
    at = _RANKS.index(wanted)
    last = {"fatal": at + 1}.get(wanted, at)  # a critical line is as grave as a fatal one
    ranks: dict[str, Sequence[str]] = {
        ">": _RANKS[last + 1 :],
        ">=": _RANKS[at:],
        "<": _RANKS[:at],
        "<=": _RANKS[: last + 1],
    }
    levels = ranks[op]
    if not levels:
        return None
    tests = [Matcher(LEVEL, "=", one) for one in levels]
    regex = "|".join(levels)
    if len(tests) == 1:
        return LabelTest(tests[0], replace(tests[0], op="!="), of_stream=False)
    return LabelTest(Matcher(LEVEL, "=~", regex), Matcher(LEVEL, "!~", regex), of_stream=False)


def any_of(conditions: Sequence[Condition]) -> Condition:
    """Return the condition that one of these holds."""

    def joined(left: Condition, right: Condition) -> Condition:
        flat = [part for side in (left, right) for part in (side.parts if isinstance(side, AnyOf) else (side,))]
        return AnyOf(tuple(flat))

    return reduce(joined, conditions)
