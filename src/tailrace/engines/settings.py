"""Settings of what runs the scans of queries: this process, a cluster, or whichever is better for each."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tailrace.engines.address import EXAMPLE, client_url, shown
from tailrace.errors import ConfigError
from tailrace.limits import GIB
from tailrace.secret import MASK, Secret
from tailrace.settings import Mistake, Settings


class ClusterUrl(Secret):
    """Address of a cluster; its parameters may hold a token, and are not shown."""

    __slots__ = ()

    @staticmethod
    def _mask(text: str) -> str:
        return f"{shown(text)}/;{MASK}" if ";" in text else shown(text)


class EngineSettings(Settings):
    """What runs the scans of queries. A text alone says which: `polars`, `auto`, or the address of a cluster."""

    use: Literal["auto", "polars", "spark"] = "auto"
    """`polars` scans in this process, `spark` on the cluster; `auto` on the cluster when there is one and the scan is
    worth it, else in this process."""

    cluster: ClusterUrl | None = None
    """Address of a Spark Connect server (Apache Spark, Databricks, Sail): `spark://host:15002`, maybe with parameters,
    as in `spark://host/;use_ssl=true;token=…`. Its machines have to reach the table by the same path or address."""

    min_bytes: int = Field(default=8 * GIB, ge=0)
    """With `auto`: scans of files of at least so many bytes go to the cluster; a machine reads them in some seconds."""

    min_rows: int = Field(default=500_000_000, ge=0)
    """With `auto`: so do scans of at least so many rows."""

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return {"use": "spark", "cluster": value} if "://" in value or value.startswith("env:") else {"use": value}

    @model_validator(mode="after")
    def _has_cluster(self) -> EngineSettings:
        if self.use == "spark" and self.cluster is None:
            raise Mistake("'spark' needs a cluster", f"add cluster: {EXAMPLE}")
        if self.cluster is not None and not self.cluster.shown().startswith("env:"):
            try:
                client_url(self.cluster.reveal())
            except ConfigError as error:
                raise Mistake(error.problems[0].what, error.problems[0].hint, ("cluster",)) from None
        return self
