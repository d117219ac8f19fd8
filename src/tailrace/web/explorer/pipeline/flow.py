"""The way of lines through the pipeline, per source: what came in, what became of it, and whether that adds up. Pure.

Comes in: the accounts of a process. `read = stored + reduced + rejected + pending` is checked here again, with what is
open named, so that a page can show the sum and not just claim it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tailrace.contracts import Followed
    from tailrace.telemetry import Account, Accounts

NOTED: Final = (
    "rotations",
    "truncations",
    "possibly_lost_bytes",
    "damaged_bytes",
    "nul_bytes_skipped",
    "unreadable_files",
    "polled_folders",
    "open_files",
    "restarts",
    "queue",
    "overflows",
    "gaps",
    "open_gaps",
    "unknown_who",
    "lost_events",
    "pod_failures",
)
"""What sources count beside lines; as `tailrace_*` on `/metrics`."""

BAD: Final = frozenset(
    {"possibly_lost_bytes", "damaged_bytes", "unreadable_files", "overflows", "open_gaps", "lost_events"}
)
"""Of these, what somebody should look at when there is any."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One row of a source's account, lines or bytes: `read`, then what became of it; `open` is what does not add up."""

    read: int
    stored: int
    reduced: int
    rejected: int
    pending: int

    @property
    def open(self) -> int:
        """Return how much was read and has no outcome, and is not on its way either: zero if nothing is wrong."""
        return self.read - self.stored - self.reduced - self.rejected - self.pending


@dataclass(frozen=True, slots=True)
class Flow:
    """One source."""

    source: str
    lines: Unit
    bytes: Unit
    rules: list[tuple[str, int]]  # lines that were not stored, by rule
    errors: list[tuple[str, int]]  # lines that did not fit their format, by why; they are stored
    lag_bytes: int | None
    lag_s: float | None
    noted: list[tuple[str, int, bool]]  # name, number, whether somebody should look

    @property
    def parsed(self) -> int:
        """Lines that fit their format."""
        return self.lines.read - sum(count for _, count in self.errors)

    @property
    def closed(self) -> bool:
        """Tell whether lines and bytes add up."""
        return not self.lines.open and not self.bytes.open


@dataclass(slots=True)
class Line:
    """A receiver, a channel or a sink: its name and what it counts, by word."""

    name: str
    counts: dict[str, float] = field(default_factory=dict)


def flows(accounts: Accounts) -> list[Flow]:
    """Return all sources by name."""
    rules, errors = (
        _by_source(accounts, "reduced_lines_total", "rule"),
        _by_source(accounts, "parse_errors_total", "error"),
    )
    lag_bytes, lag_s = _of_sources(accounts, "lag_bytes"), _of_sources(accounts, "lag_seconds")
    noted = {name: _of_sources(accounts, name) for name in NOTED}
    names = sorted({*accounts.sources(), *lag_bytes, *(source for held in noted.values() for source in held)})
    return [
        Flow(
            name,
            *_units(accounts.of(name)),
            _largest(rules[name]),
            _largest(errors[name]),
            int(lag_bytes[name]) if name in lag_bytes else None,
            lag_s.get(name),
            [(what, int(held[name]), what in BAD) for what, held in noted.items() if held.get(name)],
        )
        for name in names
    ]


def total(found: Iterable[Flow]) -> tuple[Unit, Unit]:
    """Return lines and bytes of all sources together."""
    held = list(found)
    return _sum([flow.lines for flow in held]), _sum([flow.bytes for flow in held])


def lines_of(accounts: Accounts, key: str, *metrics: tuple[str, str]) -> list[Line]:
    """Return what is counted per `key` (`sink`, `receiver`), by the word of a label, or by the metric's own.

    A metric is (name, label): with a label its values are the words, without one the name is.
    """
    found: dict[str, Line] = {}
    for metric, label in metrics:
        for labels, value in accounts.samples(f"tailrace_{metric}"):
            name = labels.get(key, "")
            counts = found.setdefault(name, Line(name)).counts
            word = labels.get(label, "") if label else metric
            counts[word] = counts.get(word, 0.0) + value
    return [found[name] for name in sorted(found)]


def files(followed: Sequence[Followed], text: str, state: str) -> tuple[list[Followed], dict[str, int]]:
    """Return what is followed and has a text in its path or reason, of one state or all, and how many are in each."""
    wanted = text.casefold()
    fitting = [one for one in followed if wanted in one.path.casefold() or wanted in one.why.casefold()]
    states: dict[str, int] = defaultdict(int)
    for one in fitting:
        states[one.state] += 1
    return sorted((one for one in fitting if state in {"", one.state}), key=_urgency), dict(sorted(states.items()))


def _urgency(one: Followed) -> tuple[bool, int, str]:
    """Return an order: what cannot be read first, then what is furthest behind."""
    return one.state != "unreadable", one.offset - one.size, one.path


def _units(account: Account) -> tuple[Unit, Unit]:
    lines, size = (
        Unit(unit["read"], unit["stored"], unit["reduced"], unit["rejected"], unit["pending"])
        for unit in (account.lines, account.bytes)
    )
    return lines, size


def _sum(units: list[Unit]) -> Unit:
    return Unit(
        *(sum(getattr(unit, name) for unit in units) for name in ("read", "stored", "reduced", "rejected", "pending"))
    )


def _of_sources(accounts: Accounts, name: str) -> dict[str, float]:
    return {labels.get("source", ""): value for labels, value in accounts.samples(f"tailrace_{name}")}


def _by_source(accounts: Accounts, name: str, label: str) -> Mapping[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for labels, value in accounts.samples(f"tailrace_{name}"):
        found[labels["source"]][labels[label]] = int(value)
    return found


def _largest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
