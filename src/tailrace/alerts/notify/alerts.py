"""Alerts as they are told: who they are, when they are over, and how two reports of one become one. Pure.

An alert is its label set, whose hash names it. Reports of it come again and again: the earliest start counts as long
as they overlap; an end that was said outweighs one that we assumed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_BASIS: Final = 0xCBF29CE484222325
_PRIME: Final = 0x100000001B3
_MASK: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class KnownAlert:
    """One alert, ours or from elsewhere."""

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_ns: int
    ends_ns: int  # 0: it fires until we are told
    updated_ns: int
    timeout: bool = False  # the end is assumed: nobody said one
    generator_url: str = ""
    rule: str = ""  # ours: the rule and the key of its state
    key: str = ""
    value: float | None = None

    def over(self, now_ns: int) -> bool:
        """Tell whether it is over. Ours has an end only when it is; that of others may lie in the future."""
        return self.ends_ns > 0 and (bool(self.rule) or self.ends_ns <= now_ns)


@dataclass(frozen=True, slots=True)
class Member:
    """An alert in a group, and what is to be told of it there in any case."""

    alert: KnownAlert
    note: str = ""
    noted_ns: int = 0  # only to those who were told that it fired from then on; 0: to all


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return the name of a label set: FNV-1a over sorted names and values, as Prometheus has it.

    >>> fingerprint({}), fingerprint({"alertname": "A"})
    ('cbf29ce484222325', 'd2c6efc389df0927')
    """
    value = _BASIS
    for name in sorted(labels):
        for byte in b"%b\xff%b\xff" % (name.encode(), labels[name].encode()):
            value = ((value ^ byte) * _PRIME) & _MASK
    return f"{value:016x}"


def merged(old: KnownAlert, new: KnownAlert) -> KnownAlert:
    """Return one alert from what was known and a newer report of it."""
    within = old.starts_ns < new.ends_ns < old.ends_ns or old.starts_ns < new.starts_ns < old.ends_ns
    if not within:
        return new
    starts_ns, ends_ns = min(old.starts_ns, new.starts_ns), new.ends_ns
    if new.over(new.updated_ns):
        if old.over(new.updated_ns):
            ends_ns = max(old.ends_ns, new.ends_ns)
    elif not old.timeout:
        ends_ns = max(old.ends_ns, new.ends_ns)
    return replace(new, starts_ns=starts_ns, ends_ns=ends_ns)
