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

    from prometheus_client import Metric

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

    def count(self, name: str, text: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter; its name ends in `_total`."""
        with self._lock:
            series = self._counters.setdefault(name, (text, {}))[1]
            key = tuple(sorted(labels.items()))
            series[key] = series.get(key, 0) + amount

    def render(self, accept: str = "text/plain") -> tuple[bytes, str]:
        """Return everything in the exposition format that `accept` asks for, and its content type."""
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import choose_encoder

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(self))
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type

    def families(self) -> Iterable[Metric]:
        """Yield every metric as one consistent cut."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        with self._lock:
            accounts = {name: Account(dict(a.lines), dict(a.bytes)) for name, a in self._accounts.items()}
            counters = {name: (text, dict(series)) for name, (text, series) in self._counters.items()}
        for unit in ("lines", "bytes"):
            for state in ("read", *OUTCOMES):
                counter = CounterMetricFamily(f"tailrace_{state}_{unit}", f"Input {unit} {state}.", labels=["source"])
                for name, account in accounts.items():
                    counter.add_metric([name], getattr(account, unit)[state])
                yield counter
            gauge = GaugeMetricFamily(f"tailrace_pending_{unit}", f"Input {unit} not yet durable.", labels=["source"])
            for name, account in accounts.items():
                gauge.add_metric([name], getattr(account, unit)["pending"])
            yield gauge
        for name, (text, series) in counters.items():
            family = CounterMetricFamily(name, text)
            for key, value in series.items():
                family.add_sample(f"{family.name}_total", dict(key), value)
            yield family
        for name, (text, ask) in self._gauges.items():
            meter = GaugeMetricFamily(name, text)
            for labels, value in ask():
                meter.add_sample(name, dict(labels), value)
            yield meter


class _Collector:
    """Hands the accounts to the exposition library, which wants an object with `collect`."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def collect(self) -> Iterable[Metric]:
        return self._accounts.families()
