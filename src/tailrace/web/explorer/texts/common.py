"""What every page says."""

from __future__ import annotations

from typing import Final

PRODUCT: Final = "Tailrace"

NAV: Final = {
    "search": "Search",
    "metrics": "Metrics",
    "dashboard": "Dashboard",
    "files": "Files",
    "alerts": "Alerts",
    "pipeline": "Pipeline",
    "status": "Status",
}
"""Names of the views, as the navigation and the titles have them."""

THEMES: Final = (("", "Auto"), ("light", "Light"), ("dark", "Dark"))

REFUSED: Final = {
    0: "This could not be done",
    400: "This was not understood",
    403: "This is not allowed",
    404: "There is nothing here",
    405: "This cannot be done here",
    409: "This is taken already",
    503: "Not at the moment",
    504: "It took too long",
}
"""Headings of what was refused, by status; what is wrong stands below."""

SCRIPT: Final = {
    "failed": "This could not be loaded: {why}",
    "offline": "The server did not answer.",
    "copied": "Copied.",
    "notCopied": "The browser did not allow copying.",
    "keysOn": "Single keys are on",
    "keysOff": "Single keys are off",
    "goTo": "go to {name}",
    "help": "keys of this page",
    "palette": "all actions",
    "noAction": "No action has this name.",
    "always": "On every page",
}
