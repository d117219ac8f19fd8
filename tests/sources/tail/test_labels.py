from __future__ import annotations

import pytest

from tailrace.sources.tail.labels import container_of, labels_of, service_of

ID = "0123456789ab" + "c" * 52


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/log/syslog", "syslog"),
        ("/var/log/app.log", "app"),
        ("/var/log/app.log.1", "app"),
        ("/var/log/my.app.log", "my.app"),
        ("/var/log/app-20260101.log", "app-20260101"),
        ("/var/log/app.log-20260101", "app"),
        ("/var/log/.log", ".log"),
        ("/var/log/2026.01.01", "2026"),
    ],
)
def test_service_names(path: str, expected: str) -> None:
    assert service_of(path) == expected


def test_kubernetes_pods() -> None:
    path = "/var/log/pods/shop_web-7d9f_5e0b/front-end/3.log"
    expected = {"namespace": "shop", "pod": "web-7d9f", "container": "front-end"}
    assert container_of(path) == expected
    assert container_of(path + ".20260101-120000") == expected


def test_kubernetes_containers_split_at_the_last_dash() -> None:
    path = f"/var/log/containers/web-7d9f_shop_front-end-{'a1' * 32}.log"
    assert container_of(path) == {"namespace": "shop", "pod": "web-7d9f", "container": "front-end"}
    assert container_of("/var/log/containers/web_shop_front-end-a1b2.log")["container"] == "front-end"  # cut id


def test_docker() -> None:
    assert container_of(f"/var/lib/docker/containers/{ID}/{ID}-json.log") == {"container": "0123456789ab"}
    assert container_of("/var/log/nginx/access.log") == {}


def test_labels_are_derived_and_can_be_replaced() -> None:
    found = labels_of("/var/log/nginx/access.log", host="h", source="files", extra={"env": "prod", "host": "other"})
    assert found == {
        "host": "other",
        "source": "files",
        "filename": "/var/log/nginx/access.log",
        "service_name": "access",
        "env": "prod",
    }
