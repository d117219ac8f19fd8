"""Settings of receivers, and what is refused of them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from intake.places import place
from tailrace.access.tenants import Stamped
from tailrace.intake.forward.settings import ForwardSettings
from tailrace.intake.listeners import Supply
from tailrace.intake.settings import wrong_receivers
from tailrace.intake.syslog.settings import SyslogSettings
from tailrace.secret import Secret


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"listen": "0.0.0.0:514"}, "nothing says who may send"),
        ({"listen": ":514"}, "nothing says who may send"),
        ({"listen": "[::]:514"}, "nothing says who may send"),
        ({"listen": "514"}, "no address with a port"),
        ({"listen": "127.0.0.1:99999"}, "no address with a port"),
        ({"listen": "logs.example.com:514"}, "is no address"),
        ({"allow": ["10.0.0.0/33"]}, "no network"),
        ({"timezone": "Mars/Base"}, "no time zone"),
        ({"protocols": ["sctp"]}, "udp"),
        ({"name": "a b"}, "cannot name a receiver"),
        ({"labels": {"a-b": "c"}}, "cannot name a label"),
        ({"tenant": "a/b"}, "cannot name a tenant"),
        ({"message_bytes": 10}, "480"),
        ({"frobnicate": 1}, "frobnicate"),
    ],
)
def test_mistakes(given: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SyslogSettings.model_validate(given)


@pytest.mark.parametrize(
    "given",
    [
        {"listen": "0.0.0.0:514", "allow": ["10.0.0.0/8", "192.0.2.7"]},
        {"listen": "[::]:6514", "tls": True},
        {"listen": "localhost:0"},
    ],
)
def test_addresses_that_may_be(given: dict[str, object]) -> None:
    assert SyslogSettings.model_validate(given).listen == given["listen"]


def test_a_shared_key_guards_and_is_shown_to_nobody() -> None:
    settings = ForwardSettings(listen="0.0.0.0:24224", shared_key=Secret("sesame"))
    assert "sesame" not in f"{settings!r} {settings.model_dump(mode='json')}"


def test_names_are_unique() -> None:
    [mistake] = wrong_receivers([SyslogSettings(), ForwardSettings(), SyslogSettings(listen="127.0.0.1:6514")])
    assert str(mistake) == "the name 'syslog' belongs to receivers[0] already"


def test_rows_of_a_receiver_may_belong_to_a_tenant() -> None:
    here = place()
    supply = Supply(Stamped(here.shelf, ""), here.supply.gate, here.accounts, here.supply.clock)
    assert supply.of("") is supply
    of_shop = supply.of("shop").sink
    assert isinstance(of_shop, Stamped)
    assert of_shop._tenant == "shop"
