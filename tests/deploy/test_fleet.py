"""What `deploy/` holds for a fleet parses, fits together, is confined, and holds configurations that load.

Neither Docker nor Kubernetes runs where these tests do: what can be said without them is said here.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from tailrace.cli.app import app
from tailrace.config.load import load
from tailrace.config.model import LISTEN

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
MANIFESTS: list[dict[str, Any]] = [
    document
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for document in yaml.safe_load_all(path.read_text())
]
WORKLOADS = [one for one in MANIFESTS if one["kind"] in ("DaemonSet", "Deployment", "StatefulSet")]
PORT = int(LISTEN.rpartition(":")[2])
OURS = [name for name, service in COMPOSE["services"].items() if service["image"] == "tailrace"]


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = [one for one in MANIFESTS if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def ids(workload: dict[str, Any]) -> str:
    return str(workload["metadata"]["name"])


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    return workload["spec"]["template"]["spec"]


def check_command(words: list[str]) -> None:
    """Hold that a command of ours exists with its flags."""
    command: Any = typer.main.get_command(app)
    while words and not words[0].startswith("-") and hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    flags = {flag for parameter in command.params for flag in parameter.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= flags


# --- images ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.sail"])
def test_an_image_copies_what_is_there_and_does_not_end_as_root(name: str) -> None:
    lines = (DEPLOY / name).read_text().splitlines()
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for line in lines:
        if line.startswith("COPY") and "--from=" not in line:
            *sources, _ = line.split()[1:]
            for source in sources:
                assert (ROOT / source).exists()
                assert f"!{source}" in ignored
    users = [line.split()[1] for line in lines if line.startswith("USER")]
    last = max(place for place, line in enumerate(lines) if line.startswith("FROM"))
    assert users
    assert any(line.startswith("USER") for line in lines[last:])
    assert not users[-1].startswith(("0", "root"))


def test_the_image_is_built_of_locked_packages_for_its_python() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert "--require-hashes" in text
    assert f"EXPOSE {PORT}\n" in text
    locked = (DEPLOY / "requirements.txt").read_text()
    for package in ("polars", "deltalake", "obstore", "psycopg", "pyspark-client", "grpcio", "confluent-kafka"):
        assert re.search(rf"^{package}==", locked, re.MULTILINE), package
    lock = (ROOT / "scripts" / "lock").read_text()
    python = re.search(r"--python-version (\S+)\)", lock)
    assert python is not None
    assert set(re.findall(r"FROM python:([0-9.]+)-slim", text)) == {python[1]}
    assert "deploy/requirements.txt" in lock
    known = dict(re.findall(r"^(\S+)==(\S+)", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE))
    assert {name: version for name, version in re.findall(r"^(\S+)==(\S+)", locked, re.MULTILINE) if known.get(name, version) != version} == {}  # fmt: skip


# --- compose --------------------------------------------------------------------------------------


def test_the_services_and_their_ports() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"tokens", "server", "writer", "agent", "prometheus", "alertmanager", "grafana"}
    for service in services.values():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")
    assert services["server"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)


@pytest.mark.parametrize("name", OURS)
def test_our_containers_are_confined(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in service  # the image's, who is not root
    if "entrypoint" not in service:
        check_command(list(service["command"]))


def test_the_tokens_are_made_by_commands_that_exist() -> None:
    lines = [line for line in COMPOSE["services"]["tokens"]["command"][0].splitlines() if line]
    made = [shlex.split(line.partition("||")[2]) for line in lines]
    for words in made:
        assert words[0] == "tailrace"
        check_command(words[1 : words.index(">")])
    assert [words[-1] for words in made] == ["/tokens/push", "/tokens/query"]


def test_files_and_volumes_that_are_named_are_there() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            name = volume.split(":")[0]
            assert name in COMPOSE["volumes"] or (DEPLOY / name).is_file(), volume


def test_configurations_of_compose_load_and_lead_to_each_other() -> None:
    server, agent = (load(DEPLOY / "compose" / f"{name}.yaml") for name in ("server", "agent"))
    assert server.listen == f"0.0.0.0:{PORT}"
    assert server.access.tokens == "required"
    assert [str(one) for one in agent.sinks[0].servers] == [f"http://server:{PORT}"]
    scrape = yaml.safe_load((DEPLOY / "compose" / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scrape["static_configs"] == [{"targets": [f"server:{PORT}"]}]
    assert scrape["authorization"] == {"credentials_file": "/tokens/query"}
    (source,) = yaml.safe_load((DEPLOY / "compose" / "grafana.yaml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("loki", f"http://server:{PORT}")
    assert source["secureJsonData"]["basicAuthPassword"] == "$__file{/tokens/query}"
    alerts = yaml.safe_load((DEPLOY / "compose" / "alertmanager.yml").read_text())
    assert alerts["route"]["receiver"] in [receiver["name"] for receiver in alerts["receivers"]]


def test_the_rules_of_compose_are_good() -> None:
    from typer.testing import CliRunner

    done = CliRunner().invoke(app, ["check", "rules", str(DEPLOY / "compose" / "rules.yaml")])
    assert done.exit_code == 0, done.output


# --- Kubernetes -----------------------------------------------------------------------------------


def test_the_kustomization_names_the_manifests() -> None:
    folder = DEPLOY / "kubernetes"
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    there = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml", "secrets.example.yaml"}
    assert set(listed) == there
    assert {one["kind"] for one in WORKLOADS} == {"DaemonSet", "Deployment", "StatefulSet"}


@pytest.mark.parametrize("workload", WORKLOADS, ids=ids)
def test_a_workload_is_whole(workload: dict[str, Any]) -> None:
    spec = workload["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    volumes = {one["name"] for one in pod(workload).get("volumes", ())}
    volumes |= {one["metadata"]["name"] for one in spec.get("volumeClaimTemplates", ())}
    for container in [*pod(workload).get("initContainers", ()), *pod(workload)["containers"]]:
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert {mount["name"] for mount in container.get("volumeMounts", ())} <= volumes
        ports = {port["name"] for port in container.get("ports", ())}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if not ports:
                continue
            target = container[probe].get("httpGet") or container[probe].get("tcpSocket")
            assert target is None or target["port"] in ports


@pytest.mark.parametrize("workload", WORKLOADS, ids=ids)
def test_a_workload_is_confined(workload: dict[str, Any]) -> None:
    whole = pod(workload)["securityContext"]
    assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
    root = whole["runAsUser"] == 0
    assert root == (ids(workload) == "tailrace-agent")
    assert root or whole["runAsNonRoot"] is True
    for container in [*pod(workload).get("initContainers", ()), *pod(workload)["containers"]]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"]["drop"] == ["ALL"]
        assert set(context["capabilities"].get("add", ())) <= ({"DAC_READ_SEARCH"} if root else set())
    if root:
        paths = {mount["mountPath"]: mount.get("readOnly") for mount in pod(workload)["containers"][0]["volumeMounts"]}
        assert paths["/var/log/pods"] is True


def test_services_lead_to_ports_that_are_there() -> None:
    for service in (one for one in MANIFESTS if one["kind"] == "Service"):
        (workload,) = [one for one in WORKLOADS if ids(one) == service["metadata"]["name"]]
        assert service["spec"]["selector"].items() <= workload["spec"]["template"]["metadata"]["labels"].items()
        ports = {one["name"]: one["containerPort"] for one in pod(workload)["containers"][0]["ports"]}
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]
    assert pod(named("StatefulSet", "tailrace-server"))["containers"][0]["ports"][0]["containerPort"] == PORT


def test_policies_let_in_those_who_are_told_to_come() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in MANIFESTS if one["kind"] == "NetworkPolicy"}
    assert policies.pop("nobody") == {"podSelector": {}, "policyTypes": ["Ingress"]}
    ports = {one["metadata"]["name"]: one["spec"]["ports"][0]["port"] for one in MANIFESTS if one["kind"] == "Service"}
    for spec in policies.values():
        target = spec["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
        named_ports = {port["port"] for rule in spec["ingress"] for port in rule.get("ports", ())}
        assert named_ports == ({ports[target]} if target in ports else set())


def test_secrets_that_are_asked_for_are_in_the_example() -> None:
    secrets = {one["metadata"]["name"]: set(one["stringData"]) for one in MANIFESTS if one["kind"] == "Secret"}
    for workload in WORKLOADS:
        for container in pod(workload)["containers"]:
            for one in container.get("env", ()):
                if reference := one.get("valueFrom", {}).get("secretKeyRef"):
                    assert reference["key"] in secrets[reference["name"]]
            for one in container.get("envFrom", ()):
                assert one["secretRef"]["name"] in secrets
        for volume in pod(workload).get("volumes", ()):
            if secret := volume.get("secret"):
                assert {item["key"] for item in secret.get("items", ())} <= secrets[secret["secretName"]]


@pytest.mark.parametrize(("kind", "name"), [("StatefulSet", "tailrace-server"), ("DaemonSet", "tailrace-agent")])
def test_commands_and_configurations_of_ours(kind: str, name: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TAILRACE_CONTROL", "postgresql://tailrace:x@postgres:5432/tailrace")
    container = pod(named(kind, name))["containers"][0]
    check_command(list(container["args"]))
    ((file, text),) = named("ConfigMap", name)["data"].items()
    assert container["args"][1] == f"--config=/etc/tailrace/{file}"
    (tmp_path / file).write_text(text)
    config = load(tmp_path / file)
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    for path in re.findall(r"(?:certificate|key|\w+_file|data): (/\w+)", text):
        assert path in mounted
    if kind == "StatefulSet":
        assert config.engine.cluster is not None
        sail = named("Service", "sail")
        assert config.engine.cluster.reveal() == f"spark://sail:{sail['spec']['ports'][0]['port']}"
        assert config.listen == f"0.0.0.0:{PORT}"
    else:
        assert [str(one) for one in config.sinks[0].servers] == [f"https://tailrace-server.tailrace.svc:{PORT}"]


def test_settings_of_sail_are_those_that_it_knows() -> None:
    native = pytest.importorskip("pysail._native", reason="pysail says which settings it has").__file__
    known = set(re.findall(rb"- key: ([a-z_.]+)", Path(native).read_bytes()))
    container = pod(named("Deployment", "sail"))["containers"][0]
    settings = [one for one in container["env"] if one["name"].startswith("SAIL_")]
    assert len(settings) > 8
    for one in settings:
        key = one["name"].removeprefix("SAIL_").lower().replace("__", ".").encode()
        assert key in known, one["name"]
    (template,) = [one["value"] for one in settings if one["name"].endswith("POD_TEMPLATE")]
    worker = json.loads(template)
    assert worker["spec"]["securityContext"]["runAsNonRoot"] is True
    policy = named("NetworkPolicy", "to-sail-workers")["spec"]["podSelector"]["matchLabels"]
    assert policy.items() <= worker["metadata"]["labels"].items()


def test_the_system_user_is_declared() -> None:
    lines = (DEPLOY / "sysusers.d" / "tailrace.conf").read_text().splitlines()
    kinds = [line.split()[:2] for line in lines if line and not line.startswith("#")]
    assert kinds[0] == ["u", "tailrace"]
    assert {kind for kind, _ in kinds[1:]} == {"m"}
