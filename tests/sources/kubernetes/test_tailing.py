"""Container logs from the disk to rows: each file once, each line with what is known of its container."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sources.kubernetes.fake_api import FakeApi, pod, until
from sources.kubernetes.node import expected, make_node
from sources.tail.tailing import Tailing
from tailrace.batch import stream_labels
from tailrace.contracts import Block
from tailrace.parse.chain import Chain
from tailrace.parse.frame import lines_of, origins_of
from tailrace.sources.kubernetes.settings import KubernetesSettings

LABELS = ("namespace", "pod", "container")
FIELDS = ("container_id", "pod_uid", "restart")
PODS = "var/log/pods"
LINKS = "var/log/containers"
DOCKER = "var/lib/docker/containers/*/*-json.log*"


@pytest.fixture
def node(tmp_path: Path) -> Path:
    return make_node(tmp_path)


def rows(blocks: list[Block]) -> list[dict[str, Any]]:
    frame = lines_of(blocks, origins_of(blocks)).frame
    return [row | {"labels": stream_labels(row["_stream"])} for row in frame.to_dicts()]


def physical(node: Path, folder: str) -> dict[tuple[str, ...], list[bytes]]:
    """Return the lines of the files of each container, as they stand on the disk, and where the records expect them."""
    of_file: dict[str, tuple[str, ...]] = {}
    for record in expected():
        for end in ("from", "to"):
            of_file[record[end].rpartition(":")[0]] = tuple(str(record[key]) for key in (*LABELS, *FIELDS))
    found: dict[tuple[str, ...], list[bytes]] = defaultdict(list)
    for file, container in of_file.items():
        if file.startswith(folder):
            found[container] += (node / file).read_bytes().split(b"\n")[:-1]
    return found


@pytest.mark.parametrize("trees", [[PODS], [LINKS], [PODS, LINKS], [LINKS, PODS], [LINKS, PODS, DOCKER], [DOCKER]])
def test_each_line_once_with_the_same_labels_whichever_tree(node: Path, trees: list[str]) -> None:
    t = Tailing(node, paths=[str(node / tree) for tree in trees])
    try:
        got: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for row in rows(t.blocks()):
            labels = row["labels"]
            if "pod" not in labels:
                assert Path(labels["filename"]).name in {"readme.log", "stray.log"}
                continue
            assert labels["service_name"] == labels["container"]
            got[tuple(labels[key] for key in LABELS) + tuple(row[key] for key in FIELDS)].append(row["_line"])
    finally:
        t.source.close()
    cri, docker = physical(node, "var/log/pods"), physical(node, "var/lib/docker")
    if trees == [DOCKER]:
        cri = {}
    if DOCKER not in trees:  # what was rotated away before is only found in Docker's own folder, if anywhere
        docker = {key: [line for line in lines if key[2] != "web"] for key, lines in docker.items()}
        got = {key: lines for key, lines in got.items() if key[2] != "web"}
    if LINKS in trees and PODS not in trees:
        cri = {key: [] if key[2] == "orders" else lines for key, lines in cri.items()}
        got = {key: lines for key, lines in got.items() if key[2] != "orders"}
    wanted = {key: sorted(map(shown, lines)) for key, lines in (cri | docker).items() if lines}
    assert {key: sorted(lines) for key, lines in got.items()} == wanted


def shown(line: bytes) -> str:
    return line.decode(errors="replace").removesuffix("\r")


def test_the_layout_that_is_complete_names_the_file(node: Path) -> None:
    t = Tailing(node, paths=[str(node / LINKS), str(node / PODS)])
    names = {row["labels"]["filename"] for row in rows(t.blocks())} - {str(node / LINKS / "stray.log")}
    t.source.close()
    assert all(name.startswith(str(node / PODS)) for name in names)


# --- one pod that is written to ----------------------------------------------------------------------


class OnePod:
    """A pod on an empty node."""

    def __init__(self, root: Path, **kubernetes: object) -> None:
        self.folder = root / "var/log/pods/shop_web_u1/c"
        self.folder.mkdir(parents=True)
        (root / LINKS).mkdir(parents=True)
        self.root = root
        self.t = Tailing(root, paths=[str(root / "var/log")], kubernetes=kubernetes)

    def write(self, text: str, restart: int = 0) -> list[dict[str, Any]]:
        with (self.folder / f"{restart}.log").open("a") as file:
            file.write(text)
        return self.read()

    def read(self) -> list[dict[str, Any]]:
        blocks = self.t.blocks()
        return rows(blocks) if blocks else []

    def link(self, restart: int, digits: str) -> None:
        (self.root / LINKS / f"web_shop_c-{digits * 32}.log").symlink_to(f"../pods/shop_web_u1/c/{restart}.log")

    def now(self, restart: int = 0) -> dict[str, str]:
        """Write a line and return its labels."""
        (row,) = self.write("x\n", restart)
        labels: dict[str, str] = row["labels"]
        return labels


@pytest.fixture
def one(tmp_path: Path) -> Iterator[OnePod]:
    made = OnePod(tmp_path)
    yield made
    made.t.source.close()


def test_the_id_is_known_when_its_link_is(one: OnePod) -> None:
    assert [row.get("container_id") for row in one.write("one\n")] == [None]
    one.link(0, "ab")
    assert [(row["_line"], row["container_id"]) for row in one.write("two\n")] == [("two", "ab" * 32)]


def test_a_restart_is_a_new_file_of_the_same_pod(one: OnePod) -> None:
    one.link(0, "ab")
    first = one.write("one\n")
    one.link(1, "cd")
    second = one.write("two\n", restart=1)
    found = [(row["_line"], row["restart"], row["container_id"][:2], row["pod_uid"]) for row in first + second]
    assert found == [("one", "0", "ab", "u1"), ("two", "1", "cd", "u1")]
    assert {row["labels"]["pod"] for row in first + second} == {"web"}


def test_what_is_known_of_containers_that_come_and_go_is_bounded(tmp_path: Path) -> None:
    """A node that makes thousands of pods an hour."""
    made = OnePod(tmp_path)
    for number in range(300):
        folder = tmp_path / f"var/log/pods/shop_job-{number}_u{number}/c"
        folder.mkdir(parents=True)
        (folder / "0.log").write_text("one\n")
        (tmp_path / f"var/log/app-{number}.txt").write_text("one\n")
        if number % 50 == 49:
            found = made.read()
            assert len(found) == 100
            assert sum("pod" in row["labels"] for row in found) == 50
            for path in (*tmp_path.glob("var/log/pods/shop_job-*/c/0.log"), *tmp_path.glob("var/log/app-*.txt")):
                path.unlink()
            for _ in range(4):
                made.t.clock.advance(120)
                made.read()
            containers = made.t.source._containers
            assert (len(containers._known), len(containers._others)) == (0, 0)
    made.t.source.close()


def test_labels_of_the_settings_win(tmp_path: Path) -> None:
    made = OnePod(tmp_path)
    made.t.source.close()
    t = Tailing(tmp_path, paths=[str(tmp_path / "var/log")], labels={"container": "mine", "team": "red"})
    (made.folder / "0.log").write_text("one\n")
    (row,) = rows(t.blocks())
    t.source.close()
    assert (row["labels"]["container"], row["labels"]["team"], row["labels"]["pod"]) == ("mine", "red", "web")


def test_what_the_program_says_does_not_replace_what_is_known(one: OnePod) -> None:
    (one.folder / "0.log").write_text(
        '2026-03-05T10:15:00Z stdout F {"msg":"hi","restart":7,"stream":"s"}\n2026-03-05T10:15:00Z stdout F plain\nodd\n'
    )
    rows = Chain().parse(one.t.blocks()).frame.to_dicts()
    assert [(row["_line"], row["pod_uid"], row["restart"]) for row in rows] == [
        ("hi", "u1", "0"),
        ("plain", "u1", "0"),
        ("odd", "u1", "0"),
    ]
    assert (rows[0]["restart_extracted"], rows[0]["stream_extracted"], rows[0]["stream"]) == (7, "s", "stdout")
    assert rows[2]["_error"] == "CRIParserErr"


@pytest.fixture
def api() -> Iterator[FakeApi]:
    server = FakeApi()
    yield server
    server.close()


def test_pods_of_an_api_are_laid_over_and_their_changes_too(tmp_path: Path, api: FakeApi) -> None:
    api.pods = [pod("web", **{"app.kubernetes.io/name": "shop", "tier": "front", "pod": "fake"})]
    made = OnePod(
        tmp_path, api=api.url, node="node-a", labels=["app.kubernetes.io/name"], fields=["*"], annotations=["team"]
    )
    counters = made.t.source.counters
    assert made.now()["pod"] == "web"  # never waits
    until(lambda: made.t.source.counters["pods"] == 1)
    (row,) = made.write("one\n")
    assert row["labels"]["pod_label_app_kubernetes_io_name"] == "shop"
    assert row["labels"]["pod"] == "web"
    assert (row["pod_label_tier"], row["pod_label_pod"], row["pod_annotation_team"]) == ("front", "fake", "red")
    assert "pod_label_app_kubernetes_io_name" not in row
    api.tell("MODIFIED", pod("web", version=12, tier="back"))
    until(lambda: made.t.source._overlay.version == 2)
    (row,) = made.write("two\n")
    assert (row["pod_label_tier"], row["labels"].get("pod_label_app_kubernetes_io_name")) == ("back", None)
    made.t.source.close()
    assert counters["pods"] == 0


def test_a_deleted_pod_is_known_until_its_last_line_is_read(tmp_path: Path, api: FakeApi) -> None:
    """Its files may be found after it is gone, and long after."""
    api.pods = [pod("web", app="a")]
    made = OnePod(tmp_path, api=api.url, labels=["app"], grace_s=0)
    made.now()
    until(lambda: made.t.source.counters["pods"] == 1)
    api.tell("DELETED", pod("web", version=11, app="a"))
    until(made.t.source._overlay.pods.any_deleted)
    made.t.clock.advance(60)
    assert made.now(restart=1)["pod_label_app"] == "a"
    for restart in (0, 1):
        (made.folder / f"{restart}.log").unlink()
    for _ in range(3):
        made.t.clock.advance(60)
        made.read()
    assert made.t.source.counters["pods"] == 0
    made.t.source.close()


def test_what_was_known_is_known_after_a_restart_at_once(tmp_path: Path, api: FakeApi) -> None:
    api.pods = [pod("web", app="a")]
    made = OnePod(tmp_path, api=api.url, labels=["app"])
    made.now()
    until(lambda: made.t.source.counters["pods"] == 1)
    assert made.now()["pod_label_app"] == "a"
    assert "@pod shop/web" in made.t.state
    api.statuses = [500] * 1000
    made.t.restart()
    assert made.now()["pod_label_app"] == "a"
    made.t.source.close()
    made.t.settings = made.t.settings.model_copy(update={"kubernetes": KubernetesSettings()})
    made.t.restart()
    assert "pod_label_app" not in made.now()
    assert "@pod shop/web" not in made.t.state
    made.t.source.close()


def test_an_api_that_refuses_is_said_and_logs_go_on(tmp_path: Path, api: FakeApi) -> None:
    api.statuses = [403] * 1000
    made = OnePod(tmp_path, api=api.url, labels=["app"])
    assert made.now()["pod"] == "web"
    until(lambda: made.t.source.counters["pod_failures"] > 0)
    assert [item.why for item in made.t.source.status() if item.path == api.url] == [
        "this account may not list and watch pods: give it a role that may"
    ]
    assert made.now()["pod"] == "web"
    made.t.source.close()


def test_nobody_is_asked_while_nothing_is_chosen(tmp_path: Path, api: FakeApi) -> None:
    made = OnePod(tmp_path, api=api.url)
    assert made.now()["pod"] == "web"
    made.t.source.close()
    assert api.requests == []


def test_pods_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pods.json"
    path.write_text(json.dumps([pod("web", app="a")]))
    made = OnePod(tmp_path, file=str(path), labels=["app"])
    made.read()
    until(lambda: made.t.source.counters["pods"] == 1)
    assert made.now()["pod_label_app"] == "a"
    made.t.source.close()
