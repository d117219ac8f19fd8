"""The dashboard of someone who has none yet: it works on any table, and can be copied."""

from __future__ import annotations

from typing import Final

from tailrace.web.explorer.dashboard.model import Dashboard, Panel
from tailrace.web.explorer.texts import dashboard as texts
from tailrace.web.explorer.texts.search import EVERYTHING

_ERRORS: Final = f'{EVERYTHING} | detected_level=~"error|fatal|critical"'

START: Final = Dashboard(
    "start",
    texts.START,
    (
        Panel(texts.ALL_LINES, EVERYTHING, "number", "", "third", "lines"),
        Panel(texts.ALL_ERRORS, _ERRORS, "number", "", "third", "errors"),
        Panel(texts.ALL_BYTES, f"sum(bytes_rate({EVERYTHING} [5m]))", "number", "", "third", "bytes"),
        Panel(texts.BY_LEVEL, EVERYTHING, "bars", "detected_level", "half", "levels"),
        Panel(texts.BY_SERVICE, EVERYTHING, "bars", "service_name", "half", "services"),
        Panel(texts.ERRORS_BY_SERVICE, _ERRORS, "table", "service_name", "half", "broken"),
        Panel(texts.BY_HOST, EVERYTHING, "curves", "host", "half", "hosts"),
        Panel(texts.NEWEST_ERRORS, _ERRORS, "lines", "", "full", "newest"),
    ),
)
