"""Messages of syslog as rows: header, time, labels, and what fits no format."""

from __future__ import annotations

import datetime as dt

import pytest

from tailrace import limits
from tailrace.intake.syslog.rows import Received, Rows
from tailrace.intake.syslog.settings import SyslogSettings

NOW_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z


def row(message: bytes, now_ns: int = NOW_NS, **settings: object) -> dict[str, object]:
    """Return what a message becomes, without nulls."""
    rows = Rows(SyslogSettings.model_validate({"timezone": "UTC"} | settings))
    found = rows([Received([message], "10.0.0.9", now_ns)]).row(0, named=True)
    return {name: value for name, value in found.items() if value is not None}


def ns(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp()) * 10**9


def test_rfc_5424() -> None:
    found = row(
        b'<165>1 2026-01-01T00:00:00.000003-07:00 web.example.com cart 12 ID47 [ex@1 iut="3" t="a\\"b"] \xef\xbb\xbfno stock'
    )
    assert found == {
        "peer": "10.0.0.9",
        "_observed_ns": NOW_NS,
        "_time_ns": NOW_NS + 7 * 3_600 * 10**9 + 3_000,
        "_line": "no stock",
        "hostname": "web.example.com",
        "app": "cart",
        "procid": "12",
        "msgid": "ID47",
        "sd": '[ex@1 iut="3" t="a\\"b"]',
        "ex_1_iut": "3",
        "ex_1_t": 'a"b',
        "facility": 20,
        "severity": 5,
        "_level": "info",
        "_format": "syslog",
        "_stream": '{host="web.example.com", service_name="cart", source="syslog"}',
    }


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (b"<34>Oct 11 22:14:15 web su[7]: 'su root' failed", "'su root' failed"),
        (b"<34>Oct 11 22:14:15 web su: ", "<34>Oct 11 22:14:15 web su: "),
        (b"<13>1 - - - - - - text", "text"),
        (b"<13>1 - - - - - -", "<13>1 - - - - - -"),
        (b"<13>text: of a kind", "of a kind"),
        (b"<13>ERROR: of a kind", "ERROR: of a kind"),
        (b"<13>ValueError: x", "ValueError: x"),
        (b"<200>text", "<200>text"),
        (b"no syslog", "no syslog"),
        (b"<13>cut\xffbytes", "cut\N{REPLACEMENT CHARACTER}bytes"),
    ],
)
def test_the_line_is_what_stands_behind_the_header(message: bytes, line: str) -> None:
    assert row(message)["_line"] == line
    assert row(message, raw="keep")["_line"] == message.decode("utf-8", "replace")


def test_bytes_that_are_no_text_are_kept() -> None:
    assert row(b"<13>cut\xffbytes")["_raw"] == b"<13>cut\xffbytes"
    assert row(b"<13>cut\xffbytes")["_level"] == "info"
    assert row(b"no syslog \xff")["_error"] == "SyslogParserErr"


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("Dec 31 23:59:59", "2025-12-31T23:59:59+00:00"),
        ("Jan  1 12:00:00", "2026-01-01T12:00:00+00:00"),  # up to a day ahead is this year
        ("Jan  2 00:00:01", "2025-01-02T00:00:01+00:00"),
        ("Feb 29 00:00:00", "2024-02-29T00:00:00+00:00"),  # the last year that had one
    ],
)
def test_years(stamp: str, expected: str) -> None:
    assert row(f"<13>{stamp} web app: x".encode())["_time_ns"] == ns(expected)


def test_zones() -> None:
    message = b"<13>Dec 31 12:00:00 web app: x"
    assert row(message, timezone="Asia/Tokyo")["_time_ns"] == ns("2025-12-31T12:00:00+09:00")
    stamped = b"<13>1 2025-12-31T12:00:00+01:00 web app - - - x"
    assert row(stamped, timezone="Asia/Tokyo")["_time_ns"] == ns("2025-12-31T12:00:00+01:00")


def test_who_says_nothing_is_its_address_and_the_receiver() -> None:
    assert row(b"<13>x", name="edge", labels={"site": "b"})["_stream"] == (
        '{host="10.0.0.9", service_name="edge", site="b", source="edge"}'
    )


def test_hosts_beyond_the_bound_share_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RECEIVER_LABELS", 2)
    rows = Rows(SyslogSettings(timezone="UTC"))
    messages = [f"<13>Oct 11 22:14:15 web-{number % 4} app: x".encode() for number in range(8)]
    messages.append(b"<13>Oct 11 22:14:15 " + b"h" * 300 + b" app: x")
    frame = rows([Received(messages, "10.0.0.9", NOW_NS)])
    other = '{host="__other__", service_name="__other__", source="syslog"}'
    assert (frame["_stream"] == other).sum() == 5
    assert frame["_stream"].n_unique() == 3
    assert frame["hostname"].n_unique() == 5


def test_times_of_arrival_rise_over_turns() -> None:
    rows = Rows(SyslogSettings(timezone="UTC"))
    turn = [Received([b"<13>a", b"<13>b"], "a", NOW_NS), Received([b"<13>c"], "b", NOW_NS - 5)]
    observed = [*rows(turn)["_observed_ns"], *rows(turn)["_observed_ns"]]
    assert observed == [NOW_NS + number for number in range(6)]


def test_a_turn_of_too_many_days_keeps_the_newest() -> None:
    day = dt.date(2020, 1, 1)
    days = [day + dt.timedelta(number) for number in range(limits.PUSH_DAYS + 3)]
    messages = [f"<13>1 {one.isoformat()}T00:00:00Z web app - - - x".encode() for one in days]
    frame = Rows(SyslogSettings(timezone="UTC"))([Received(messages, "a", NOW_NS)])
    assert (frame["_time_ns"] // (86_400 * 10**9)).n_unique() == limits.PUSH_DAYS
    assert frame["_error"].drop_nulls().to_list() == ["TimeFarOff"] * 4
    assert frame["_error"].head(4).null_count() == 0
