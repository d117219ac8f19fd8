import re
from pathlib import Path

import pytest

from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.web.explorer.search.box.pretty import pretty


@pytest.mark.parametrize(
    ("query", "laid_out"),
    [
        ('{a="b"}|="x"', '{a="b"} |= "x"'),
        (
            '{a="b"} |= "x" | json | status >= 500 | line_format "{{.x}}"',
            '{a="b"}\n  |= "x"\n  | json\n  | status >= 500\n  | line_format "{{.x}}"',
        ),
        (
            'topk(5, sum by (a) (count_over_time({b="cccccccccccccccccccccccc"}[1m] offset 1h)))',
            (
                'topk(\n  5,\n  sum by (a) (\n    count_over_time(\n      {b="cccccccccccccccccccccccc"}\n'
                "        [1m] offset 1h\n    )\n  )\n)"
            ),
        ),
        (
            'sum(rate({app="web"}[5m])) / (sum(rate({app="db"}[5m])) + 1) * 100',
            'sum(rate({app="web"} [5m]))\n/\n(\n  sum(rate({app="db"} [5m])) + 1\n)\n*\n100',
        ),
    ],
)
def test_a_query_is_laid_out_over_lines(query: str, laid_out: str) -> None:
    assert pretty(query) == laid_out


def test_a_laid_out_query_says_the_same_and_stays_as_it_is() -> None:
    """Over all queries of the language's own cases."""
    cases = Path(__file__).parents[4] / "cases/query"
    texts = [path.read_text() for path in cases.rglob("*.toml")]
    queries = {match[1] for text in texts for match in re.finditer(r"^query = '([^'\n]+)'$", text, re.MULTILINE)}
    tried = 0
    for query in queries:
        try:
            tree = parser.parse(query)
            once = pretty(query)
        except QueryError:
            continue
        tried += 1
        assert parser.parse(once) == tree
        assert pretty(once) == once
    assert tried > 20


def test_comments_are_not_lost_in_silence() -> None:
    with pytest.raises(QueryError, match="comments") as mistake:
        pretty('{a="#1"} # why')
    assert mistake.value.position == 9
