"""The cases of tests/cases/alerts/semantics*.toml, and the world in which one is played: see test_semantics.py.

A case is played tick after tick. Its rules ask for `X`, `Y` (which count lines) or `V` (a number that lines carry),
by host; `input` says what each has at each tick: a number, or `-` for none. Expected are the states of each alert
after each tick: p(ending) f(iring) r(ecovered) .(none) and ` ` where nobody looked.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import yaml

from tailrace.alerts.evaluate.contracts import Answers, Complete, Late
from tailrace.alerts.evaluate.evaluator import Evaluator
from tailrace.alerts.evaluate.verdict import Answer
from tailrace.alerts.kept.recordings import Recordings
from tailrace.alerts.kept.samples import SamplesTable
from tailrace.alerts.kept.store import AlertStore
from tailrace.alerts.rules.files import parse_rules
from tailrace.alerts.rules.templates import Templates
from tailrace.batch import stream_labels, stream_text
from tailrace.clock import ManualClock
from tailrace.control import Control
from tailrace.control.lease import Lease
from tailrace.query.literals import range_duration, write_number
from tailrace.query.parser import parse

FOLDER = Path(__file__).parents[1] / "cases" / "alerts"
S = 10**9
MINUTE = 60 * S
START = 1_000_000 * MINUTE
MEANT = {
    "X": 'sum by (host) (count_over_time({m="x"}[1m]))',
    "Y": 'sum by (host) (count_over_time({m="y"}[1m]))',
    "V": 'max by (host) (max_over_time({m="v"} | unwrap v [1m]))',
}
NAMES = {str(parse(text)): name for name, text in MEANT.items()}
LETTERS = {"pending": "p", "firing": "f", "recovered": "r"}


def cases():
    """Return all cases; each file's keys above its cases count for all of them."""
    found = []
    for path in sorted(FOLDER.glob("semantics*.toml")):
        document = tomllib.loads(path.read_text())
        shared = {name: value for name, value in document.items() if name != "case"}
        found += [{"file": path.stem, **shared, **case} for case in document["case"]]
    return found


def rules_text(case, rules: str, meant=MEANT) -> str:
    """Return the rule file of a case: its rules are those of one group, `g`, unless it writes groups."""
    read = yaml.safe_load(rules)
    if isinstance(read, list):
        group = yaml.safe_load(case.get("group", "{}"))
        read = {"groups": [{"name": "g", "interval": case.get("interval", "1m"), **group, "rules": read}]}
    for group in read["groups"]:
        for rule in group["rules"]:
            rule["expr"] = re.sub(r"\b[XYV]\b", lambda found: meant[found[0]], str(rule["expr"]))
    return json.dumps(read)  # which is YAML


def values_of(text: str) -> list[float | None]:
    """Return the numbers of an input, one each tick: `2 - 3x4` is 2, nothing, and 3 four times."""
    found: list[float | None] = []
    for word in text.split():
        value, _, times = word.partition("x")
        found += [None if value == "-" else float(value)] * int(times or 1)
    return found


def key(text: str) -> str:
    """Return an alert's labels as one text; `alertname` is A where it is not said."""
    return stream_text({"alertname": "A", **stream_labels(text)})


