"""Profiles that the documents show can be used as they are; the table of profiles is complete."""

from __future__ import annotations

import pytest

from docs.pages import PAGES, ROOT, fences
from tailrace.export import load_profile, shipped


@pytest.mark.parametrize(
    "fence", [pytest.param(fence, id=f"{fence}") for page in PAGES for fence in fences(page) if fence.kind == "yml"]
)
def test_a_profile_can_be_loaded(fence, tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text(fence.body)
    assert load_profile(str(file)).metrics


def test_every_shipped_profile_is_told():
    page = (ROOT / "docs/howto/export.md").read_text("utf-8")
    table = page.partition("## Profiles")[2].partition("```")[0]
    assert [name for name in shipped() if f"`{name}`" not in table] == []
