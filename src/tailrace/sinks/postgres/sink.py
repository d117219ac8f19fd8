"""The sink for PostgreSQL: batches become durable there exactly once, see `courier`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from tailrace.errors import ConfigError, TransientError
from tailrace.sinks.sending import SendingSink

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from tailrace.batch import Batch
    from tailrace.sinks.around import Around
    from tailrace.sinks.delivery import Rows
    from tailrace.sinks.postgres.settings import PostgresSettings

_LOGGER: Final = logging.getLogger(__name__)


class PostgresSink:
    """Implements `contracts.Sink`: a `SendingSink` whose receiver keeps the positions."""

    def __init__(self, settings: PostgresSettings, around: Around) -> None:
        try:
            from tailrace.sinks.postgres.courier import PostgresCourier
        except ImportError as error:
            hint = "pip install 'tailrace[postgres]'"
            raise ConfigError(f"the sink {settings.name!r} needs the package psycopg ({hint})") from error
        self._patience = around.patience.endless()
        self._courier = PostgresCourier(settings, around.clock)
        self._sink = SendingSink(settings, around, self._courier, self._courier)
        self.dead_letters = self._sink.dead_letters

    def submit(self, batch: Batch) -> Future[None]:
        """Take a batch; blocks while too many bytes wait."""
        return self._sink.submit(batch)

    def last_number(self, agent: str) -> int | None:
        """Return the last number of an agent that is in the table, or None; waits for a database that is away."""
        for pause_s in self._patience.pauses():
            try:
                return self._sink.last_number(agent)
            except TransientError as error:
                failure = error
                _LOGGER.warning("%s; trying again in %.1f s", error, pause_s)
            self._patience.wait(pause_s)
        raise failure

    @property
    def counters(self) -> Mapping[str, int]:
        """Rows that were sent, refused and set aside, that wait; attempts that failed."""
        return self._sink.counters

    def resend(self, rows: Rows) -> Mapping[int, str]:
        """Send rows that were set aside once more; return the places of those that are refused again, and why."""
        refused = self._sink.resend(rows)
        self._courier.note(None)
        return refused

    def close(self) -> None:
        """Deliver what was taken, for a bounded time; the futures of the rest fail."""
        self._sink.close()
