"""Where the table lies: in the data folder, or at a URL that any of three places may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.config.load import parse, resolve
from tailrace.errors import ConfigError

URL = "s3://logs/prod"


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAILRACE_DATA", raising=False)


def test_a_key_of_its_own() -> None:
    config = parse(f"data: /d\ntable: {URL}/\nsources: []\n")
    assert (config.data, config.table) == (Path("/d"), URL)


@pytest.mark.parametrize("said", [URL, f"{URL}/", Path(URL)])  # a flag that was read as a path has lost a slash
def test_data_may_name_it(said: object) -> None:
    found = resolve(None, {"data": said, "sources": []})
    assert found.config.table == URL
    assert found.config.data != Path(str(said))
    assert (found.origin(("table",)), found.origin(("data",))) == ("flag --data", "default")


def test_the_environment_may_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_DATA", URL)
    found = resolve(None, {"sources": []})
    assert found.config.table == URL
    assert found.origin(("table",)) == "env TAILRACE_DATA"
    assert resolve(None, {"data": "/d", "sources": []}).config.table == ""


def test_without_a_url_it_lies_in_the_folder() -> None:
    assert parse("data: ./s3\nsources: []\n").table == ""


@pytest.mark.parametrize("said", ["logs", "s4://x/y", "s3://"])
def test_what_is_no_url(said: str) -> None:
    with pytest.raises(ConfigError, match=r"is no URL of object storage \(write for example s3://bucket/prefix\)"):
        parse(f"table: {said}\n")
