"""The sums of the pipeline, worked out by hand."""

from __future__ import annotations

from tailrace.contracts import Followed
from tailrace.telemetry import Accounts
from tailrace.web.explorer.pipeline.flow import Unit, files, flows, lines_of, total


def counted() -> Accounts:
    accounts = Accounts()
    accounts.read("files", 10, 1_000)
    accounts.settle("files", "stored", 5, 500)
    accounts.settle("files", "reduced", 3, 300)
    accounts.settle("files", "rejected", 1, 100)
    accounts.read("push", 2, 20)
    accounts.count("tailrace_reduced_lines_total", "", 1, source="files", rule="health")
    accounts.count("tailrace_reduced_lines_total", "", 2, source="files", rule="debug")
    accounts.count("tailrace_parse_errors_total", "", 4, source="files", error="JSONParserErr")
    accounts.gauge("tailrace_lag_bytes", "", lambda: [({"source": "files"}, 70)])
    accounts.gauge("tailrace_lag_seconds", "", lambda: [({"source": "files"}, 1.5)])
    accounts.gauge("tailrace_rotations", "", lambda: [({"source": "files"}, 2)])
    accounts.gauge("tailrace_possibly_lost_bytes", "", lambda: [({"source": "files"}, 9), ({"source": "idle"}, 0)])
    return accounts


def test_each_source_has_what_became_of_its_lines() -> None:
    first, idle, push = flows(counted())
    assert (first.source, first.lines, first.bytes) == ("files", Unit(10, 5, 3, 1, 1), Unit(1_000, 500, 300, 100, 100))
    assert (first.closed, first.parsed) == (True, 6)
    assert first.rules == [("debug", 2), ("health", 1)]
    assert first.errors == [("JSONParserErr", 4)]
    assert (first.lag_bytes, first.lag_s) == (70, 1.5)
    assert first.noted == [("rotations", 2, False), ("possibly_lost_bytes", 9, True)]
    assert (idle.source, idle.lines, idle.noted) == ("idle", Unit(0, 0, 0, 0, 0), [])
    assert (push.source, push.lines.pending, push.lag_bytes, push.lag_s) == ("push", 2, None, None)


def test_what_has_no_outcome_is_open() -> None:
    assert Unit(10, 5, 3, 1, 0).open == 1
    accounts = Accounts()
    accounts.settle("files", "stored", 2, 5)  # of nothing that was read
    accounts._accounts["files"].lines["pending"] = 0
    [flow] = flows(accounts)
    assert (flow.closed, flow.lines.open, flow.bytes.open) == (False, -2, 0)


def test_all_sources_together_are_their_sum() -> None:
    assert total(flows(counted())) == (Unit(12, 5, 3, 1, 3), Unit(1_020, 500, 300, 100, 120))
    assert total([]) == (Unit(0, 0, 0, 0, 0),) * 2


def test_what_is_counted_by_a_label_is_put_together() -> None:
    accounts = Accounts()
    accounts.gauge(
        "tailrace_sink_rows", "", lambda: [({"sink": "b", "state": "sent"}, 7), ({"sink": "a", "state": "retries"}, 1)]
    )
    accounts.gauge("tailrace_sink_spool_bytes", "", lambda: [({"sink": "b"}, 512)])
    found = lines_of(accounts, "sink", ("sink_rows", "state"), ("sink_spool_bytes", ""), ("not_there", ""))
    assert [(line.name, line.counts) for line in found] == [
        ("a", {"retries": 1}),
        ("b", {"sent": 7, "sink_spool_bytes": 512}),
    ]


def test_files_are_found_by_path_and_reason_the_most_urgent_first() -> None:
    followed = [
        Followed("/var/log/a.log", 10, 10, "idle"),
        Followed("/var/log/b.log", 10, 90, "following"),
        Followed("/var/log/c.log", 10, 40, "following"),
        Followed("/srv/secret", 0, 0, "unreadable", "Permission denied"),
    ]
    found, states = files(followed, "", "")
    assert [one.path[-5:] for one in found] == ["ecret", "b.log", "c.log", "a.log"]
    assert states == {"following": 2, "idle": 1, "unreadable": 1}
    assert [one.path for one in files(followed, "PERMISSION", "")[0]] == ["/srv/secret"]
    found, states = files(followed, "var", "idle")
    assert ([one.path for one in found], states) == (["/var/log/a.log"], {"following": 2, "idle": 1})
