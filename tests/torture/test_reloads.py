"""A thousand reloads under load, half of them wrong: no line lost or doubled, no counter falls (T100)."""

from __future__ import annotations

import os

import pytest

from agent.test_reload import reload_under_load, running  # noqa: F401  a fixture

LONG = int(os.environ.get("TAILRACE_TORTURE", "1")) > 1


@pytest.mark.slow
@pytest.mark.skipif(not LONG, reason="the long profile; a hundred reloads are in tests/agent")
def test_a_thousand_reloads(running, tmp_path):  # noqa: F811
    reload_under_load(running, tmp_path, 1_000)
