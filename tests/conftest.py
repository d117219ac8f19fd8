"""What holds for every test: properties may take their time on a busy machine, and say how to repeat a failure."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from postgres import database, postgres, timescaledb  # noqa: F401  fixtures

settings.register_profile(
    "default",
    derandomize=True,  # CI plays the same examples each time; the profile `long` looks for new ones
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", parent=settings.get_profile("default"), derandomize=False, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# A job in the background is started deaf to Ctrl-C, and so are the programs that it starts: tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Let tests leave a control database open where it lies on PostgreSQL, see `control/test_users.py`: SQLite does."""
    if os.environ.get("TAILRACE_TEST_CONTROL") == "postgres":
        for kind in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
            config.addinivalue_line("filterwarnings", f"ignore::{kind}")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name what holds something packed by gzip by its parameter: the time is in it, and workers must find the same names."""
    return argname if isinstance(val, bytes) and b"\x1f\x8b" in val else None
