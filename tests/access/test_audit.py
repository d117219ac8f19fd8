from __future__ import annotations

import pytest

from tailrace.access import audit as module
from tailrace.access.audit import Audit
from tailrace.access.model import Principal
from tailrace.clock import ManualClock
from tailrace.control import Control

ANN = Principal("ann", "shop", token="abc")


def test_a_change_is_there_before_it_is_made_and_says_how_it_ended(control: Control, clock: ManualClock) -> None:
    audit = Audit(control, clock)
    number = audit.begin(ANN, "192.0.2.1", "DELETE /x")
    (entry,) = audit.newest(10)
    assert (entry.at_ns, entry.status) == (clock.now_ns(), 0)
    audit.end(number, 204)
    (entry,) = audit.newest(10)
    assert (entry.who, entry.tenant, entry.token, entry.peer, entry.what, entry.status) == (
        "ann", "shop", "abc", "192.0.2.1", "DELETE /x", 204,
    )  # fmt: skip


def test_pages_go_back_in_time(control: Control, clock: ManualClock) -> None:
    audit = Audit(control, clock)
    numbers = [audit.begin(ANN, "", f"PUT /{at}") for at in range(5)]
    assert [one.what for one in audit.newest(2)] == ["PUT /4", "PUT /3"]
    assert [one.what for one in audit.newest(9, numbers[3])] == ["PUT /2", "PUT /1", "PUT /0"]


def test_no_entry_begins_a_line_or_commands_a_terminal(control: Control, clock: ManualClock) -> None:
    audit = Audit(control, clock)
    audit.begin(ANN, "", "PUT /a\nforged entry\x1b[2J" + "x" * 5_000)
    (entry,) = audit.newest(1)
    assert entry.what.startswith("PUT /a\ufffdforged entry\ufffd[2Jx")
    assert len(entry.what) == module.WHAT_CHARS


def test_it_is_bounded(control: Control, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 10)
    monkeypatch.setattr(module, "_TIDY", 5)
    audit = Audit(control, clock)
    for at in range(23):
        audit.begin(ANN, "", str(at))
    assert [one.what for one in audit.newest(100)] == [str(at) for at in range(22, 9, -1)]
