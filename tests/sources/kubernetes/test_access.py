from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tailrace.sources.kubernetes.access import Access, access_of
from tailrace.sources.kubernetes.settings import KubernetesSettings

INSIDE = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443", "NODE_NAME": "node-a"}


def test_inside_a_cluster_its_own_api_is_asked(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    expected = Access("https://10.0.0.1:6443", "node-a", tmp_path / "token", tmp_path / "ca.crt")
    assert access_of(KubernetesSettings(), "host", INSIDE, tmp_path) == expected
    six = access_of(KubernetesSettings(node="n"), "host", INSIDE | {"KUBERNETES_SERVICE_HOST": "fd00::1"}, tmp_path)
    assert six is not None
    assert (six.url, six.node) == ("https://[fd00::1]:6443", "n")


def test_nothing_is_asked_elsewhere(tmp_path: Path) -> None:
    assert access_of(KubernetesSettings(), "host", {}, tmp_path) is None
    assert access_of(KubernetesSettings(), "host", INSIDE, tmp_path) is None  # no account
    (tmp_path / "token").write_text("t")
    assert access_of(KubernetesSettings(api="off"), "host", INSIDE, tmp_path) is None
    assert access_of(KubernetesSettings(file=tmp_path / "pods.json"), "host", INSIDE, tmp_path) is None


def test_an_address_that_is_named(tmp_path: Path) -> None:
    found = access_of(KubernetesSettings(api="http://127.0.0.1:8001/", token_file=tmp_path / "t"), "host", {})
    assert found == Access("http://127.0.0.1:8001", "host", tmp_path / "t")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="no address of an API"):
        KubernetesSettings(api="10.0.0.1")


def test_all_labels_as_labels_are_refused() -> None:
    with pytest.raises(ValidationError, match="not all labels"):
        KubernetesSettings(labels=("app", "*"))
