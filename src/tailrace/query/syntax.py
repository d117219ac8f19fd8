"""The syntax tree of LogQL: values, frozen, equal when they say the same.

A query is a `LogQuery` (gives lines) or a `Metric` (gives numbers). Places in the text (`at`, and `value_at`
for string values, 0-based character indexes) take no part in equality. `str(node)` is canonical LogQL;
parsing it gives an equal tree. Stages of a pipeline live one per file in `query.stages` and fulfil
`Stage`; functions in `query.functions`, named here by their lower-case name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Protocol, TypeAlias

from tailrace.query.lexer import quote
from tailrace.query.literals import write_duration, write_number

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source
    from tailrace.query.needs import Needs
    from tailrace.query.pushdown import Scan
    from tailrace.query.rows import Rows

MatchOp: TypeAlias = Literal["=", "!=", "=~", "!~"]
BinaryOp: TypeAlias = Literal["+", "-", "*", "/", "%", "^", "==", "!=", ">", ">=", "<", "<=", "and", "or", "unless"]

COMPARISONS: Final = frozenset({"==", "!=", ">", ">=", "<", "<="})
"""The operators that filter, or give 0 and 1 with `bool`."""

SETS: Final = frozenset({"and", "or", "unless"})
"""The operators on sets of series."""

PRECEDENCE: Final = {
    "or": 0,
    **dict.fromkeys(("and", "unless"), 1),
    **dict.fromkeys(("==", "!=", ">", ">=", "<", "<="), 2),
    **dict.fromkeys(("+", "-"), 3),
    **dict.fromkeys(("*", "/", "%"), 4),
    "^": 5,
}
"""How tightly operators bind; all are left-associative but `^`."""


class Stage(Protocol):
    """One stage of a pipeline: a frozen value with positions out of equality.

    Must: `str(stage)` is canonical LogQL from its `|` or line operator on. `parse` begins at the first
    token after the `|` (the keyword), or at the line operator, and steps over the stage. `check` raises
    the first `QueryError` that parsing could not see.
    """

    keyword: ClassVar[str]
    """The word after `|`; empty for line filters and label filters, which have none."""

    @property
    def at(self) -> int:
        """Where the stage stands in the text."""
        ...

    @classmethod
    def parse(cls, cursor: Cursor) -> Stage:
        """Read the stage, keyword included, and step over it."""
        ...

    def check(self, source: Source) -> None:
        """Raise a `QueryError` for what is wrong beyond grammar."""
        ...

    def needs(self, after: Needs) -> Needs:
        """Return what must be known of a line before the stage, given what is needed after it."""
        ...

    def push(self, scan: Scan, after: Needs) -> bool:
        """Let the scan do the stage, or a part of it, and tell it what the stage changes.

        True: the scan does all of it (or there is nothing to do for its rows), the stage does not run on rows.
        """
        ...

    def apply(self, rows: Rows, after: Needs) -> Rows:
        """Run the stage on rows; labels that `after` does not want need not be made."""
        ...


@dataclass(frozen=True, slots=True)
class Matcher:
    """A test of a label's text; regexes must match the whole value, an absent label compares as empty."""

    name: str
    op: MatchOp
    value: str
    at: int = field(default=0, compare=False, repr=False)
    value_at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.name}{self.op}{quote(self.value)}"


@dataclass(frozen=True, slots=True)
class Selector:
    """Which streams are read: those that all matchers accept."""

    matchers: tuple[Matcher, ...]
    at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return "{" + ", ".join(map(str, self.matchers)) + "}"


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Lines: a selector and the stages that they pass, in order."""

    selector: Selector
    stages: tuple[Stage, ...] = ()
    at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return " ".join(map(str, (self.selector, *self.stages)))


@dataclass(frozen=True, slots=True)
class Unwrap:
    """`| unwrap label`, or `| unwrap conversion(label)`, and the label filters behind it."""

    label: str
    conversion: Literal["", "bytes", "duration", "duration_seconds"] = ""
    filters: tuple[Stage, ...] = ()
    at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        label = f"{self.conversion}({self.label})" if self.conversion else self.label
        return " ".join([f"| unwrap {label}", *map(str, self.filters)])


@dataclass(frozen=True, slots=True)
class LogRange:
    """The lines of the last `range_ns` before each evaluation time, moved back by `offset_ns`; or a label's values."""

    log: LogQuery
    range_ns: int
    offset_ns: int = 0
    unwrap: Unwrap | None = None
    at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        offset = f" offset {write_duration(self.offset_ns)}" if self.offset_ns else ""
        unwrap = f" {self.unwrap}" if self.unwrap else ""
        return f"{self.log}{unwrap} [{write_duration(self.range_ns)}]{offset}"


