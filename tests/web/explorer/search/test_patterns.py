from collections.abc import Sequence

import pytest

from tailrace.query import parser
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.search import patterns
from tailrace.web.explorer.search.histogram import grid
from tailrace.web.explorer.search.patterns import Pattern, Patterns, Range, filtered, stored_ns
from tailrace.web.explorer.search.sample import Part
from web.conftest import NOW_NS, House, S

HOUR = 3_600 * S
START, BEFORE = NOW_NS - HOUR, NOW_NS - 2 * HOUR


def log(text: str = '{service_name=~".+"}') -> LogQuery:
    query = parser.parse(text)
    assert isinstance(query, LogQuery)
    return query


def mined(house: House, lines: int, before: int | None = None) -> Patterns:
    now = Range([Part(START, NOW_NS, lines)], HOUR)
    earlier = None if before is None else Range([Part(BEFORE, START, before)], HOUR)
    return patterns.patterns(house.services, log(), grid(START, NOW_NS), now, earlier)


def by_text(found: Patterns) -> dict[str, Pattern]:
    return {one.text: one for one in found.patterns}


def store(house: House, count: int, line: str, *, hours: int = 0, level: str | None = None) -> None:
    house.store(*[(-hours * HOUR - (1 + n) * S, line.format(n)) for n in range(count)], level=level, kind=line[:3])


def test_lines_have_patterns_with_counts_shares_levels_and_examples(house: House) -> None:
    store(house, 30, "user {} logged in", level="info")
    store(house, 10, "disk {} is full", level="error")
    found = mined(house, 40)
    assert [(one.text, one.lines, one.share, one.level, one.change) for one in found.patterns] == [
        ("user <_> logged in", 30, 0.75, "info", ""),
        ("disk <_> is full", 10, 0.25, "error", ""),
    ]
    assert found.patterns[0].example in {f"user {n} logged in" for n in range(30)}
    assert (found.looked, found.total, found.whole, found.compared) == (40, 40, True, False)
    assert found.patterns[0].drawing.most == 30.0  # all in the last minute


def test_what_is_new_gone_or_of_another_rate_is_told(house: House) -> None:
    for line, now, before in (("same {}", 20, 21), ("risen {}", 60, 20), ("fallen {}", 10, 40), ("fresh {}", 12, 0)):
        store(house, now, "a " + line)
        store(house, before, "a " + line, hours=1)
    store(house, 15, "lost {} for good", hours=1)
    store(house, 3, "seldom {} seen here")
    store(house, 1, "only {} but bad", level="error")
    total, earlier = 20 + 60 + 10 + 12 + 3 + 1, 21 + 20 + 40 + 15
    found = by_text(mined(house, total, earlier))
    changes = {text: (one.change, one.lines, one.before) for text, one in found.items()}
    assert changes == {
        "a same <_>": ("", 20, 21),
        "a risen <_>": ("more", 60, 20),
        "a fallen <_>": ("less", 10, 40),
        "a fresh <_>": ("new", 12, 0),
        "lost <_> for good": ("gone", 0, 15),
        "seldom <_> seen here": ("", 3, 0),  # too few to tell
        "only <_> but bad": ("new", 1, 0),  # but of an error one is enough
    }
    assert found["a risen <_>"].factor == pytest.approx(3.0)


def test_rates_are_compared_not_counts(house: House) -> None:
    store(house, 30, "tick {}")
    store(house, 15, "tick {}", hours=1)
    now, half = Range([Part(START, NOW_NS, 30)], HOUR), Range([Part(BEFORE, START, 15)], HOUR // 2)
    (one,) = patterns.patterns(house.services, log(), grid(START, NOW_NS), now, half).patterns
    assert (one.change, one.before) == ("", 15)  # of the earlier hour only half is stored


def test_where_nothing_was_stored_nothing_is_new(house: House) -> None:
    store(house, 30, "tick {}")
    nothing = Range([], 0)
    found = patterns.patterns(
        house.services, log(), grid(START, NOW_NS), Range([Part(START, NOW_NS, 30)], HOUR), nothing
    )
    assert found.unstored
    assert [one.change for one in found.patterns] == [""]


def test_of_many_lines_a_part_from_everywhere_stands_for_all(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "LINES_MOST", 40)
    monkeypatch.setattr(patterns, "PARTS", 4)
    half = HOUR // 2
    house.store(*[(-half - (1 + n) * S, f"early {n}") for n in range(200)], kind="early")
    house.store(*[(-(1 + n) * S, f"late {n}") for n in range(200)], kind="late")
    parts: Sequence[Part] = [Part(START, START + half, 200), Part(START + half, NOW_NS, 200)]
    found = patterns.patterns(house.services, log(), grid(START, NOW_NS), Range(parts, HOUR))
    assert {one.text: one.lines for one in found.patterns} == {"early <_>": 200, "late <_>": 200}
    assert (found.looked, found.total, found.whole) == (40, 400, False)


def test_a_pattern_becomes_a_filter_that_finds_its_lines() -> None:
    text = 'say "<_>" to `<_>`'
    kept = filtered(log('{a="b"} | json'), text, "|>")
    assert parser.parse(kept)
    assert kept == '{a="b"} | json |> "say \\"<_>\\" to `<_>`"'
    assert filtered(log('{a="b"}'), "<_><_>", "!>") == ""


def test_how_much_of_a_range_was_stored() -> None:
    assert stored_ns(10, 20, 5, 30) == 10
    assert stored_ns(10, 20, 15, 18) == 3
    assert stored_ns(10, 20, 25, 30) == stored_ns(10, 20, None, 30) == 0
