from tailrace.web.explorer.shapes.spark import Spark, spark


def test_a_line_stands_on_zero_and_reaches_the_top() -> None:
    assert spark([(0, 1.0), (5, 4.0), (10, 2.0)], 0, 10) == Spark("M0,18h0L50,0L100,12", 2.0, 1.0, 4.0)


def test_it_stands_on_the_least_value_below_zero() -> None:
    assert spark([(0, -1.0), (10, 1.0)], 0, 10).path == "M0,24h0L100,0"


def test_a_line_breaks_where_a_step_has_no_value() -> None:
    assert spark([(0, 1.0), (1, 1.0), (4, 1.0)], 0, 10, step_ns=1).path == "M0,0h0L10,0M40,0h0"


def test_what_is_outside_or_no_number_is_left_out() -> None:
    assert spark([(-1, 9.0), (5, 3.0), (6, float("nan")), (11, 9.0)], 0, 10) == Spark("M50,0h0", 3.0, 3.0, 3.0)


def test_nothing_has_no_drawing_and_no_numbers() -> None:
    assert spark([], 0, 10) == Spark("", None, None, None)


def test_zeroes_lie_on_the_ground() -> None:
    assert spark([(0, 0.0), (10, 0.0)], 0, 10).path == "M0,24h0L100,24"
