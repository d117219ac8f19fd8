"""What a tail shows first: the lines before it, oldest first, when it is asked to look back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tailrace.cli.tail import _of_folder, _past
from tailrace.errors import QueryError

if TYPE_CHECKING:
    from pathlib import Path

ALL = '{filename=~".+"}'


def test_it_begins_with_the_lines_of_the_past(table: Path) -> None:
    tail = _of_folder(ALL, table, _past(ALL, "50y", 2))
    assert next(tail).frame["_line"].to_list() == ["broken", "grün ✓"]
    tail.close()


def test_a_metric_query_has_no_lines(table: Path) -> None:
    query = f"rate({ALL}[1m])"
    with pytest.raises(QueryError, match="log query"):
        next(_of_folder(query, table, _past(query, "1h", 10)))
