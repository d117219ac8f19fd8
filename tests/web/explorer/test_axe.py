"""Accessibility of every view: axe-core finds nothing in either theme, wide and narrow; nothing is cut or too wide.

What axe-core cannot judge (order, keys, sense) is in the tests of the rooms. Motion is reduced here, so that nothing is
judged while it moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page

from web.explorer.browser import needs_axe, needs_chromium, too_wide
from web.explorer.test_every_view import bring_up, go
from web.explorer.views import VIEWS, View

if TYPE_CHECKING:
    from collections.abc import Callable

    from web.explorer.whole import Whole

pytestmark = [needs_chromium, needs_axe]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_axe_finds_nothing(view: View, page: Page, whole: Whole, axe: Callable[..., list[str]]) -> None:
    go(page, whole, view)
    bring_up(page, view)
    assert "\n".join(axe(page)) == ""
    assert "\n".join(page.evaluate(MOVES)) == ""
    page.emulate_media(color_scheme="dark")
    assert "\n".join(axe(page, "color-contrast", "link-in-text-block")) == ""
    page.set_viewport_size({"width": 320, "height": 800})
    assert "\n".join(axe(page, *NARROW)) == ""
    assert "\n".join(too_wide(page)) == ""
    page.set_viewport_size({"width": 1_280, "height": 800})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert "\n".join(too_wide(page)) == ""


NARROW = ("target-size", "scrollable-region-focusable", "label", "link-name", "button-name", "aria-hidden-focus")
"""Rules whose verdict may depend on the width."""
MOVES = """() => document.getAnimations().filter((one) => one.playState === "running")
  .map((one) => `${one.animationName || one.transitionProperty}: ${one.effect.target.className}`)"""
