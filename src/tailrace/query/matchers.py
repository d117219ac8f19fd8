"""Reading and checking of `name="value"` tests, in selectors, label filters, `keep` and `drop`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from tailrace.query import regexes
from tailrace.query.syntax import Matcher, MatchOp

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source

OPS: Final = ("=", "!=", "=~", "!~")


def parse_matcher(cursor: Cursor) -> Matcher:
    """Read a label name, an operator and a string."""
    name = cursor.expect_name()
    op = cursor.accept_op(*OPS)
    if op is None:
        hint = "a label is compared with a single `=`" if cursor.at_op("==") else ""
        raise cursor.error(f"expected `=`, `!=`, `=~` or `!~` after {name}, found {cursor.token}", hint=hint)
    value = cursor.expect_string(f"`{op.text}`")
    # the operator is one of OPS, which the type cannot know
    return Matcher(name.text, cast("MatchOp", op.text), str(value.value), name.at, value.at)


def check_matcher(matcher: Matcher, source: Source) -> None:
    """Refuse a regex that cannot run."""
    if matcher.op in ("=~", "!~"):
        regexes.check(matcher.value, matcher.value_at, source, whole=True)
