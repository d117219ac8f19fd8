r"""What the stack traces of eight languages look like, and what other records of several lines do.

A preset is one of two things. `CONTINUES` has the patterns of lines that go on with whatever is before them. `SHAPES`
has the presets where that depends on the lines before: each line gets a class, one letter by the first pattern that it
matches (`O` if none does), and `records` is a pattern over the letters of a stream that cuts them into records. Such a
pattern must not need to know what comes later: each beginning of a record must be a record as well, so that it does not
matter where a turn ends. `closed` tells the records that no line can go on with; they need not wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Shape:
    """Classes of lines, and how they make records."""

    classes: tuple[tuple[str, str], ...]
    records: str
    closed: str
    exact: bool = False  # `records` counts lines, so what is remembered of an open one is all its letters
    hints: tuple[str, ...] = ()  # texts in whose absence, and with nothing open, each line is a record


CONTINUES: Final = {
    "java": r"\s+at |\s*\.\.\. \d+ (?:more|common frames)|\s*Caused by:|\s*Suppressed:|\s*\[CIRCULAR REFERENCE",
    "dotnet": r"\s+at |\s*---> |\s*--- End of ",
    "ruby": r"\s+(?:\d+: )?from |\s*\S+\.rb:\d+:in [`'][^']*'$",
    "php": r"(?:\[[^\]]*\] )?(?:PHP )?(?:Stack trace:|\s+\d+\. |#\d+ )|\s+thrown in |Next \S*(?:Exception|Error)\b"
    r'|\[stacktrace\]|\[previous exception\]|"\}',
}
"""Lines that go on with the record before them, from their first character."""

_GO_FRAME: Final = (
    r"^(?:\s|\[signal |\[originating |goroutine running |runtime stack:|created by |\.\.\.additional frames"
    r"|[a-z][a-z0-9]{0,6} +0x[0-9a-f]+$|\S+\(.*\)$|$)"
)

SHAPES: Final = {
    "python": Shape(
        classes=(
            ("T", r"^Traceback \(most recent call last\):"),
            ("G", r"^\s*\+ Exception Group Traceback \(most recent call last\):"),
            ("C", r"^(?:During handling of the above exception, another|The above exception was the direct cause of)"),
            ("I", r"^\s+\S"),
            ("B", r"^\s*$"),
        ),
        # The first line behind the frames that is not set in names the exception; lines set in may explain it.
        records=r"(?:TI*(?:OI*)?|GI*)B*(?:CB*(?:(?:TI*(?:OI*)?|GI*)B*)?)*|.",
        closed=r"^[OIBC]$",
        hints=("Traceback (most recent call last):",),
    ),
    "go": Shape(
        classes=(
            ("P", r"^(?:panic|fatal error): "),
            ("G", r"^goroutine \d+ \[|^goroutine \d+ .*\[.*\]:$"),
            ("X", r"^exit status \d+"),
            ("K", _GO_FRAME),
        ),
        records=r"[PG][GK]*X?|.",
        closed=r"X$|^[OK]$",
        hints=("panic: ", "fatal error: ", "goroutine "),
    ),
    "node": Shape(
        classes=(
            ("A", r"^\s+at |^\s*\[(?:cause|errors)\]: "),
            ("D", r"^\s*[}\]]+,?$"),
            ("K", r"^\s+\S"),
        ),
        records=r".(?:A[AKD]*)?",
        closed=r"^$",
    ),
    "rust": Shape(
        classes=(
            ("M", r"^thread '.*' (?:\(\d+\) )?panicked at .*:$"),  # the message is in the next line
            ("T", r"^thread '.*' (?:\(\d+\) )?panicked at "),
            ("K", r"^(?:note: |stack backtrace:|\s+\S)"),
        ),
        records=r"M(?:[^MT]K*)?|TK*|.",
        closed=r"^[OK]$",
        hints=(" panicked at ",),
    ),
    "indented": Shape(
        classes=(("Y", r"^\s.*\\$"), ("J", r"^\s"), ("X", r"\\$")),
        # A line set in goes on with the one before; behind a backslash any line does.
        records=r"(?:[OJ]|[XY]+[OJ]?)(?:J+|Y[XY]*[OJ]?)*",
        closed=r"^$",
    ),
}
"""Lines whose meaning depends on the ones before."""

AUTO: Final = ("java", "python", "go", "node", "rust", "dotnet", "ruby", "php")
"""What `auto` stands for."""


def pattern_shape(end: str, *, negate: bool) -> Shape:
    """Return the shape of records that end with a line that matches (or does not)."""
    classes = (("O", end), ("E", "")) if negate else (("E", end),)
    return Shape(classes=classes, records=r"O+E?|E", closed=r"E$")
