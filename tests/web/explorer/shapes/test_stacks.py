import polars as pl

from tailrace.query.result import Series, Stats
from tailrace.web.explorer.shapes.stacks import OTHER, SERIES_MOST, Piece, stacks


def series(*points: tuple[int, int, float], labels: tuple[dict[str, str], ...]) -> Series:
    schema = {"series": pl.UInt32, "_time_ns": pl.Int64, "value": pl.Float64}
    return Series("matrix", labels, pl.DataFrame(list(points), schema=schema, orient="row"), Stats())


def test_the_worst_level_stands_on_the_ground_line() -> None:
    levels = ({"detected_level": "info"}, {"detected_level": "error"})
    found = stacks(series((0, 10, 6.0), (1, 10, 2.0), (0, 20, 4.0), labels=levels), 0, 20, 10)
    assert (found.names, found.classes, found.most) == (["error", "info"], ["lv-error", "lv-info"], 8.0)
    first, second = found.bars
    assert (first.start_ns, first.end_ns, first.values, first.total) == (0, 10, [2.0, 6.0], 8.0)
    assert first.pieces == [Piece(0, 1, 75.0, 25.0), Piece(1, 1, 0.0, 75.0)]
    assert second.pieces == [Piece(1, 11, 50.0, 50.0)]
    assert found.sums == [2.0, 10.0]


def test_the_largest_series_come_first_and_the_rest_is_one_piece() -> None:
    count = SERIES_MOST + 2
    labels = tuple({"host": str(number)} for number in range(count))
    found = stacks(series(*[(n, 10, n + 1.0) for n in range(count)], labels=labels), 0, 10, 10)
    assert found.names == ["9", "8", "7", "6", "5", "4", "3", "2", OTHER]
    assert found.bars[0].values[-1] == 1.0 + 2.0
    assert found.classes[:2] == ["c0", "c1"]


def test_one_series_more_than_fits_is_no_other() -> None:
    labels = tuple({"host": str(number)} for number in range(SERIES_MOST + 1))
    found = stacks(series(*[(n, 10, 1.0) for n in range(SERIES_MOST + 1)], labels=labels), 0, 10, 10)
    assert OTHER not in found.names


def test_what_is_no_height_is_not_drawn() -> None:
    found = stacks(series((0, 10, -3.0), (0, 20, float("inf")), (0, 90, 5.0), labels=({},)), 0, 20, 10)
    assert [bar.values for bar in found.bars] == [[0.0], [0.0]]
    assert (found.names, found.most, found.bars[0].pieces) == (["all"], 0.0, [])


def test_one_line_is_visible_beside_many() -> None:
    found = stacks(series((0, 10, 10_000.0), (0, 20, 1.0), labels=({},)), 0, 20, 10)
    assert found.bars[1].pieces[0].height == 1.5
