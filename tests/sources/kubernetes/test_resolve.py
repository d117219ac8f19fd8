"""The same knowledge of a container, whichever way its log is reached."""

from __future__ import annotations

import json
from pathlib import Path

from sources.kubernetes.node import expected, make_node
from tailrace.sources.kubernetes.paths import Container
from tailrace.sources.kubernetes.resolve import resolve

KEYS = ("namespace", "pod", "container", "container_id", "pod_uid", "restart")


def containers() -> dict[str, Container]:
    """Return the expected container of each file."""
    found: dict[str, Container] = {}
    for record in expected():
        file = record["from"].rpartition(":")[0]
        container = Container(**{key: str(record[key]) for key in KEYS})
        assert found.setdefault(file, container) == container
    return found


def test_every_file_of_the_node_by_its_own_path(tmp_path: Path) -> None:
    node = make_node(tmp_path)
    wanted = containers()
    assert len(wanted) == 17
    assert {file: resolve(str(node / file)) for file in wanted} == wanted


def test_every_container_of_the_node_by_its_link(tmp_path: Path) -> None:
    node = make_node(tmp_path)
    links = [resolve(str(link)) for link in sorted((node / "var/log/containers").iterdir()) if link.is_symlink()]
    assert set(containers().values()) <= set(links)
    assert len(links) == 17  # and two of which no record is expected: an empty file, and a pod that is gone


def test_a_file_of_no_layout_is_nobodys(tmp_path: Path) -> None:
    node = make_node(tmp_path)
    assert resolve(str(node / "var/log/containers/stray.log")) is None
    assert resolve(str(node / "var/log/pods/not-a-pod/readme.log")) is None


def test_a_link_of_any_name_leads_to_its_container(tmp_path: Path) -> None:
    node = make_node(tmp_path)
    (node / "my.log").symlink_to("var/log/pods/shop_orders-0_2c8f3e74-5d90-4f3c-9e77-3c4d5e6f7a03/orders/0.log")
    found = resolve(str(node / "my.log"))
    assert found is not None
    assert (found.pod, found.container_id[:6]) == ("orders-0", "ba9401")


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert resolve(str(tmp_path / "a")) is None


def test_links_of_a_node_whose_folders_are_mounted_elsewhere(tmp_path: Path) -> None:
    """The kubelet's links are absolute, so they lead nowhere there; what they say is true all the same."""
    folder = tmp_path / "host/var/log/pods/shop_web_u1/c"
    folder.mkdir(parents=True)
    links = tmp_path / "host/var/log/containers"
    links.mkdir()
    for restart, digits in enumerate(("ab", "cd")):
        (folder / f"{restart}.log").write_text("x\n")
        (links / f"web_shop_c-{digits * 32}.log").symlink_to(f"/var/log/pods/shop_web_u1/c/{restart}.log")
    assert resolve(str(folder / "1.log")) == Container("shop", "web", "c", "cd" * 32, "u1", "1")
    assert resolve(str(folder / "2.log")) == Container("shop", "web", "c", "", "u1", "2")
    assert resolve(str(links / f"web_shop_c-{'ab' * 32}.log")) == Container("shop", "web", "c", "ab" * 32, "u1", "0")


def docker(tmp_path: Path, config: object) -> Container | None:
    digits = "ab" * 32
    folder = tmp_path / "var/lib/docker/containers" / digits
    folder.mkdir(parents=True)
    (folder / "config.v2.json").write_text(config if isinstance(config, str) else json.dumps(config))
    return resolve(str(folder / f"{digits}-json.log"))


def test_docker_tells_the_name(tmp_path: Path) -> None:
    found = docker(tmp_path, {"Name": "/web-1", "Config": {"Labels": {"com.docker.compose.service": "web"}}})
    assert found == Container(container="web-1", container_id="ab" * 32)


def test_docker_tells_the_pod(tmp_path: Path) -> None:
    labels = {"io.kubernetes.pod.name": "p", "io.kubernetes.pod.namespace": "n", "io.kubernetes.container.name": "c",
              "io.kubernetes.pod.uid": "u"}  # fmt: skip
    found = docker(tmp_path, {"Name": "/k8s_c_p_n_u_0", "Config": {"Labels": labels}})
    assert found == Container("n", "p", "c", "ab" * 32, "u")


def test_a_broken_file_of_docker_tells_nothing(tmp_path: Path) -> None:
    assert docker(tmp_path, "{") == Container(container_id="ab" * 32)
    for number, odd in enumerate(([], {"Name": None, "Config": None}, {"Config": {"Labels": []}})):
        assert docker(tmp_path / str(number), odd) is not None
