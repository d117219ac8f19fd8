"""Who keeps a table in object storage: a lease that lies beside its log.

One object says who holds it and how often it was renewed. To take, renew or give it is a conditional put: of two at
once the second fails. No clocks are compared: who wants the lease watches it, and takes it when the object has not
changed for `EXPIRES_S` of its own clock, or at once when its holder is known to have ended; who holds it renews it, or
asks, after `RENEW_S`.

A lease that was lost unnoticed can do no harm to rows: what its holder commits goes through the log, which refuses the
second of two changes to the same files. It only keeps servers from doing the same work.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Final

from tailrace.control.holder import holder as process
from tailrace.control.holder import is_gone

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.store.bucket import Bucket

EXPIRES_S: Final = 180.0
"""After this long without a renewal others may take it: longer than two rounds of upkeep."""

RENEW_S: Final = 30.0
"""How long its holder believes in it after a renewal began."""


class ObjectLease:
    """One lease, asked for by one program; any of its threads may ask."""

    def __init__(
        self, bucket: Bucket, key: str, holder: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bucket, self._key, self._now = bucket, key, clock
        self._holder = holder or process()
        self._lock = threading.Lock()
        self._tag: str | None = None  # of the object as this program wrote it: it holds the lease
        self._renewed_s = 0.0
        self._renewals = 0
        self._seen: tuple[str, float] | None = None  # another one's object, and since when it is unchanged

    def held(self) -> bool:
        """Tell whether the lease is this program's; takes it, or renews it, where that is due. May ask the bucket."""
        with self._lock:
            now_s = self._now()
            if self._tag is None:
                return self._take(now_s)
            if now_s - self._renewed_s < RENEW_S:
                return True
            return self._write(self._tag, now_s)

    def release(self) -> None:
        """Give it to whoever asks next."""
        with self._lock:
            if self._tag is not None:
                self._renewals += 1
                self._bucket.put(self._key, self._text(""), over=self._tag)
            self._tag = None

    def _take(self, now_s: float) -> bool:
        try:
            got = self._bucket.get(self._key)
        except FileNotFoundError:
            return self._write(None, now_s)
        other = _holder(got.data)
        if other in ("", self._holder) or is_gone(other):  # nobody's, or ours from a renewal that seemed to fail
            return self._write(got.tag, now_s)
        if self._seen is None or self._seen[0] != got.tag:
            self._seen = (got.tag, now_s)
            return False
        return now_s - self._seen[1] >= EXPIRES_S and self._write(got.tag, now_s)

    def _write(self, over: str | None, now_s: float) -> bool:
        """Write the object in place of the one that was seen; remember whether that worked."""
        self._renewals += 1
        before, self._tag = self._tag, None  # a failure leaves open what is there: then it is watched like another's
        tag = self._bucket.put(self._key, self._text(self._holder), over=over)
        if tag is None and before is None:
            self._seen = None
        self._tag, self._renewed_s = tag, now_s
        return tag is not None

    def _text(self, holder: str) -> bytes:
        return json.dumps({"holder": holder, "renewals": self._renewals, "by": self._holder}).encode()


def _holder(data: bytes) -> str:
    """Return who holds the lease; a text that nobody of us wrote is nobody's."""
    try:
        return str(json.loads(data)["holder"])
    except (ValueError, KeyError, TypeError):
        return ""
