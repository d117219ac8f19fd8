"""Whatever is asked of the table, it is asked again when a segment vanished under it, or a cluster went away."""

from __future__ import annotations

import pytest

from query.reference_table import ReferenceTable
from query.test_cases import S, frame
from tailrace.contracts import Choice
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import EngineAwayError, TransientError
from tailrace.query.afresh import afresh
from tailrace.query.explain import explain
from tailrace.query.follow import Follower
from tailrace.query.labels import label_names
from tailrace.query.lines import Window
from tailrace.query.parser import parse
from tailrace.query.pattern_mining import mined
from tailrace.query.run import Request, pages, run
from tailrace.query.syntax import Matcher, Selector
from tailrace.query.volume import Volume, volume

LOG = '{app="a"} |= "line"'
WINDOW = Window(0, 100 * S, 100, "backward")
ANY = Volume(Selector((Matcher("app", "=~", ".+"),)), 0, 100 * S)

QUESTIONS = {
    "lines": lambda table, engine: run(Request(LOG, 0, 100 * S), table, engine).frame.height,
    "numbers": lambda table, engine: sum(
        run(Request(f"count_over_time({LOG}[100s])", 0, 100 * S), table, engine).frame["value"]
    ),
    "pages": lambda table, engine: sum(page.frame.height for page in pages(Request(LOG, 0, 100 * S), table, engine)),
    "volume": lambda table, engine: sum(volume(ANY, table, engine).frame["value"]) // len("line"),
    "patterns": lambda table, engine: sum(mined(parse(LOG), WINDOW, S, table, engine)[0]["lines"]),
    "plan": lambda table, engine: int("10 rows" in explain(Request(f"{LOG} | json", 0, 100 * S), table, engine)) * 10,
    "history": lambda table, engine: Follower(LOG, table, engine, history=10).poll().frame.height,
}


@pytest.fixture
def table(tmp_path):
    table = ReferenceTable(tmp_path)
    table.add(frame([{"t": t, "line": "line"} for t in range(1, 11)]))
    return table


class Compacted:
    """A table whose first snapshots name files that are gone."""

    def __init__(self, stale, table, times):
        self.stale, self.table, self.times = stale, table, times

    def snapshot(self):
        self.times -= 1
        return self.stale if self.times >= 0 else self.table.snapshot()


class Dying(PolarsEngine):
    """An engine that goes away the first time that it is to run something; somebody else does it then."""

    def __init__(self):
        self.scans = 0

    def within(self, check):
        return self

    def suited(self, work):
        return Choice(self)

    def scan(self, segments, columns):
        self.scans += 1
        if self.scans == 1:
            raise EngineAwayError("gone", another=True)
        return super().scan(segments, columns)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_segment_that_vanished(question, table, tmp_path):
    (tmp_path / "stale").mkdir()
    old = ReferenceTable(tmp_path / "stale")
    old.add(frame([{"t": t, "line": "line"} for t in range(1, 11)]))
    (path,) = (tmp_path / "stale").glob("*.parquet")
    stale = old.snapshot()
    path.unlink()
    times = 2 if question == "history" else 1  # a follower takes a snapshot when it begins
    assert QUESTIONS[question](Compacted(stale, table, times), PolarsEngine()) == 10


@pytest.mark.parametrize("question", [name for name in QUESTIONS if name != "volume"])
def test_an_engine_that_went_away(question, table):
    engine = Dying()
    assert QUESTIONS[question](table, engine) == 10
    assert engine.scans > 1


def test_volumes_of_an_engine_that_went_away(table):
    """They take a scan where a part of a segment is asked for only."""
    half = Volume(ANY.selector, 0, 5 * S + S // 2)
    assert sum(volume(half, table, Dying()).frame["value"]) == 5 * len("line")


def test_lines_that_arrived_while_an_engine_went_away(table):
    engine = Dying()
    one = Follower(LOG, table, engine)
    table.add(frame([{"t": 20, "line": "a line more"}]))
    assert one.poll().frame["_line"].to_list() == ["a line more"]
    assert one.poll().frame.is_empty()


def test_labels_of_segments_that_vanished(table):
    class Vanishing:
        def __init__(self):
            self.asked = 0

        def snapshot(self):
            self.asked += 1
            if self.asked == 1:
                raise FileNotFoundError("a footer")
            return table.snapshot()

    assert label_names(Vanishing(), 0, 100 * S) == ["app"]


def test_what_cannot_help_is_raised():
    def away():
        raise EngineAwayError("gone", another=False)

    def vanishing():
        asked.append(1)
        raise FileNotFoundError("x.parquet")

    asked = []
    with pytest.raises(EngineAwayError):
        afresh(away)
    with pytest.raises(TransientError, match=r"vanish faster than they can be read; try again \(x.parquet\)"):
        afresh(vanishing)
    assert len(asked) == 3
