import polars as pl
import pytest

from tailrace.batch import Batch, stream_text
from tailrace.web.explorer.search.address import Address
from tailrace.web.explorer.search.context import Context, around
from tailrace.web.explorer.search.pages import ask
from tailrace.web.explorer.search.rows import rows_of
from tailrace.web.explorer.search.stored import kind_of, stored
from web.conftest import NOW_NS, House, S


def address_of(house: House, line: str) -> Address:
    rows = rows_of(ask(house.services, '{service_name=~".+"}', 0, 2**62, 0).frame)
    return next(row.address for row in rows if row.line == line)


def look(house: House, line: str, way: str = "file", before: int = 2, after: int = 2) -> Context:
    address = address_of(house, line)
    held = stored(house.services, address)
    assert held is not None
    return around(house.services, held, way, before, after)


def said(context: Context) -> list[str]:
    return [row.line for row in context.rows]


@pytest.fixture
def filled(house: House) -> House:
    house.store(*[(S * number, f"a{number}") for number in range(10)], host="h", filename="a")
    house.store(*[(S * number + 1, f"b{number}") for number in range(10)], host="h", filename="b")
    house.store(*[(S * number + 2, f"x{number}") for number in range(10)], host="other", filename="a")
    house.store((4 * S + 3, "a stream with one label more"), host="h", filename="a", pod="p")
    return house


def test_lines_of_the_same_file_and_of_no_other(filled: House) -> None:
    context = look(filled, "a4")
    assert said(context) == ["a2", "a3", "a4", "a5", "a6"]
    assert (context.at, context.older, context.newer) == (2, True, True)


def test_lines_of_the_whole_host_by_time(filled: House) -> None:
    assert said(look(filled, "a4", "host")) == ["a3", "b3", "a4", "b4", "a stream with one label more"]


def test_the_ends_are_said(filled: House) -> None:
    context = look(filled, "a1", before=5, after=8)
    assert said(context) == [f"a{number}" for number in range(10)]
    assert (context.at, context.older, context.newer) == (1, False, False)


def test_a_file_stands_in_the_order_of_its_lines_and_not_of_their_times(house: House) -> None:
    house.store((3 * S, "first"), (1 * S, "second"), (2 * S, "third"), (1 * S, "fourth"), host="h")
    context = look(house, "third")
    assert said(context) == ["first", "second", "third", "fourth"]


def test_amid_many_lines_of_one_time(house: House) -> None:
    house.store(*[(S, f"l{number}") for number in range(50)], host="h")
    assert said(look(house, "l20")) == ["l18", "l19", "l20", "l21", "l22"]


def test_a_pushed_line_has_surroundings_too(house: House) -> None:
    push(house, (1, "one"), (2, "two"), (3, "three"))
    assert said(look(house, "two", before=1, after=1)) == ["one", "two", "three"]


def test_what_is_stored_of_a_line(house: House) -> None:
    frame = pl.DataFrame(
        {
            "_time_ns": [NOW_NS],
            "_observed_ns": [NOW_NS + 5],
            "_stream": [stream_text({"service_name": "app"})],
            "_line": ["bad \ufffd"],
            "_offset": [40],
            "_raw": [b"bad \xff"],
            "_format": ["plain"],
            "_part": pl.Series([2], dtype=pl.Int32),
        }
    )
    house.table.commit([Batch(frame, "test", 1, 1)])
    address = address_of(house, "bad \ufffd")
    held = stored(house.services, address)
    assert held is not None
    assert (held.content, held.observed_ns, held.offset, held.part) == (b"bad \xff", NOW_NS + 5, 40, 2)
    assert held.selector(house.services) == '{service_name="app"}'
    house.store((0, "of a stream like it"), host="h")
    assert held.selector(house.services) == '{service_name="app", host=""}'
    assert stored(house.services, Address(address.time_ns + 1, address.key)) is None
    assert stored(house.services, Address(address.time_ns, address.key[:-1])) is None


def test_the_type_of_a_field_is_that_of_its_column_or_what_its_text_spells(house: House) -> None:
    house.store((0, "x"), fields={"status": 500, "ratio": 0.5, "ok": True, "took": "15ms", "id": "17", "name": "x"})
    kinds = {"status": "500", "ratio": "0.5", "ok": "true", "took": "15ms", "id": "17", "name": "x", "none": "1KB"}
    assert [kind_of(house.services, name, value) for name, value in kinds.items()] == [
        *("int", "float", "bool", "duration", "int", "string", "bytes")
    ]


def push(house: House, *rows: tuple[int, str]) -> None:
    frame = pl.DataFrame(
        {
            "_time_ns": [NOW_NS + at * S for at, _ in rows],
            "_observed_ns": NOW_NS,
            "_stream": stream_text({"service_name": "pushed"}),
            "_line": [line for _, line in rows],
        }
    )
    house.table.commit([Batch(frame, "push", frame.height, 1)])
