"""The closed account, and what a scraper reads of it."""

from __future__ import annotations

import re
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as prometheus_text

from tailrace.exposition import Family, Point
from tailrace.telemetry import OUTCOMES, Accounts


def samples(accounts: Accounts) -> dict[tuple[str, str], float]:
    body, _ = accounts.render()
    return {
        (sample.name, sample.labels.get("source", "")): sample.value
        for family in prometheus_text(body.decode())
        for sample in family.samples
    }


def test_what_is_read_is_pending_until_it_is_settled() -> None:
    accounts = Accounts()
    accounts.read("files", 10, 1_000)
    account = accounts.of("files")
    assert account.lines == {"read": 10, "stored": 0, "reduced": 0, "rejected": 0, "pending": 10}
    accounts.settle("files", "stored", 7, 700)
    accounts.settle("files", "rejected", 1, 100)
    account = accounts.of("files")
    assert account.lines == {"read": 10, "stored": 7, "reduced": 0, "rejected": 1, "pending": 2}
    assert account.bytes == {"read": 1_000, "stored": 700, "reduced": 0, "rejected": 100, "pending": 200}
    assert account.closed()


def test_settling_what_was_never_read_shows_as_less_than_nothing_pending() -> None:
    accounts = Accounts()
    accounts.settle("files", "stored", 1, 10)
    assert accounts.of("files").lines["pending"] == -1


def test_an_account_that_does_not_close_is_seen() -> None:
    account = Accounts().of("none")
    assert account.closed()
    account.lines["read"] = 1
    assert not account.closed()
    account.lines["pending"] = 1
    account.bytes["stored"] = 1
    assert not account.closed()


def test_a_copy_does_not_change_the_account() -> None:
    accounts = Accounts()
    accounts.read("files", 1, 1)
    accounts.of("files").lines["read"] = 99
    assert accounts.of("files").lines["read"] == 1
    assert accounts.sources() == ["files"]
    assert accounts.of("unknown").lines["read"] == 0
    assert accounts.sources() == ["files"]


STEPS = st.lists(st.tuples(st.sampled_from(("read", *OUTCOMES)), st.sampled_from("ab"), st.integers(0, 9)), max_size=20)


@settings(deadline=None)  # a busy machine is no bug
@given(STEPS)
def test_every_account_is_closed_at_all_times(steps: list[tuple[str, str, int]]) -> None:
    accounts = Accounts()
    for what, source, amount in steps:
        if what == "read":
            accounts.read(source, amount, amount * 10)
        else:
            accounts.settle(source, what, amount, amount * 10)  # type: ignore[arg-type]
        assert all(accounts.of(name).closed() for name in accounts.sources())


def test_threads_lose_nothing() -> None:
    accounts = Accounts()

    def work() -> None:
        for _ in range(2_000):
            accounts.read("files", 1, 2)
            accounts.settle("files", "stored", 1, 2)
            accounts.count("tailrace_turns_total", "Turns.", source="files")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert accounts.of("files").lines["stored"] == 8_000
    assert accounts.of("files").lines["pending"] == 0
    assert samples(accounts)["tailrace_turns_total", "files"] == 8_000


def test_a_scraper_reads_the_account() -> None:
    accounts = Accounts()
    accounts.read('we"b\n', 3, 30)
    accounts.settle('we"b\n', "stored", 2, 20)
    found = samples(accounts)
    assert found["tailrace_read_lines_total", 'we"b\n'] == 3
    assert found["tailrace_stored_bytes_total", 'we"b\n'] == 20
    assert found["tailrace_rejected_lines_total", 'we"b\n'] == 0
    assert found["tailrace_pending_lines", 'we"b\n'] == 1


def test_gauges_are_asked_at_each_scrape() -> None:
    accounts, values = Accounts(), iter((1.0, 2.0))
    accounts.gauge("tailrace_backlog_bytes", "Waiting.", lambda: [({"source": "a"}, next(values))])
    assert samples(accounts)["tailrace_backlog_bytes", "a"] == 1.0
    assert samples(accounts)["tailrace_backlog_bytes", "a"] == 2.0


def test_samples_of_a_gauge_and_of_a_counter_are_those_of_now() -> None:
    accounts, value = Accounts(), [1.0]
    accounts.gauge("queue", "", lambda: [({"source": "a"}, value[0])])
    accounts.count("seen_total", "", 2, why="x")
    accounts.count("seen_total", "", 3, why="x")
    assert accounts.samples("queue") == [({"source": "a"}, 1.0)]
    value[0] = 7
    assert accounts.samples("queue") == [({"source": "a"}, 7.0)]
    assert accounts.samples("seen_total") == [({"why": "x"}, 5.0)]
    assert accounts.samples("nothing") == []


def test_a_counter_has_one_series_per_label_set() -> None:
    accounts = Accounts()
    accounts.count("tailrace_errors_total", "Errors.", source="a", kind="x")
    accounts.count("tailrace_errors_total", "Errors.", 2, kind="x", source="a")
    accounts.count("tailrace_errors_total", "Errors.", kind="y", source="b")
    found = samples(accounts)
    assert found["tailrace_errors_total", "a"] == 3
    assert found["tailrace_errors_total", "b"] == 1


@pytest.mark.parametrize("accept", ["", "text/plain", "application/openmetrics-text; version=1.0.0"])
def test_the_format_is_the_one_that_is_asked_for(accept: str) -> None:
    accounts = Accounts()
    accounts.read("files", 1, 10)
    accounts.count("tailrace_errors_total", "Errors.", source="a")
    body, content_type = accounts.render(accept)
    wants_open = accept.startswith("application/openmetrics-text")
    assert content_type.startswith("application/openmetrics-text" if wants_open else "text/plain")
    families = list((open_metrics if wants_open else prometheus_text)(body.decode()))
    assert {"tailrace_pending_lines"} <= {family.name for family in families}
    assert body.decode().rstrip().endswith("# EOF") is wants_open


def test_every_metric_is_named_with_its_unit() -> None:
    accounts = Accounts()
    accounts.read("files", 1, 10)
    for name, _ in samples(accounts):
        assert re.fullmatch(
            r"tailrace_(read|stored|reduced|rejected)_(lines|bytes)_total|tailrace_pending_(lines|bytes)", name
        )


def test_what_is_included_is_shown_until_it_is_replaced() -> None:
    accounts = Accounts()
    accounts.include("logs", lambda: [Family("old_total", "counter", "Old.", [Point({}, 1)])])
    accounts.include("logs", lambda: [Family("new_total", "counter", "New.", [Point({"a": "b"}, 2)])])
    body = accounts.render()[0].decode()
    assert 'new_total{a="b"} 2\n' in body
    assert "old_total" not in body
