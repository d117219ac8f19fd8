"""Settings of the sink that writes files."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  pydantic reads it
from typing import Final, Literal

from pydantic import Field, field_validator

from tailrace import limits
from tailrace.sinks.settings import QueueSettings, SinkName

ROTATE_BYTES: Final = 128 * limits.MIB
"""Size of a file that other programs still open at once."""


class FileSettings(QueueSettings):
    """Files in a folder, as JSON lines or Parquet; another one begins by size or time."""

    type: Literal["file"] = "file"
    """The kind of sink."""

    name: SinkName = "file"
    """Name of the sink; files begin with it."""

    path: Path
    """Folder of the files. A relative one starts where Tailrace is started."""

    format: Literal["json", "parquet"] = "json"
    """`json` writes one object a line as rows come; `parquet` a file when enough is together, all columns typed."""

    rotate_bytes: int = Field(default=ROTATE_BYTES, ge=64 * limits.KIB, le=limits.GIB)
    """Size at which another file begins; of Parquet before it is compressed."""

    rotate_s: float = Field(default=3_600.0, gt=0)
    """Age at which another file begins, when a row comes."""

    keep_bytes: int | None = Field(default=None, ge=limits.MIB)
    """Size of all finished files beyond which the oldest are removed; null keeps them for ever."""

    @field_validator("path")
    @classmethod
    def _home(cls, value: Path) -> Path:
        return value.expanduser().absolute()
