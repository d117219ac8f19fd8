"""Where data goes when nobody says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.config.folders import data_folder


def table_in(folder: Path) -> None:
    (folder / "logs" / "_delta_log").mkdir(parents=True)


def test_the_environment_goes_first(tmp_path: Path) -> None:
    table_in(tmp_path / "data")
    assert data_folder({"TAILRACE_DATA": "/srv/x"}, tmp_path, root=False) == Path("/srv/x")


def test_a_table_here_goes_before_the_system(tmp_path: Path) -> None:
    table_in(tmp_path / "data")
    assert data_folder({}, tmp_path, root=True) == Path("data")


def test_a_folder_without_a_table_is_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert data_folder({}, tmp_path, root=True) == Path("/var/lib/tailrace")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/home/me"}, "/home/me/.local/share/tailrace"),
        ({"HOME": "/home/me", "XDG_DATA_HOME": "/big"}, "/big/tailrace"),
        ({"HOME": "/home/me", "XDG_DATA_HOME": "relative"}, "/home/me/.local/share/tailrace"),  # as the standard says
        ({"HOME": "/home/me", "TAILRACE_DATA": ""}, "/home/me/.local/share/tailrace"),
    ],
)
def test_a_user_has_it_at_home(tmp_path: Path, environ: dict[str, str], expected: str) -> None:
    assert data_folder(environ, tmp_path, root=False) == Path(expected)
