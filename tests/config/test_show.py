"""What `config show` prints is the configuration again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.config.document import Document
from tailrace.config.load import Loaded, parse, resolve
from tailrace.config.model import Config
from tailrace.config.show import origins, show

if TYPE_CHECKING:
    from pathlib import Path

TEXT = st.text(alphabet=" ab:#-'\"$[]{}*&!0.~\n\té\\|", max_size=10)
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,3}", fullmatch=True)


def loaded(**values: Any) -> Loaded:
    return Loaded(Config(**values), Document(), None, {})


def test_the_defaults_come_back() -> None:
    config = Config()
    assert parse(show(Loaded(config, Document(), None, {}))) == config


@settings(deadline=None)  # a busy machine is no bug
@given(st.lists(TEXT, min_size=1, max_size=3), st.dictionaries(NAMES, TEXT, max_size=3))
def test_any_text_comes_back(paths: list[str], labels: dict[str, str]) -> None:
    config = Config(sources=({"type": "files", "paths": paths, "labels": labels},))
    assert parse(show(Loaded(config, Document(), None, {}))) == config


def test_every_value_says_where_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("host: a\nsources: []\n")
    lines = show(resolve(file, {"data": "/d"})).splitlines()
    assert lines[0].split("  # ") == ["data: /d".ljust(44), "flag --data"]
    words = [line.split() for line in lines]
    assert ["host:", "a", "#", "file", "line", "1"] in words
    assert "spec:" in lines
    assert ["sources:", "[]", "#", "file", "line", "2"] in words


def test_json_has_values_and_origins() -> None:
    told = origins(loaded(host="h"))
    assert told["config"]["host"] == "h"  # type: ignore[index]
    assert told["origins"]["$.store.retention.days"] == "default"  # type: ignore[index]


def test_nested_lists_are_yaml() -> None:
    shown = show(loaded(sources=({"paths": ["a", "b"]}, {"name": "second", "paths": ["c"]})))
    assert [source["paths"] for source in yaml.safe_load(shown)["sources"]] == [["a", "b"], ["c"]]
