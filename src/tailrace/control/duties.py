"""The jobs of a server that only one of several may do: their leases, kept by one thread.

Comes in: the names of jobs. Goes out: `doing(job)`, asked before each step of a job; it costs nothing. The thread takes
what is free and renews what is held, also while a step takes long. When the database is away
leases run out, and nobody works until it is back; the jobs' own tables refuse what two do at once in the seconds in
which two believe to hold a lease.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from tailrace.control.lease import RENEW_S, Lease
from tailrace.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.clock import Clock
    from tailrace.control.database import Control
    from tailrace.telemetry import Accounts, Sample

ROLLUPS: Final = "rollups"
FILES: Final = "files"
DELETIONS: Final = "deletions"
JOBS: Final = (ROLLUPS, FILES, DELETIONS)
"""The jobs that `Duties` takes: the table of rollups, the table of files, deletions that people asked for. Rules are
evaluated under a lease that `alerts` takes itself, as each of its writes asks for it."""

_LOGGER: Final = logging.getLogger(__name__)


class Duties:
    """The leases of one server. `start` takes what is free before it returns."""

    def __init__(
        self,
        control: Control,
        holder: str,
        *,
        clock: Clock,
        accounts: Accounts,
        server: str = "",
        jobs: Sequence[str] = JOBS,
    ) -> None:
        self._clock = clock
        self._leases = {job: Lease(control, holder, job=job, server=server) for job in jobs}
        self._known = dict.fromkeys(jobs, False)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="duties", daemon=True)
        accounts.gauge("tailrace_duty", "1 for a job that this server does, 0 for one that another does.", self._gauge)

    def doing(self, job: str) -> bool:
        """Tell whether a job is this server's now."""
        return self._leases[job].holds(self._clock.now_ns())

    def of(self, job: str) -> Callable[[], bool]:
        """Return what tells whether a job is this server's."""
        return lambda: self.doing(job)

    def start(self) -> None:
        """Take what is free, and keep it."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """Give all back; call it when the jobs have stopped."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        for lease in self._leases.values():
            try:
                lease.release(wait_s=RENEW_S)
            except TailraceError as error:  # it runs out by itself
                _LOGGER.warning("duties: %s", error)

    def look(self) -> None:
        """Take what is free and renew what is held, once."""
        for job, lease in self._leases.items():
            try:
                mine = lease.take(self._clock.now_ns())
            except TailraceError as error:
                _LOGGER.warning("duties: %s", error)
                mine = lease.holds(self._clock.now_ns())
            if mine != self._known[job]:
                _LOGGER.info("duties: %s are done %s", job, "here" if mine else "by another server")
            self._known[job] = mine

    def _run(self) -> None:
        while not self._clock.wait(self._stopping, RENEW_S):
            self.look()

    def _gauge(self) -> list[Sample]:
        return [({"job": job}, float(self.doing(job))) for job in self._leases]
