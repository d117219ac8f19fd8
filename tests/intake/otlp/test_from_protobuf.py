import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.otlp.messages import T, record, request
from tailrace import limits
from tailrace.errors import DataError
from tailrace.intake.otlp.from_protobuf import decode
from tailrace.intake.otlp.rows import rows

BODY = request(
    record("a", attributes={"x": 1, "y": "z"}, severity_number=9, trace_id=b"\x01" * 16), record("b"), name="app"
).SerializeToString()


def sized(number: int, data: bytes) -> bytes:
    size, out = len(data), bytearray()
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *out, size]) + data


def test_groups_share_what_is_equal() -> None:
    message = request(record("a"))
    message.resource_logs.append(message.resource_logs[0])
    message.resource_logs[1].scope_logs.append(message.resource_logs[1].scope_logs[0])
    found = decode(message.SerializeToString())
    assert found.counts == [1, 1, 1]
    assert len({id(group.resource) for group in found.groups}) == 1
    assert found.groups[0].resource == (("service.name", "cart"),)


def test_unknown_fields_and_other_orders_are_passed_over() -> None:
    one = sized(5, sized(1, b"line")) + b"\x09" + T.to_bytes(8, "little")  # the body first, then the time
    new = sized(15, b"new") + b"\xc8\x01\x01"  # fields 15 and 25
    body = sized(1, new + sized(2, new + sized(2, one + new)))
    found = decode(body).frame.row(0, named=True)
    assert (found["line"], found["time"]) == ("line", T)


@pytest.mark.parametrize("end", range(1, len(BODY)))
def test_what_was_cut_off_is_refused(end) -> None:
    with pytest.raises(DataError, match="malformed protobuf"):
        rows(decode(BODY[:end]), T, {})


@given(st.integers(0, len(BODY) - 1), st.integers(0, 255))
def test_one_wrong_byte_is_refused_or_gives_rows(at, byte) -> None:
    try:
        frame = rows(decode(BODY[:at] + bytes([byte]) + BODY[at + 1 :]), T, {})
    except DataError:
        return
    assert frame.height <= 3


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_give_rows(body) -> None:
    try:
        rows(decode(body), T, {})
    except DataError as error:
        assert "malformed" in str(error)  # noqa: PT017  that it is raised is not certain


@pytest.mark.parametrize(
    "body",
    [
        sized(1, sized(2, b"\x12\x00" * (limits.OTLP_RECORDS + 1))),
        sized(1, b"\x12\x00" * (limits.OTLP_RECORDS + 1)),
        b"\x0a\x00" * (limits.OTLP_RECORDS + 1),
        sized(1, sized(2, sized(2, b"\x32\x00" * (limits.OTLP_ATTRIBUTES + 1)))),
    ],
)
def test_more_than_a_request_may_have_is_refused_before_it_takes_memory(body) -> None:
    with pytest.raises(DataError, match="more than"):
        decode(body)


def test_a_day_too_many_is_refused() -> None:
    day = 86_400_000_000_000
    sent = request(*(record(time_ns=1 + number * day) for number in range(limits.PUSH_DAYS + 1)))
    with pytest.raises(DataError, match="days"):
        rows(decode(sent.SerializeToString()), T, {})
