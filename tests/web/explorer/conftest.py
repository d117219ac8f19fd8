"""What tests of the page share: a watched browser, axe-core, and a whole server over a small shop."""

from __future__ import annotations

from web.explorer.browser import axe, browser, complaints, page, plain_page

__all__ = ["axe", "browser", "complaints", "page", "plain_page"]
