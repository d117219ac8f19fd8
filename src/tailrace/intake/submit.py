"""The last step of every receiver: rows go to the sink, and their account is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.batch import Batch

if TYPE_CHECKING:
    from concurrent.futures import Future

    import polars as pl

    from tailrace.contracts import Sink
    from tailrace.telemetry import Accounts, Outcome


def submit(sink: Sink, accounts: Accounts, frame: pl.DataFrame, source: str) -> Future[None]:
    """Hand rows to the sink and settle their account when it is done with them; blocks while its queue is full.

    `source` is the name of the rows in the accounts. `TransientError` while the sink is closing.
    """
    size = int(frame["_line"].str.len_bytes().sum())
    accounts.read(source, frame.height, size)

    def settle(done: Future[None]) -> None:
        outcome: Outcome = "rejected" if done.cancelled() or done.exception() else "stored"
        accounts.settle(source, outcome, frame.height, size)

    try:
        future = sink.submit(Batch(frame, source, frame.height, size))
    except BaseException:
        accounts.settle(source, "rejected", frame.height, size)
        raise
    future.add_done_callback(settle)
    return future
