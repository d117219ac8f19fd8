"""Settings of the sink for Elasticsearch and OpenSearch."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  pydantic reads it
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from tailrace.secret import Secret  # noqa: TC001  pydantic reads it
from tailrace.settings import Mistake
from tailrace.sinks.service_settings import ServiceSettings
from tailrace.sinks.settings import SinkName  # noqa: TC001  as above


def _index_name(value: str) -> str:
    wrong = sorted(set(value) & set('\\/*?"<>| ,#:%'))
    if wrong or value != value.lower() or value[:1] in "-_+." or not value.isascii():
        raise Mistake(f"{value!r} cannot name a data stream", "small letters, digits, '-', '_' and '.'")
    return value


class ElasticsearchSettings(ServiceSettings):
    """Elasticsearch (7.17, 8, 9) or OpenSearch (1, 2, 3): a data stream, with fields named as ECS does."""

    type: Literal["elasticsearch"] = "elasticsearch"
    """The kind of sink."""

    name: SinkName = "elasticsearch"
    """Name of the sink."""

    index: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_index_name)] = "logs-tailrace-default"
    """Data stream, or index, that documents are created in."""

    template: bool = True
    """Whether an index template is made for it at the start, unless one of this name is there: types of fields, a data
    stream, and no document refused for a field that has another type than before."""

    pipeline: str = Field(default="", pattern=r"^[A-Za-z0-9._-]*$")
    """Ingest pipeline that documents go through."""

    api_key: Secret | None = None
    """API key, as the cluster prints it encoded; better in a file of its own."""

    api_key_file: Path | None = None
    """File that holds the API key."""

    def _credentials(self) -> tuple[str, ...]:
        return (*super()._credentials(), "api_key", "api_key_file")