@dataclass
class Play:
    """One case on its way."""

    case: dict
    folder: Path
    tick: int = 0

    def __post_init__(self):
        self.interval = range_duration(self.case.get("interval", "1m"))
        self.start = START // self.interval * self.interval  # a tick
        self.inputs = {name: values_of(text) for name, text in self.case["input"].items()}
        self.ticks = max(len(values) for values in self.inputs.values())
        self.control = Control.open(self.folder)
        self.clock = ManualClock(self.start)
        self.groups = self.read(self.case["rules"])
        self.serve()

    def read(self, rules: str):
        return parse_rules(rules_text(self.case, rules), "file", interval_ns=self.interval)

    def serve(self):
        """Start a server: nothing but the database is known to it."""
        self.lease = Lease(self.control, "one")
        self.lease.take(self.clock.now_ns())
        self.store = AlertStore(self.control, self.lease)
        fill = Templates(
            self.ask,
            self.clock,
            external_labels=self.case.get("external_labels", {}),
            external_url=self.case.get("external_url", ""),
        )
        self.evaluator = Evaluator(self.store, self.ask, fill, self.complete)
        self.evaluator.load()

    # --- what the server asks -------------------------------------------------------------------

    def ask(self, asked, times):
        if self.tick in self.case.get("error", ()):
            return Answers({at_ns: Answer(at_ns, error="the query failed") for at_ns in times})
        return Answers({at_ns: Answer(at_ns, self.values(NAMES[asked], at_ns)) for at_ns in times})

    def values(self, name, at_ns):
        window, found = (at_ns - self.start) // self.interval, {}
        for series, values in self.inputs.items():
            value = values[window] if 0 <= window < len(values) else None
            for late in self.case.get("late", ()):
                if late["series"] == series and late["window"] == window and late["known"] <= self.tick:
                    value = late.get("value")
            if series.startswith(name) and value is not None:
                found[stream_text(stream_labels(series.removeprefix(name)))] = float(value)
        return found

    def complete(self, _selectors, now_ns):
        behind = self.case.get("behind", {}).get(str(self.tick), 0)
        return Complete(now_ns - behind * self.interval, ("files",) if behind else ())

    def recorded(self, tick):
        """Return what recording rules left at a tick, by all labels."""
        at_ns, series = self.start + tick * self.interval, Recordings(self.control, SamplesTable(self.folder))
        names = {rule.record for rule in self.rules() if rule.record}
        rows = [row for name in names for row in series.samples(name, at_ns, at_ns + 1).iter_rows(named=True)]
        return {row["key"]: row["value"] for row in rows if not row["stale"]}

    # --- ticks ----------------------------------------------------------------------------------

    def go(self):
        """Play all ticks; return the letter of each alert at each, by rule and key."""
        seen = {}
        for tick in range(self.ticks):
            self.tick = tick
            at_ns = self.start + self.tick * self.interval + range_duration(self.case.get("phase", "0"))
            self.clock.advance((at_ns - self.clock.now_ns()) / S)
            if self.tick in self.case.get("down", ()):
                seen[self.tick] = None
                continue
            if self.tick in self.case.get("restart", ()):
                self.serve()
            if str(self.tick) in self.case.get("reload", {}):
                self.groups = self.read(self.case["reload"][str(self.tick)])
            self.round()
            seen[self.tick] = self.alerts()
        return seen

    def round(self):
        now_ns = self.clock.now_ns()
        assert self.lease.take(now_ns)
        late = [
            Late((f'{{m="{one["series"][0].lower()}"}}',), at_ns, at_ns)
            for one in self.case.get("late", ())
            if one["known"] == self.tick
            for at_ns in [self.start + one["window"] * self.interval - S]
        ]
        if late:
            self.evaluator.correct(self.groups, late, now_ns)
        self.evaluator.round(self.groups, now_ns)

    def rules(self):
        return [rule for group in self.groups for rule in group.rules]

    def alerts(self):
        """Return all alerts now; two rules may have the same."""
        standings = [self.evaluator.standing(rule.id) for rule in self.rules()]
        return [alert for one in standings if one for alert in one.alerts.values()]

    def log(self, rule):
        """Return the outcomes of a rule's windows, in order of time, the newest evaluation of each."""
        rows = self.store.history(rule.id, 10_000)
        newest = {row["at_ns"]: row["outcome"] for row in reversed(rows)}
        return [newest[at_ns] for at_ns in sorted(newest)]

    def told(self, rule):
        return [
            f"{self.tick_of(one.at_ns)} {one.kind}"
            for one in sorted(self.store.told(rule.id, 0), key=lambda t: t.at_ns)
        ]

    def tick_of(self, at_ns):
        return write_number((at_ns - self.start) / self.interval)
