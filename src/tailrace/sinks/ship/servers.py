"""Which server to use: the same one until it fails, then the next. Shared by the threads that send."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOGGER: Final = logging.getLogger(__name__)


class Servers:
    """The addresses, and which of them is in use."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = tuple(addresses)
        self._lock = threading.Lock()
        self._used = 0
        self.changes = 0  # how often another one was chosen

    def current(self) -> str:
        """Return the server to use now."""
        with self._lock:
            return self._addresses[self._used]

    def failed(self, address: str, why: str) -> None:
        """Go on to the next server, unless another thread did so already."""
        with self._lock:
            if self._addresses[self._used] != address:
                return
            self._used = (self._used + 1) % len(self._addresses)
            self.changes += len(self._addresses) > 1
            after = self._addresses[self._used]
        if after != address:
            _LOGGER.warning("%s; going on with %s, nothing is lost", why, after)
