"""The status as a page; that programs get JSON is in `test_status`."""

from __future__ import annotations

from dataclasses import replace

import httpx

from tailrace.control.lease import Held
from tailrace.errors import TransientError
from tailrace.web.app import create_app
from tailrace.web.explorer.status.figures import figures, machine
from web.conftest import NOW_NS, House, S, _served

HTML = {"Accept": "text/html,application/xhtml+xml"}
DAY = 86_400 * S


def page(house: House, **changes: object) -> str:
    with (
        _served(create_app(replace(house.services, **changes))) as address,  # type: ignore[arg-type]
        httpx.Client(base_url=address, trust_env=False) as client,
    ):
        return client.get("/status", headers=HTML).text


def test_browsers_get_a_page_and_programs_json(house: House) -> None:
    assert house.client.get("/status", headers=HTML).text.startswith("<!doctype html>")
    assert house.client.get("/status").json()["host"] == "box"
    assert house.client.get("/status", headers={"Accept": "*/*"}).json()["ready"] is True


def test_the_table_is_told_in_numbers(house: House) -> None:
    house.store((-2 * S, "one"), (-S, "two"))
    house.store((0, "three"))
    found = figures(house.services)
    assert found.table is not None
    assert (found.table.rows, found.table.segments, found.table.small) == (3, 2, 2)
    assert (found.table.first_ns, found.table.last_ns) == (NOW_NS - 2 * S, NOW_NS)
    assert found.warnings == []
    assert "Lines from 2025-12-31 23:59:58 to 2026-01-01 00:00:00 UTC." in page(house)


def test_an_empty_table_is_none_and_nothing_leaves(house: House) -> None:
    found = figures(house.services)
    assert found.table is not None
    assert (found.table.rows, found.table.first_ns, found.leaves_ns) == (0, None, None)
    assert "No lines are stored yet." in page(house)


def test_the_oldest_lines_leave_when_retention_says(house: House) -> None:
    house.store((0, "one"))
    config = {"store": {"retention": {"days": 3.0, "bytes": None, "disk_share": 0.8}, "compaction": False}}
    found = figures(replace(house.services, config=lambda: config))
    assert found.leaves_ns == NOW_NS + 3 * DAY
    shown = page(house, config=lambda: config)
    assert "3 days, at most 80 % of the disk; the oldest lines leave after 2026-01-04" in shown


def test_what_somebody_should_look_at_stands_on_top(house: House) -> None:
    house.is_ready[0] = False
    house.accounts.read("files", 5, 5)
    house.accounts._accounts["files"].lines["pending"] = 3
    house.accounts.gauge("tailrace_lag_seconds", "", lambda: [({"source": "files"}, 61.0)])
    house.accounts.gauge("tailrace_possibly_lost_bytes", "", lambda: [({"source": "files"}, 7)])
    house.accounts.gauge("tailrace_store_torn_commits", "", lambda: [({}, 1)])
    house.accounts.count("tailrace_store_failures_total", "", 2, part="compact")
    house.accounts.count("tailrace_rule_failures_total", "", 3)
    shown = page(house)
    assert 'files is 61 s behind.</bdi> <a href="/pipeline">' in shown
    assert 'says why.</bdi> <a href="/alerts/rules?health=error">' in shown
    for text in (
        "requests are not welcome yet",
        "The account of files does not add up: 2 lines have no outcome.",
        "files is 61 s behind.",
        "files: 7 bytes possibly lost: cut off or deleted before they could be read.",
        "Torn commits were set aside since the start: 1.",
        "Failures since the start: 2 of store_failures_total.",
    ):
        assert text in shown
    house.is_ready[0] = True


def test_leases_say_which_server_does_what(house: House) -> None:
    held = [Held("rollups", "https://one:9114/", NOW_NS, over=False), Held("alerts", "two", NOW_NS, over=True)]
    house.accounts.gauge("tailrace_duty", "", lambda: [({"job": "rollups"}, 1.0), ({"job": "files"}, 0.0)])
    shown = page(house, leases=lambda: held)
    assert "keep the numbers of metrics" in shown
    assert shown.count("this one") == 1
    assert "Nobody does the job alerts: the lease of two ran out." in shown

    def away() -> list[Held]:
        raise TransientError("the control database: gone")

    assert "Which server does what is not known: the control database: gone" in page(house, leases=away)


def test_the_machine_says_what_it_knows(house: House) -> None:
    found = machine(house.table.root)
    assert found.memory is None or found.memory > 10_000_000
    assert found.disk is not None
    assert found.disk_free is not None
    assert 0 < found.disk_free <= found.disk
    assert machine(house.table.root / "nowhere").disk is None
