"""The account is closed at every moment, whatever is read, settled and asked for at once, in lines and in bytes."""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tailrace.agent.once import collect
from tailrace.config.model import Config
from tailrace.telemetry import OUTCOMES, Account, Accounts

if TYPE_CHECKING:
    from tailrace.telemetry import Outcome

STATES = ("read", *OUTCOMES, "pending")

sources = st.sampled_from(["app", 'say "x"\\n', "ünï"])
steps = st.lists(st.tuples(sources, st.sampled_from(["read", *OUTCOMES]), st.integers(0, 50), st.integers(0, 5000)))


def exported(accounts: Accounts) -> dict[str, Account]:
    """Return the accounts as a scraper reads them."""
    found: dict[str, Account] = {}
    for family in text_string_to_metric_families(accounts.render()[0].decode()):
        for sample in family.samples:
            _, state, unit = sample.name.removesuffix("_total").split("_")
            account = found.setdefault(sample.labels["source"], Account())
            (account.lines if unit == "lines" else account.bytes)[state] = int(sample.value)
    return found


@given(steps)
def test_what_is_read_and_settled_is_what_is_exported_and_closed(steps: list[tuple[str, str, int, int]]) -> None:
    accounts = Accounts()
    model: dict[str, Counter[tuple[str, str]]] = {}
    for source, state, lines, size in steps:
        known = model.setdefault(source, Counter())
        if state == "read":
            accounts.read(source, lines, size)
        else:  # nobody settles more than is pending
            lines, size = min(lines, known["lines", "pending"]), min(size, known["bytes", "pending"])  # noqa: PLW2901
            accounts.settle(source, state, lines, size)  # type: ignore[arg-type]  # one of OUTCOMES
        known["lines", state] += lines
        known["bytes", state] += size
        known["lines", "pending"] += lines if state == "read" else -lines
        known["bytes", "pending"] += size if state == "read" else -size
        assert accounts.of(source).closed()
    assert accounts.sources() == sorted(model)
    found = exported(accounts)
    assert set(found) == set(model)
    for source, known in model.items():
        assert found[source].closed()
        assert found[source].lines == {state: known["lines", state] for state in STATES}
        assert found[source].bytes == {state: known["bytes", state] for state in STATES}


@given(st.sampled_from(STATES), st.integers(1, 9), st.sampled_from(["lines", "bytes"]))
def test_an_account_that_misses_something_is_not_closed(state: str, amount: int, unit: str) -> None:
    account = Account()
    assert account.closed()
    getattr(account, unit)[state] += amount
    assert not account.closed()


def test_a_scrape_between_any_two_steps_of_other_threads_is_closed() -> None:
    accounts = Accounts()
    done = threading.Event()

    def work(source: str, outcome: Outcome) -> None:
        for number in range(2_000):
            accounts.read(source, 3, 7 * number)
            accounts.settle(source, outcome, 1, 7 * number)
            accounts.settle(source, "stored", 2, 0)

    workers = [
        threading.Thread(target=work, args=(f"s{place % 2}", outcome)) for place, outcome in enumerate(OUTCOMES * 2)
    ]
    scrapes: list[dict[str, Account]] = []
    scraper = threading.Thread(
        target=lambda: scrapes.extend(iter(lambda: None if done.is_set() else exported(accounts), None))
    )
    scraper.start()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done.set()
    scraper.join()
    scrapes.append(exported(accounts))
    assert all(account.closed() for scrape in scrapes for account in scrape.values())
    # three threads per source, each 2,000 times three lines and 7 · (0 + 1 + … + 1,999) bytes
    for account in scrapes[-1].values():
        assert account.lines["read"] == 18_000
        assert account.lines["pending"] == 0
        assert account.bytes["read"] == 3 * 7 * 1_999_000


LINES = (
    b'{"level":"info","message":"hello","n":1}',
    b'{"level":"info","message":"hello","n":"one","deep":{"a":[1,{"b":null}]}}',
    b'{"broken": ',
    b'ts=2026-01-01T00:00:00Z level=warn msg="a b"',
    b"2026-01-01T00:00:00.5Z stdout F a whole line",
    b"2026-01-01T00:00:01.5Z stdout P a part, ",
    b"<13>1 2026-01-01T00:00:00Z host app 1 - - hello",
    b'192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 5',
    b"2026-01-01 00:00:00,123 ERROR it failed",
    b"plain words",
    b"",
    b"\r",
    b"  indented\r",
    "ümläut ✓".encode(),
    b"not \xff\xfe UTF-8",
    b"x" * 70_000,
)

contents = st.tuples(st.lists(st.sampled_from(LINES), max_size=60), st.booleans())


@settings(max_examples=30, deadline=None)
@given(st.lists(contents, min_size=1, max_size=3))
def test_an_import_accounts_for_every_line_and_byte_of_its_files(files: list[tuple[list[bytes], bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lines = size = 0
        for number, (drawn, last_is_open) in enumerate(files):
            data = b"".join(line + b"\n" for line in drawn)
            if last_is_open and data and drawn[-1]:
                data = data[:-1]  # the file is finished: its last line counts without its newline
            (Path(folder) / f"{number}.log").write_bytes(data)
            lines, size = lines + len(drawn), size + len(data)
        summary = collect(Config(data=Path(folder) / "data"), [f"{folder}/*.log"])
        assert (summary.lines, summary.bytes) == (lines, size)
