from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml

from sources.kubernetes.fake_api import pod, until
from tailrace.sources.kubernetes.pod_file import PodFile, pods_in
from tailrace.sources.kubernetes.pods import Pods

ITEMS = [pod("web", app="a"), pod("db", "u2", app="b")]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"kind": "List", "items": ITEMS}),
        json.dumps(ITEMS),
        yaml.safe_dump({"kind": "List", "items": ITEMS}),
        yaml.safe_dump_all(ITEMS),
    ],
)
def test_lists_in_every_form(text: str) -> None:
    assert [(found.name, found.uid, found.labels["app"]) for found in pods_in(text)] == [
        ("web", "u1", "a"),
        ("db", "u2", "b"),
    ]


@pytest.mark.parametrize("text", ["3", "[3]", "{", "a: [", '{"items": 3}', '{"kind": "Pod"}'])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises((ValueError, yaml.YAMLError)):
        pods_in(text)


def test_a_change_is_read_and_a_mistake_leaves_what_was(tmp_path: Path) -> None:
    path = tmp_path / "pods.json"
    known = Pods(600, time.monotonic)
    keeper = PodFile(path, known, every_s=0.005)
    try:
        until(lambda: "No such file" in keeper.problem)
        path.write_text(json.dumps(ITEMS))
        until(lambda: len(known) == 2)
        assert keeper.problem == ""
        path.write_text("{ broken")
        until(lambda: "no list of pods" in keeper.problem)
        assert len(known) == 2
        path.write_text(json.dumps([pod("web", app="new")]))
        until(lambda: (found := known.find("shop", "web", "u1")) is not None and found.labels["app"] == "new")
        assert known.any_deleted()
    finally:
        keeper.close()
    assert not keeper._thread.is_alive()
