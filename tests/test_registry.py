"""Components by name."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from tailrace import registry
from tailrace.errors import ConfigError

SHIPPED = [(kind, name) for kind, table in registry.COMPONENTS.items() for name in table]


@pytest.mark.parametrize(("kind", "name"), SHIPPED)
def test_every_shipped_component_is_there(kind: registry.Kind, name: str) -> None:
    module, _, attribute = registry.COMPONENTS[kind][name].partition(":")
    assert registry.find(kind, name) is getattr(import_module(module), attribute)


def test_an_unknown_name_says_which_is_meant() -> None:
    with pytest.raises(ConfigError) as caught:
        registry.find("parser", "jsno")
    assert str(caught.value) == "parser 'jsno': there is no such parser (did you mean 'json'?)"


def test_a_name_close_to_none_lists_the_known() -> None:
    with pytest.raises(ConfigError) as caught:
        registry.find("source", "kafka")
    assert (
        str(caught.value)
        == "source 'kafka': there is no such source (known: files, journald, stdin, fifo, file_events, trace)"
    )


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("mine", "collections:OrderedDict", "tailrace.parser")

    def points(*, group: str) -> Any:
        return [point] if group == "tailrace.parser" else []

    monkeypatch.setattr(registry, "entry_points", points)


@pytest.mark.usefixtures("plugin")
def test_another_package_may_add_a_component() -> None:
    from collections import OrderedDict

    assert registry.names("parser")[-1] == "mine"
    assert registry.find("parser", "mine") is OrderedDict
    assert "mine" not in registry.names("sink")
