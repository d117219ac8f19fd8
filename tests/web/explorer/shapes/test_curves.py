import polars as pl

from tailrace.query.result import Series, Stats
from tailrace.web.explorer.shapes.curves import ROWS_MOST, SERIES_MOST, chart, number_text


def series(*points: tuple[int, int, float], labels: tuple[dict[str, str], ...]) -> Series:
    schema = {"series": pl.UInt32, "_time_ns": pl.Int64, "value": pl.Float64}
    return Series("matrix", labels, pl.DataFrame(list(points), schema=schema, orient="row"), Stats())


def test_a_curve_breaks_where_nothing_was_measured() -> None:
    answer = series((0, 0, 1.0), (0, 10, 2.0), (0, 40, 4.0), labels=({"a": "b", "c": "d"},))
    [curve] = chart(answer, 0, 100, 10).curves
    assert curve.path == "M0,150h0L100,100M400,0h0"
    assert (curve.name, curve.last, curve.least, curve.most) == ("a=b, c=d", 4.0, 1.0, 4.0)


def test_negative_values_and_infinities_have_their_place() -> None:
    answer = series((0, 0, -5.0), (0, 10, 5.0), (0, 20, float("inf")), labels=({},))
    found = chart(answer, 0, 100, 10)
    assert found.curves[0].path == "M0,200h0L100,0"
    assert (found.most, found.curves[0].name) == (5.0, "{}")


def test_series_beyond_the_drawing_are_listed_and_beyond_the_list_counted() -> None:
    count = ROWS_MOST + 3
    answer = series(*[(number, 0, 1.0) for number in range(count)], labels=tuple({"n": str(n)} for n in range(count)))
    found = chart(answer, 0, 100, 10)
    assert sum(bool(curve.path) for curve in found.curves) == SERIES_MOST
    assert (len(found.curves), found.left_out) == (ROWS_MOST, 3)


def test_numbers_are_written_for_people() -> None:
    assert [number_text(value) for value in (3.0, -1234567.0, 0.5, float("-inf"))] == ["3", "-1,234,567", "0.5", "-Inf"]


def test_a_threshold_is_inside_of_the_drawing_and_the_table_has_a_row_for_each_time() -> None:
    answer = series((0, 0, 1.0), (0, 10, 2.0), (1, 10, 3.0), labels=({"n": "0"}, {"n": "1"}))
    found = chart(answer, 0, 100, 10, threshold=4.0)
    assert (found.most, found.least, found.threshold, found.marked) == (4.0, 0.0, 4.0, 0.0)
    assert chart(answer, 0, 100, 10, threshold=-1.0).marked == 200.0
    assert found.rows() == [(0, [1.0, None]), (10, [2.0, 3.0])]
