"""What keeps something in the control database does so on PostgreSQL as on SQLite: its own tests, some, run there too.

The whole of `tests/alerts` and `tests/rollups` can be run that way: `TAILRACE_TEST_CONTROL=postgres pytest tests/alerts`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
USERS = (
    "alerts/kept/test_history.py",
    "alerts/kept/test_recorded.py",
    "alerts/notify/test_silences.py",
    "rollups/test_definitions.py",
    "web/test_deletions.py",
    "access/test_tokens.py",
    "access/test_audit.py",
)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_users_work_on_postgresql(postgres):
    there = [TESTS / name for name in USERS if (TESTS / name).exists()]
    left_open = ["-W", "ignore::ResourceWarning", "-W", "ignore::pytest.PytestUnraisableExceptionWarning"]
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *left_open, *there]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    environment["TAILRACE_TEST_CONTROL"] = "postgres"
    done = subprocess.run(words, cwd=TESTS.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
