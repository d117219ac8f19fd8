"""Names of containers in paths, odd ones included."""

from __future__ import annotations

import pytest

from tailrace.sources.kubernetes.paths import Container, container_at, links_folder, live_path

ID = "0123456789ab" + "c" * 52


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/log/pods/shop_web-7d9f_5e0b/front-end/3.log", Container("shop", "web-7d9f", "front-end", "", "5e0b", "3")),
        ("/var/log/pods/shop_web_5e0b/c/0.log.20260101-120000", Container("shop", "web", "c", "", "5e0b", "0")),
        ("/var/log/pods/shop_web_5e0b/c/0.log.20260101-120000.gz", Container("shop", "web", "c", "", "5e0b", "0")),
        ("/var/log/pods/kube-system_etcd-a.example.com_b1a2/etcd/0.log",
         Container("kube-system", "etcd-a.example.com", "etcd", "", "b1a2", "0")),
        ("/host/var/log/pods/shop_web_5e0b/c/0.log", Container("shop", "web", "c", "", "5e0b", "0")),
        ("/srv/pods/shop_web_5e0b/c/0.log", Container("shop", "web", "c", "", "5e0b", "0")),  # --pod-logs-dir
        ("/var/log/pods/shop_web/c/0.log", Container("shop", "web", "c", "", "", "0")),  # no uid
        ("/var/log/pods/shop_web_5e0b/c/extra.log", Container("shop", "web", "c", "", "5e0b", "")),
        ("/var/log/pods/shop_web_5e0b/C_1/2.log", Container("shop", "web", "C_1", "", "5e0b", "2")),
        (f"/var/log/containers/web-7d9f_shop_front-end-{ID}.log", Container("shop", "web-7d9f", "front-end", ID)),
        ("/var/log/containers/web_shop_front-end-a1b2.log", Container("shop", "web", "front-end", "a1b2")),  # cut
        ("/var/log/containers/web_shop_front-xyz.log", Container("shop", "web", "front-xyz")),  # no id
        ("/var/log/containers/web_shop_cart.log", Container("shop", "web", "cart")),
        (f"/var/lib/docker/containers/{ID}/{ID}-json.log", Container(container_id=ID)),
        (f"/var/lib/docker/containers/{ID}/{ID}-json.log.1", Container(container_id=ID)),
    ],
)  # fmt: skip
def test_layouts(path: str, expected: Container) -> None:
    assert container_at(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/var/log/syslog",
        "/var/log/pods/not-a-pod/readme.log",
        "/var/log/containers/stray.log",
        "/home/me/pods/my_app/src/1.log",
        "/home/me/pods/my_app_2/src/notes.txt",
        "/srv/containers/my_app_test.log",
        "/var/log/pods/Shop_web_5e0b/c/0.log",  # no namespace has capitals
        f"/var/lib/docker/containers/{ID}/{'d' * 64}-json.log",
        "/var/log/nginx/access.log",
    ],
)
def test_other_files(path: str) -> None:
    assert container_at(path) is None


def test_labels_are_few_and_fields_are_the_rest() -> None:
    found = Container("shop", "web", "c", ID, "5e0b", "0")
    assert found.labels() == {"namespace": "shop", "pod": "web", "container": "c"}
    assert found.fields() == {"container_id": ID, "pod_uid": "5e0b", "restart": "0"}
    assert Container(container_id=ID).labels() == {"container": "0123456789ab"}
    assert Container().fields() == {}


def test_more_fills_gaps_only_but_the_longer_id_wins() -> None:
    first = Container("shop", "web", "", "a1b2")
    assert first.with_more(Container("other", "", "c", "a1b2c3", "u")) == Container("shop", "web", "c", "a1b2c3", "u")
    assert first.with_more(None) is first


def test_places_of_links_and_names_before_rotation() -> None:
    assert links_folder("/h/var/log/pods/a_b_c/d/0.log") == "/h/var/log/containers"
    assert links_folder(f"/h/var/lib/docker/containers/{ID}/{ID}-json.log.2") == "/h/var/log/containers"
    assert links_folder("/var/log/syslog") is None
    assert live_path("/p/0.log.20260305-101500") == "/p/0.log"
    assert live_path("/p/x-json.log.12.gz") == "/p/x-json.log"
