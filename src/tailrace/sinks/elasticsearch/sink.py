"""Deliver rows to Elasticsearch or OpenSearch, exactly once while an index lasts.

Each row is created under an id made of its position, so one that is sent again is a conflict (409), which means that it
is there. What the cluster says of single documents counts: 429 and 5xx are sent again, and what an operator can mend
(401, 403, 404) too; other refusals are set aside.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

import httpx

from tailrace.errors import TransientError
from tailrace.sinks.delivery import DELIVERED, RefusedError, Sent
from tailrace.sinks.elasticsearch.documents import bulk, template
from tailrace.sinks.sending import SendingSink
from tailrace.sinks.service import Service

if TYPE_CHECKING:
    from tailrace.sinks.around import Around
    from tailrace.sinks.delivery import Rows
    from tailrace.sinks.elasticsearch.settings import ElasticsearchSettings

_CONFLICT: Final = 409
_AGAIN: Final = (401, 403, 404, 408, 429)
_SERVER: Final = 500
_ANSWER: Final = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
_LOGGER: Final = logging.getLogger(__name__)


def elasticsearch_sink(settings: ElasticsearchSettings, around: Around) -> SendingSink:
    """Return the sink."""
    return SendingSink(settings, around, ElasticsearchCourier(settings, Service(settings, around.clock)))


class ElasticsearchCourier:
    """Takes rows to one cluster."""

    def __init__(self, settings: ElasticsearchSettings, service: Service) -> None:
        self._settings = settings
        self._service = service
        self._ready = not settings.template
        pipeline = f"&pipeline={settings.pipeline}" if settings.pipeline else ""
        self._path = f"/{settings.index}/_bulk?{_ANSWER}{pipeline}"

    def send(self, rows: Rows) -> Sent:
        """Create documents, and say of each what came of it."""
        if not self._ready:
            self._prepare()
        answer = self._service.request("POST", self._path, bulk(rows), {"Content-Type": "application/x-ndjson"})
        found = _object(answer, self._settings.url)
        items = found.get("items")
        if not isinstance(items, list) or len(items) != len(rows):
            raise TransientError(f"{self._settings.url}: did not answer for each of {len(rows)} documents")
        if found.get("errors") is False:
            return DELIVERED
        return self._meaning(items)

    def close(self) -> None:
        """Close the connection."""
        self._service.close()

    def _meaning(self, items: list[Any]) -> Sent:  # Any: JSON of the cluster
        refused: dict[int, str] = {}
        again: dict[int, str] = {}
        for place, item in enumerate(items):
            result = next(iter(item.values()), None) if isinstance(item, dict) else None
            status = result.get("status") if isinstance(result, dict) else None
            if not isinstance(result, dict) or not isinstance(status, int):
                raise TransientError(f"{self._settings.url}: answered a document without a status")
            if status < httpx.codes.MULTIPLE_CHOICES or status == _CONFLICT:
                continue
            why = f"{status}: {_reason(result)}"
            (again if status in _AGAIN or status >= _SERVER else refused)[place] = why
        return Sent(refused, again)

    def _prepare(self) -> None:
        """Make the index template unless there is one; without the right to do so documents get types as they come."""
        path = f"/_index_template/{self._settings.index}"
        kind = {"Content-Type": "application/json"}
        try:
            if self._service.request("HEAD", path, accept=404).status_code == httpx.codes.NOT_FOUND:
                self._service.request("PUT", path, json.dumps(template(self._settings.index)).encode(), kind)
        except RefusedError as error:
            _LOGGER.warning("sink %s: no index template: %s", self._settings.name, error)
        self._ready = True


def _object(answer: httpx.Response, url: str) -> dict[str, Any]:  # as above
    try:
        found = json.loads(answer.content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise TransientError(f"{url}: did not answer with a JSON object")
    return found


def _reason(result: dict[str, Any]) -> str:  # as above
    error = result.get("error")
    if not isinstance(error, dict):
        return str(error)
    return f"{error.get('type')}: {error.get('reason')}"
