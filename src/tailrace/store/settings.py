"""Settings of the store: how it commits, how long it keeps, how it compacts."""

from __future__ import annotations

from pydantic import Field

from tailrace import limits
from tailrace.settings import Settings


class RetentionSettings(Settings):
    """When the oldest segments go; the first limit that is reached counts."""

    days: float | None = Field(default=limits.RETENTION_DAYS, gt=0)
    """Age in days, by event time or arrival, whichever is later; null keeps for ever."""

    bytes: int | None = Field(default=None, gt=0)
    """Size of the table in bytes; null sets no limit."""

    disk_share: float | None = Field(default=limits.RETENTION_DISK_SHARE, gt=0, le=1)
    """Share of the disk, as far as others leave it, that the table may fill; null sets no limit."""


class StoreSettings(Settings):
    """The Delta table `logs` in the data folder."""

    commit_interval_s: float = Field(default=limits.COMMIT_INTERVAL_S, ge=0)
    """At most one commit in this many seconds while little arrives."""

    retry_s: float | None = Field(default=None, ge=0)
    """How long a failing commit is tried again, as on a full disk; null waits until it works, or 30 s in an import."""

    compaction: bool = True
    """Whether small segments are joined and sorted in the background."""

    segment_bytes: int = Field(default=limits.SEGMENT_BYTES, ge=limits.MIB)
    """Size at which a compacted segment is left alone."""

    zstd_level: int = Field(default=1, ge=1, le=19)
    """Compression of freshly committed segments: low, because somebody waits for it."""

    compacted_zstd_level: int = Field(default=3, ge=1, le=19)
    """Compression of compacted segments."""

    grace_s: float = Field(default=600.0, ge=0)
    """How long a removed file stays on disk for queries that still read it."""

    maintain_interval_s: float = Field(default=60.0, gt=0)
    """How often the background looks for work: compaction, retention, clean-up."""

    retention: RetentionSettings = RetentionSettings()
    """When the oldest segments go; on by default."""
