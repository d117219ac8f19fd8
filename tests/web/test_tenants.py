"""What a tenant's application is made of."""

from __future__ import annotations

from dataclasses import fields

from tailrace.access.tenants import ConfinedEngine, ConfinedTable, Stamped
from tailrace.web import tenants
from tailrace.web.services import NoDeletions, NoRecordings, NoRules, Services
from tailrace.web.tenants import TenantApps, confined
from web.conftest import House

SHARED = {"clock", "host", "started_ns", "ready", "gate", "elasticsearch_version"}
"""Parts that hold no rows of anybody, and are of the whole server."""


def test_every_part_is_a_tenant_s_own_or_known_to_be_shared(house: House) -> None:
    """A part that is added to `Services` has to be thought of here: does it know rows of others?"""
    own = confined(house.services, "shop")
    same = {one.name for one in fields(Services) if getattr(own, one.name) is getattr(house.services, one.name)}
    told = {"rules", "deletions", "recordings", "kept", "config", "followed", "leases"}
    made = {*told, "table", "engine", "sink", "accounts"}
    assert {one.name for one in fields(Services)} == SHARED | made, "a new part: is it confined?"
    assert same <= SHARED | {"kept"}
    assert (type(own.table), type(own.engine), type(own.sink)) == (ConfinedTable, ConfinedEngine, Stamped)
    assert (type(own.rules), type(own.deletions), type(own.recordings)) == (NoRules, NoDeletions, NoRecordings)
    assert own.kept is None
    assert own.config() == {}
    assert (own.followed(), own.leases()) == ((), ())


def test_a_tenant_s_lines_count_for_the_server_and_its_gauges_do_not_stand_in_for_others(house: House) -> None:
    own = confined(house.services, "shop").accounts
    own.gauge("tailrace_live_tails", "x", lambda: [({}, 99.0)])
    own.read("push", 3, 30)
    own.settle("push", "stored", 3, 30)
    own.count("tailrace_things_total", "Things.")
    text = house.services.accounts.render()[0].decode()
    assert house.services.accounts.of("push").lines["stored"] == 3
    assert "tailrace_things_total" in text
    assert "99" not in [line.rpartition(" ")[2] for line in text.splitlines() if "live_tails" in line]


def test_applications_are_kept_and_bounded(house: House, monkeypatch) -> None:
    monkeypatch.setattr(tenants, "HELD", 2)
    made: list[str] = []

    def make(services: Services):  # an application of no kind
        made.append(services.table.tenant)  # type: ignore[attr-defined]  # it is confined
        return object()

    apps = TenantApps(house.services, make)
    first = apps.of("a")
    assert apps.of("a") is first
    apps.of("b")
    apps.of("a")
    apps.of("c")  # b, which was asked longest ago, is let go
    assert apps.of("a") is first
    apps.of("b")
    assert made == ["a", "b", "c", "b"]
