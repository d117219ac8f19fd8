"""Keep what `checks` says of the rules of a server, for those who show rules.

Comes in: the rules that count, again and again. Goes out: warnings by the id of a rule. Checking takes about a
millisecond a rule, so each call checks for a bounded time and the next one goes on where it ended; what is known of a
rule is used until it changes or the streams may be others.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.alerts.rules.checks import Seen, check_rule, seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.alerts.model import Group, Rule
    from tailrace.clock import Clock
    from tailrace.contracts import Table

FRESH_S: Final = 300.0
"""Seconds after which the streams are looked at again."""

_CALL_S: Final = 0.25  # that one call checks for


@dataclass(frozen=True, slots=True)
class _Checked:
    rule: Rule
    interval_ns: int
    streams: Seen
    warnings: tuple[str, ...]


class Warnings:
    """What is doubtful about rules. Any thread may call."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table, self._clock = table, clock
        self._lock = threading.Lock()
        self._streams = Seen(())
        self._looked_s = float("-inf")
        self._checked: dict[str, _Checked] = {}

    def of(self, groups: Sequence[Group]) -> dict[str, tuple[str, ...]]:
        """Return the warnings of rules by their ids; of rules that could not be checked yet there are none."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            if now_s - self._looked_s >= FRESH_S:
                self._looked_s = now_s
                found = seen(self._table, self._clock.now_ns())
                self._streams = self._streams if found == self._streams else found
            kept: dict[str, _Checked] = {}
            for group in groups:
                for rule in group.rules:
                    known = self._checked.get(rule.id)
                    if not self._fits(known, rule, group) and self._clock.monotonic_s() - now_s < _CALL_S:
                        said = tuple(map(str, check_rule(rule, group, self._streams)))
                        known = _Checked(rule, group.interval_ns, self._streams, said)
                    if known is not None:
                        kept[rule.id] = known
            self._checked = kept
            return {rule: checked.warnings for rule, checked in kept.items() if checked.warnings}

    def _fits(self, known: _Checked | None, rule: Rule, group: Group) -> bool:
        return (
            known is not None
            and known.rule == rule
            and known.interval_ns == group.interval_ns
            and known.streams is self._streams
        )
