"""Settings of the sink for Loki."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tailrace.sinks.service_settings import ServiceSettings
from tailrace.sinks.settings import SinkName  # noqa: TC001  pydantic reads it


class LokiSettings(ServiceSettings):
    """Loki's push API: streams with their labels, fields as structured metadata."""

    type: Literal["loki"] = "loki"
    """The kind of sink."""

    name: SinkName = "loki"
    """Name of the sink."""

    tenant: str = Field(default="", pattern=r"^[A-Za-z0-9!._*'()-]*$")
    """Tenant, sent as `X-Scope-OrgID`."""

    fields: bool = True
    """Whether fields are sent, as structured metadata, which Loki takes from version 3 on."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Further labels of every stream."""
