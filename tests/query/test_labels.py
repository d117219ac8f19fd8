import pytest

from query.reference_table import ReferenceTable
from query.test_cases import S, frame
from tailrace.query.labels import label_names, label_values, series


@pytest.fixture
def table(tmp_path):
    table = ReferenceTable(tmp_path)
    table.add(frame([{"t": 1, "stream": '{app="web", host="a"}'}, {"t": 2, "stream": '{app="web", host="b"}'}]))
    table.add(frame([{"t": 50, "stream": '{app="db", zone="z\\"1"}', "status": 1}]))
    return table


def test_names_are_those_of_streams_not_of_fields(table):
    assert label_names(table, 0, 100 * S) == ["app", "host", "zone"]


def test_names_of_a_range_of_time(table):
    assert label_names(table, 0, 10 * S) == ["app", "host"]


def test_names_of_a_selector(table):
    assert label_names(table, 0, 100 * S, '{app="db"}') == ["app", "zone"]


def test_a_range_takes_its_start_and_leaves_its_end(table):
    assert label_values(table, "host", 2 * S, 50 * S) == ["b"]


def test_values(table):
    assert label_values(table, "app", 0, 100 * S) == ["db", "web"]
    assert label_values(table, "zone", 0, 100 * S) == ['z"1']
    assert label_values(table, "none", 0, 100 * S) == []


def test_values_of_a_selector(table):
    assert label_values(table, "host", 0, 100 * S, '{host!="a"}') == ["b"]


def test_the_empty_selector_is_every_stream(table):
    assert len(series(table, 0, 100 * S, ["{}"])) == 3


def test_series_of_any_of_several_selectors_each_once(table):
    found = series(table, 0, 100 * S, ['{host="a"}', '{app="web"}'])
    assert found == [{"app": "web", "host": "a"}, {"app": "web", "host": "b"}]


def test_series_of_all(table):
    assert series(table, 0, 100 * S)[0] == {"app": "db", "zone": 'z"1'}