@dataclass(frozen=True, slots=True)
class Grouping:
    """`by (labels)`, or `without (labels)`; labels as written, an unordered set by meaning."""

    labels: tuple[str, ...]
    without: bool = False
    at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{'without' if self.without else 'by'} ({', '.join(self.labels)})"


@dataclass(frozen=True, slots=True)
class RangeAggregation:
    """A function of `query.functions.RANGE` over a range of lines."""

    function: str
    range: LogRange
    grouping: Grouping | None = None
    parameter: float | None = None
    at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        parameter = "" if self.parameter is None else f"{write_number(self.parameter)}, "
        return f"{self.function}({parameter}{self.range})" + (f" {self.grouping}" if self.grouping else "")


@dataclass(frozen=True, slots=True)
class VectorAggregation:
    """A function of `query.functions.VECTOR` over the series of a metric, at each evaluation time."""

    function: str
    operand: Metric
    grouping: Grouping | None = None
    parameter: float | None = None
    at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        head = f"{self.function} {self.grouping} " if self.grouping else self.function
        parameter = "" if self.parameter is None else f"{write_number(self.parameter)}, "
        return f"{head}({parameter}{self.operand})"


@dataclass(frozen=True, slots=True)
class Matching:
    """`on (labels)` or `ignoring (labels)`; `group` says which side may have several partners."""

    on: bool
    labels: tuple[str, ...]
    group: Literal["", "left", "right"] = ""
    include: tuple[str, ...] = ()  # labels of the one side that the result gets

    def __str__(self) -> str:
        group = f" group_{self.group} ({', '.join(self.include)})" if self.group else ""
        return f"{'on' if self.on else 'ignoring'} ({', '.join(self.labels)}){group}"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands and an operator; `returns_bool` is the word `bool` after a comparison."""

    op: BinaryOp
    left: Metric
    right: Metric
    returns_bool: bool = False
    matching: Matching | None = None
    at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        word = (" bool" if self.returns_bool else "") + (f" {self.matching}" if self.matching else "")
        return f"{self._side(self.left, self.op == '^')} {self.op}{word} {self._side(self.right, self.op != '^')}"

    def _side(self, operand: Metric, loose: bool) -> str:
        """Write an operand, in parentheses if it binds less tightly, or as tightly on the side where that matters."""
        if isinstance(operand, Binary):
            gap = PRECEDENCE[operand.op] - PRECEDENCE[self.op]
            if gap < 0 or (gap == 0 and loose):
                return f"({operand})"
        return str(operand)


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float
    at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return write_number(self.value)


@dataclass(frozen=True, slots=True)
class Vector:
    """`vector(n)`: one sample without labels at every step, from no storage."""

    value: float
    at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return f"vector({write_number(self.value)})"


@dataclass(frozen=True, slots=True)
class LabelReplace:
    """`label_replace(operand, "target", "replacement", "source", "regex")`."""

    operand: Metric
    target: str
    replacement: str
    source: str
    regex: str
    at: int = field(default=0, compare=False, repr=False)
    regex_at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        texts = ", ".join(quote(text) for text in (self.target, self.replacement, self.source, self.regex))
        return f"label_replace({self.operand}, {texts})"


@dataclass(frozen=True, slots=True)
class Named:
    """Series that rules recorded under a name, as they were `offset_ns` before each evaluation time.

    `plain` leaves the name out of their labels, as operators and aggregations do.
    """

    name: str
    matchers: tuple[Matcher, ...] = ()
    offset_ns: int = 0
    plain: bool = False
    at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        matchers = str(Selector(self.matchers)) if self.matchers else ""
        offset = f" offset {write_duration(self.offset_ns)}" if self.offset_ns else ""
        return f"{self.name}{matchers}{offset}"


Metric: TypeAlias = RangeAggregation | VectorAggregation | Binary | Number | Vector | LabelReplace | Named
Query: TypeAlias = LogQuery | Metric
