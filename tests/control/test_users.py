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
USERS = (  # at least one of each table; each opens a database of its own, which takes time
    "alerts/kept/test_history.py::test_the_newest_evaluation_of_a_window_counts",
    "alerts/kept/test_recorded.py::test_what_a_correction_takes_away_is_gone",
    "alerts/notify/test_silences.py::test_they_outlive_a_restart_and_are_dropped_long_after_their_end",
    "rollups/test_definitions.py::test_a_second_one_of_the_name_is_refused_until_the_first_is_deleted",
    "web/test_deletions.py::test_one_of_several_servers_carries_out_what_any_was_asked",
    "access/test_tokens.py::test_a_token_is_itself_and_is_not_kept",
    "access/test_tokens.py::test_a_session_may_what_its_token_may_and_ends_with_it",
    "access/test_audit.py::test_it_is_bounded",
)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_users_work_on_postgresql(postgres):
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        *(str(TESTS / name) for name in USERS),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    environment["TAILRACE_TEST_CONTROL"] = "postgres"
    done = subprocess.run(words, cwd=TESTS.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
