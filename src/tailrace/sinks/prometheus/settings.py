"""Settings of the sink that writes metrics to Prometheus."""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import Field, field_validator

from tailrace import limits
from tailrace.settings import Mistake
from tailrace.sinks.service_settings import AddressSettings
from tailrace.sinks.settings import SinkName  # noqa: TC001  pydantic reads it

_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class PrometheusSettings(AddressSettings):
    """Metrics, also those made from logs, by remote write. It takes no lines, so it stands beside another sink."""

    type: Literal["prometheus"] = "prometheus"
    """The kind of sink."""

    name: SinkName = "prometheus"
    """Name of the sink."""

    version: Literal["1.0", "2.0"] = "1.0"
    """Version of the protocol; 2.0 has types and helps of metrics, for receivers that know it."""

    interval_s: float = Field(default=15.0, ge=1, le=3_600)
    """How often all metrics are written."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Further labels of every series; `job` is `tailrace` and `instance` the host unless they are given here."""

    queue_bytes: int = Field(default=16 * limits.MIB, ge=limits.MIB)
    """Bytes of samples that may wait, in memory, while the receiver is away; beyond it the oldest go, counted."""

    @field_validator("labels")
    @classmethod
    def _names(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not _LABEL.fullmatch(name) or name.startswith("__"):
                raise Mistake(f"{name!r} cannot name a label", "letters, digits and '_'", (name,))
        return value
