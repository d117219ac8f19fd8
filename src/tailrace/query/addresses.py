"""IP addresses in text: which texts hold one of a set, `ip("10.0.0.0/8")`.

A set is one address, a range `a-b`, or a network in CIDR form, of version 4 or 6. Addresses are looked for anywhere in
the text; each distinct one is tested once.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final, TypeAlias

import polars as pl

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Bounds: TypeAlias = tuple[Address, Address]

_V4: Final = r"[0-9]+(?:\.[0-9]+){3}(?:\.[0-9]+)*"
_V6: Final = r"[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*"


@lru_cache(maxsize=1024)
def bounds(text: str) -> Bounds | None:
    """Return the first and last address of a set, None for a text that is none.

    >>> [str(address) for address in bounds("10.0.0.0/30")]
    ['10.0.0.0', '10.0.0.3']
    """
    try:
        if "/" in text:
            network = ipaddress.ip_network(text, strict=False)
            return network[0], network[-1]
        first, dash, last = text.partition("-")
        low = ipaddress.ip_address(first.strip())
        high = ipaddress.ip_address(last.strip()) if dash else low
    except ValueError:
        return None
    return (low, high) if low.version == high.version and int(low) <= int(high) else None


def holds(texts: pl.Series, text: str) -> pl.Series:
    """Return which texts hold an address of the set; null stays null."""
    found = bounds(text)
    assert found is not None  # checked with the query
    low, high = found
    tokens = texts.str.extract_all(_V4 if low.version == 4 else _V6)  # noqa: PLR2004  the version
    distinct = tokens.explode(empty_as_null=False).drop_nulls().unique()
    good = distinct.filter(pl.Series([_inside(token, low, high) for token in distinct], dtype=pl.Boolean))
    return tokens.list.eval(pl.element().is_in(good.implode())).list.any()


def _inside(token: str, low: Address, high: Address) -> bool:
    try:
        address = ipaddress.ip_address(token.rstrip(".") if token.rstrip(":") == token else _without_colon(token))
    except ValueError:
        return False
    return address.version == low.version and int(low) <= int(address) <= int(high)


def _without_colon(token: str) -> str:
    """Return an address without the colon of the sentence that it stands in."""
    return token if token.endswith("::") else token.rstrip(":")
