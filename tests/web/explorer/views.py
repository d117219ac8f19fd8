"""Every view of the page and every state worth a look, by address; a route of the page that is not here fails a test.

Addresses with a part that varies, `{rule}` say, are filled from a running server: by the first link of a page that
fits, as a reader would come there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web.explorer.whole import Whole

SHOP: Final = quote('{source="shop"}') + "&limit=12"  # a few lines: axe-core looks at each
ERRORS: Final = quote('{source="shop"} | detected_level="error"') + "&limit=12"
RATE: Final = quote('sum by (service) (rate({source="shop"}[5m]))')
NOTHING: Final = quote('{source="shop"} |= "there is no such line"')


@dataclass(frozen=True)
class View:
    """One view in one state: where it is, what it answers, and what is opened before it is judged."""

    name: str
    path: str
    status: int = 200
    opens: tuple[str, ...] = ()
    """Selectors that are clicked, one after the other, if the page is there with its script."""
    keys: tuple[str, ...] = ()
    """Keys that are pressed after that."""
    script: bool = True
    """Whether the page has the script."""


VIEWS: Final = (
    # --- search
    View("search", "/?limit=12"),
    View("search-query", f"/explore?q={SHOP}"),
    View("search-errors", f"/explore?q={ERRORS}&from=now-3h"),
    View("search-nothing", f"/explore?q={NOTHING}"),
    View("search-mistake", f"/explore?q={quote('{source=')}", status=400),
    View("search-row-open", f"/explore?q={SHOP}", opens=(".row summary",)),
    View("line", "/line/{line}"),
    View("label", "/logs/source/shop?limit=12"),
    View("label-unknown", "/logs/nothing/of/this", status=404),
    View("line-gone", "/line/1700000000000000000-000000000000-1", status=404),
    View("search-help", "/?limit=12", keys=("?",)),
    View("search-palette", "/?limit=12", keys=("Control+k",)),
    *(View(f"search-{mode}", f"/explore?q={SHOP}&mode={mode}") for mode in ("wrap", "json", "table")),
    *(View(f"search-{tab}", f"/explore?q={SHOP}&tab={tab}") for tab in ("patterns", "fields", "chart", "explain")),
    View("search-by-service", f"/explore?q={SHOP}&by=service"),
    View("search-compared", f"/explore?q={SHOP}&cmp=before"),
    View("search-metric", f"/explore?q={RATE}"),
    View("search-metric-chart", f"/explore?q={RATE}&tab=chart"),
    # --- metrics, dashboards
    View("metrics", "/metrics-from-logs"),
    View("metric", "/metrics-from-logs/lines_by_level"),
    View("metric-recorded", "/metrics-from-logs/shop:errors:rate5m"),
    View("metric-new", f"/metrics-from-logs/new?q={ERRORS}&segment=service"),
    View("metric-mistake", "/metrics-from-logs/new?expr=sum(", status=400),
    View("dashboard", "/dashboard"),
    View("dashboard-start", "/dashboard/start"),
    View("dashboard-new", "/dashboard/new"),
    View("dashboard-add", f"/dashboard/add?q={RATE}&title=Rate"),
    # --- files
    View("files", "/files"),
    *(
        View(f"files-{tab}", f"/files/{tab}")
        for tab in ("map", "growth", "changes", "history", "drift", "timeline", "health")
    ),
    # --- pipeline
    View("pipeline", "/pipeline"),
    View("pipeline-files", "/pipeline/files"),
    View("pipeline-rejects", "/pipeline/rejects"),
    # --- alerts
    View("alerts", "/alerts"),
    View("alerts-rules", "/alerts/rules"),
    View("alerts-rule", "/alerts/rule/{rule}"),
    View("alerts-history", "/alerts/history"),
    View("alerts-edit", f"/alerts/edit?q={ERRORS}"),
    View("alerts-edit-rule", "/alerts/edit?rule={rule}"),
    View("alerts-silences", "/alerts/silences"),
    View("alerts-receivers", "/alerts/receivers"),
    View("alerts-receiver", "/alerts/receivers/edit?name=team"),
    View("alerts-outbox", "/alerts/outbox"),
    # --- saved searches, status
    View("saved", "/saved"),
    View("saved-new", f"/saved/new?q={ERRORS}"),
    View("saved-gone", "/saved/1", status=404),
    View("share", f"/explore/share?q={ERRORS}"),
    View("export", f"/explore/export?q={ERRORS}"),
    View("export-metric", f"/explore/export?q={RATE}"),
    View("status", "/status"),
    View("nowhere", "/nothing/of/this", status=404),
    # ---
    View("login", "/login", script=False),
)

LINKS: Final[dict[str, tuple[str, str]]] = {
    "line": (f"/explore?q={SHOP}", r"/line/([^/?]+).*"),
    "rule": ("/alerts/rules", r"/alerts/rule/([^/?]+)"),
}
"""What varies in an address: the page that has a link with it, and how the link reads."""

NO_VIEWS: Final = {
    "/static/{name}": "the page's own files",
    "/theme": "keeps a choice and goes back",
    "/openapi.json": "of programs",
    "/explore/edit": "edits the query and goes back",
    "/explore/history": "queries of before, for the script",
    "/line/{address}/raw": "the bytes of a line",
    "/line/{address}/json": "a line for programs",
    "/explore/check": "says what is wrong with a query, for the script",
    "/explore/complete": "what fits at the cursor, for the script",
    "/saved/menu": "a menu, for the script",
    "/s/{name}": "goes to a saved search",
    "/explore/rows": "a page of lines, for the script",
    "/explore/live": "lines as they come, for the script",
    "/explore/export/{job}": "how far an export is, for the script",
    "/dashboard/{name}/panels/{panel}": "a panel, for the script",
    "/dashboard/{name}/export": "a file",
    "/files/rows": "rows of the tree, for the script",
    "/alerts/edit/preview": "a part of the editor, for the script",
    "/alerts/edit/backtest": "a part of the editor, for the script",
    "/alerts/edit/rules.yaml": "a file",
    "/alerts/edit/test.yaml": "a file",
}
"""Routes beside the API that show no page of their own."""


def filled(view: View, whole: Whole) -> str:
    """Return the address of a view on a server."""
    path = view.path
    for name in re.findall(r"\{(\w+)\}", path):
        page, pattern = LINKS[name]
        path = path.replace(f"{{{name}}}", link(whole, page, pattern))
    return path


def link(whole: Whole, page: str, pattern: str) -> str:
    """Return the first group of the first link of a page that fits."""
    for found in links(whole.client.get(page, headers={"Accept": "text/html"}).text):
        if fits := re.fullmatch(pattern, found):
            return fits[1]
    raise AssertionError(f"{page} has no link like {pattern}")


def links(html: str) -> Iterator[str]:
    """Return where links of a page lead on this server."""
    for found in re.finditer(r'<a\b[^>]*?\bhref="([^"]*)"', html):
        address = unescape(found[1])
        if not urlsplit(address).scheme and address.startswith("/"):
            yield address
