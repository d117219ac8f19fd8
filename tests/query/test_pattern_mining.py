import csv
import os
from collections import defaultdict
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.patterns import capture
from tailrace.query import pattern_mining
from tailrace.query.line_patterns import holds
from tailrace.query.pattern_mining import HOLE, VARYING, Mined, grouped, widened

LOGHUB = Path(os.environ.get("TAILRACE_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "loghub"
S = 1_000_000_000


def mined(*lines: str, level: str | None = None) -> pl.DataFrame:
    found = Mined(10 * S)
    found.add(frame(*lines, level=level))
    return found.patterns()


def frame(*lines: str, level: str | None = None) -> pl.DataFrame:
    times = [at * S for at in range(len(lines))]
    schema = {"_time_ns": pl.Int64, "_line": pl.String, "_level": pl.String}
    return pl.DataFrame({"_time_ns": times, "_line": lines, "_level": [level] * len(lines)}, schema=schema)


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("took 15ms", "took <_>"),
        ("port 22.", "port <_>."),
        ("10.0.0.1:80 -> [fe80::1]", "<_> -> [<_>]"),
        ("uid=0 code:500", "uid=<_> code:<_>"),
        ("blk_-1608999 in /var/log/app1.log", "<_> in <_>"),
        ("Jun 14 15:16:01 combo sshd[19939]: x", "<_> combo sshd[<_>]: x"),
        ("[Sun Dec 04 04:47:44 2005] [notice] x", "[<_>] [notice] x"),
        ("2015-10-18 18:01:47,978 INFO", "<_> <_> INFO"),
        ("a <name> b", "a <_> b"),
        ("no values here", "no values here"),
    ],
)
def test_what_varies_by_itself(line: str, masked: str) -> None:
    assert pl.Series([line]).str.replace_all(VARYING, HOLE).item() == masked


def test_counts_by_pattern_level_and_bucket() -> None:
    found = Mined(10 * S)
    found.add(frame(*[f"GET /{at} ok" for at in range(15)], level="info"))
    found.add(frame("GET /77 ok", level="warn"))
    assert found.patterns().rows() == [
        ("GET <_> ok", "info", 0, 10, 16),
        ("GET <_> ok", "info", 10 * S, 5, 16),
        ("GET <_> ok", "warn", 0, 1, 16),
    ]


def test_one_pattern_for_a_thousand_users() -> None:
    names = ["".join(chr(97 + (at // 26**place) % 26) for place in range(4)) for at in range(1_000)]
    assert mined(*[f"user {name} logged in" for name in names])["pattern"].unique().to_list() == ["user <_> logged in"]


def test_loosely_grouped_only_if_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"hello {name} bye" for name in ("ann", "bob", "cid")]
    assert set(grouped(lines)) == set(lines)  # two of three words are not enough
    monkeypatch.setattr(pattern_mining, "PATTERNS", 2)
    assert set(grouped(lines)) == {"hello <_> bye"}


def test_different_lines_stay_apart() -> None:
    assert set(grouped(["disk is full", "user logged in", "disk is empty now"])) == {
        "disk is full",
        "user logged in",
        "disk is empty now",
    }


def test_memory_is_bounded_and_what_is_left_out_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern_mining, "MASKED_LINES", 2)
    found = Mined(S)
    found.add(frame("a", "a", "b", "b", "c"))
    assert found.left_out == 1
    assert found.patterns()["pattern"].unique().sort().to_list() == ["a", "b"]


WORDS = st.sampled_from(["ann", "bob", "GET", "12", "x=3", "x=y", "(7)", "(z)", "/srv/a1", "[warn]", "<id>", ""])
LINES = st.lists(WORDS, min_size=1, max_size=8).map(" ".join)


@given(st.lists(LINES, min_size=1, max_size=12))
def test_a_pattern_matches_its_lines(lines: list[str]) -> None:
    masked = pl.Series(lines).str.replace_all(VARYING, HOLE).str.replace_all(r"(?:<_>){2,}", HOLE).to_list()
    for line, pattern in zip(lines, grouped(masked), strict=True):
        assert holds(pl.Series([line]), capture.parts(pattern)).item(), (line, pattern)


def test_a_value_with_blanks_takes_those_behind_it_too() -> None:
    lines = [f"from {at} () at Sun Jul 24 02:38:{at} 2005 " for at in (11, 22)]
    pattern = mined(*lines)["pattern"].unique().item()
    assert pattern == "from <_> () at <_>"
    assert holds(pl.Series(lines), capture.parts(pattern)).all()


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("user=ann", "user=bob", "user=<_>"),
        ("(ann)", "(bob)", "(<_>)"),
        ("a.b.c", "a.x.c", "a.<_>.c"),
        ("user=<_>", "user=bob", "user=<_>"),
        ("left", "right", "<_>"),
        ("id=", "id=5", "<_>"),  # a hole holds something
        ("x-x", "x", "<_>"),
    ],
)
def test_a_widened_word_matches_both(one: str, other: str, both: str) -> None:
    assert widened(one, other) == both
    assert widened(other, one) == both


@pytest.mark.skipif(not LOGHUB.is_dir(), reason="no sample data: set TAILRACE_SHARED to its folder")
def test_lines_of_eight_systems_are_grouped_as_well_as_drain_does() -> None:
    shares = []
    for system in ("Apache", "HDFS", "Hadoop", "Linux", "Mac", "OpenSSH", "Spark", "Zookeeper"):
        with (LOGHUB / system / f"{system}_2k.log_structured.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        lines = pl.Series([row["Content"] for row in rows]).str.replace_all(VARYING, HOLE)
        lines = lines.str.replace_all(r"(?:<_>){2,}", HOLE)
        distinct = lines.rename("line").value_counts(sort=True)["line"].to_list()
        by_line = dict(zip(distinct, grouped(distinct), strict=True))
        shares.append(agreement([by_line[line] for line in lines], [row["EventId"] for row in rows]))
    assert sum(shares) / len(shares) > 0.89


def agreement(found: list[str], truth: list[str]) -> float:
    """Return the share of lines whose group is just the group of the reference."""
    groups, events = defaultdict(set), defaultdict(set)
    for at, (pattern, event) in enumerate(zip(found, truth, strict=True)):
        groups[pattern].add(at)
        events[event].add(at)
    return sum(len(group) for group in groups.values() if events[truth[min(group)]] == group) / len(truth)
