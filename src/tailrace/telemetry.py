"""The closed account: `read = stored + reduced + rejected + pending`, in lines and bytes, per source.

Every stage reports to one `Accounts`, per batch, never per line. `pending` is counted on its own
(added when read, taken away when settled), so the equation is a check and not a definition.
`render` writes the same numbers, and every counter and gauge that parts of the program report, for a
scraper.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tailrace.exposition import Family

Outcome = Literal["stored", "reduced", "rejected"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("stored", "reduced", "rejected")
Sample = tuple["Mapping[str, str]", float]


@dataclass(slots=True)
class Account:
    """Lines and bytes of one source since the process started."""

    lines: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("read", *OUTCOMES, "pending"), 0))
    bytes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("read", *OUTCOMES, "pending"), 0))

    def closed(self) -> bool:
        """Tell whether the equation holds, in lines and in bytes."""
        return all(
            unit["read"] == sum(unit[outcome] for outcome in OUTCOMES) + unit["pending"]
            for unit in (self.lines, self.bytes)
        )


class Accounts:
    """The accounts of all sources, and the gauges and counters that parts of the program register."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accounts: dict[str, Account] = {}
        self._gauges: dict[str, tuple[str, Callable[[], Iterable[Sample]]]] = {}
        self._counters: dict[str, tuple[str, dict[tuple[tuple[str, str], ...], float]]] = {}
        self._included: dict[str, Callable[[], Iterable[Family]]] = {}

    def read(self, source: str, lines: int, size: int) -> None:
        """Count what a source handed out; it is pending until it is settled."""
        with self._lock:
            account = self._accounts.setdefault(source, Account())
            for unit, amount in ((account.lines, lines), (account.bytes, size)):
                unit["read"] += amount
                unit["pending"] += amount

    def settle(self, source: str, outcome: Outcome, lines: int, size: int) -> None:
        """Count what became of lines that were pending."""
        with self._lock:
            account = self._accounts.setdefault(source, Account())
            for unit, amount in ((account.lines, lines), (account.bytes, size)):
                unit[outcome] += amount
                unit["pending"] -= amount

    def of(self, source: str) -> Account:
        """Return a copy of one source's account."""
        with self._lock:
            account = self._accounts.get(source, Account())
            return Account(dict(account.lines), dict(account.bytes))

    def sources(self) -> list[str]:
        """Return the names of the sources that have an account."""
        with self._lock:
            return sorted(self._accounts)

    def gauge(self, name: str, text: str, samples: Callable[[], Iterable[Sample]]) -> None:
        """Register a gauge whose samples are asked for at each scrape."""
        self._gauges[name] = (text, samples)

    def total(self, name: str) -> float:
        """Return the sum of a gauge's samples now, zero if nobody registered it."""
        found = self._gauges.get(name)
        return 0.0 if found is None else sum(value for _, value in found[1]())

    def samples(self, name: str) -> list[Sample]:
        """Return the samples of a gauge or of a counter now, none if nobody reported it."""
        found = self._gauges.get(name)
        if found is not None:
            return [(dict(labels), float(value)) for labels, value in found[1]()]
        with self._lock:
            counted = dict(self._counters[name][1]) if name in self._counters else {}
        return [(dict(key), value) for key, value in counted.items()]

    def count(self, name: str, text: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter; its name ends in `_total`."""
        with self._lock:
            series = self._counters.setdefault(name, (text, {}))[1]
            key = tuple(sorted(labels.items()))
            series[key] = series.get(key, 0) + amount

    def include(self, name: str, families: Callable[[], Iterable[Family]]) -> None:
        """Show further metrics, asked for at each scrape, in place of those that were included under the same name."""
        self._included[name] = families

    def render(self, accept: str = "text/plain") -> tuple[bytes, str]:
        """Return everything in the exposition format that `accept` asks for, and its content type."""
        body, headers = self.respond(accept)
        return body, headers["Content-Type"]

    def respond(self, accept: str, accept_encoding: str = "") -> tuple[bytes, dict[str, str]]:
        """Return the body and the headers of an answer to a scrape."""
        from tailrace.exposition import respond

        return respond(self.families(), accept, accept_encoding)

    def families(self) -> list[Family]:
        """Return every metric; those of the accounts are one consistent cut."""
        from tailrace.exposition import Family, Point

        with self._lock:
            accounts = {name: Account(dict(a.lines), dict(a.bytes)) for name, a in self._accounts.items()}
            counters = {name: (text, dict(series)) for name, (text, series) in self._counters.items()}
        families: list[Family] = []
        for unit in ("lines", "bytes"):
            for state in ("read", *OUTCOMES, "pending"):
                points = [
                    Point({"source": name}, float(getattr(account, unit)[state])) for name, account in accounts.items()
                ]
                name = f"tailrace_{state}_{unit}"
                if state == "pending":
                    families.append(Family(name, "gauge", f"Input {unit} not yet durable.", points))
                else:
                    families.append(Family(f"{name}_total", "counter", f"Input {unit} {state}.", points))
        for name, (text, series) in counters.items():
            families.append(
                Family(name, "counter", text, [Point(dict(key), float(value)) for key, value in series.items()])
            )
        for name, (text, ask) in list(self._gauges.items()):
            families.append(Family(name, "gauge", text, [Point(labels, float(value)) for labels, value in ask()]))
        return families + [family for included in list(self._included.values()) for family in included()]
