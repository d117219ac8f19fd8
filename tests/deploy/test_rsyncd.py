"""What `deploy/` holds for the rsync daemon's exporter parses, and names only what exists."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.prometheus import PROMTOOL
from tailrace.cli.app import app
from tailrace.export import load_profile, shipped
from tailrace.export.counting import own_metrics

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "rsyncd" / "compose.yaml").read_text())


def _flags() -> set[str]:
    """Return the flags of `tailrace export`."""
    import typer.main

    command = typer.main.get_command(app).commands["export"]  # type: ignore[attr-defined]  a group has commands
    return {flag for parameter in command.params for flag in parameter.opts}


def _metrics() -> set[str]:
    """Return the names that a scrape of the profile shows."""
    names = set()
    for metric in (*load_profile("rsyncd").metrics, *own_metrics("rsyncd")):
        names |= (
            {metric.name + end for end in ("", "_bucket", "_sum", "_count")}
            if metric.type == "histogram"
            else {metric.name}
        )
    own = ("rotations_total", "truncations_total", "lag_bytes", "build_info")
    return names | {f"rsyncd_exporter_{name}" for name in own}


def test_the_services_are_those_of_the_demonstration() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"rsyncd", "pull", "app", "prometheus"}
    assert services["app"]["ports"] == ["127.0.0.1:8080:8080"]
    assert services["prometheus"]["ports"] == ["127.0.0.1:9090:9090"]
    scrape = yaml.safe_load((DEPLOY / "rsyncd" / "prometheus.yml").read_text())
    assert scrape["global"]["scrape_interval"] == "5s"
    assert scrape["scrape_configs"][0]["static_configs"] == [{"targets": ["app:8080"]}]


def test_the_daemon_is_the_one_that_is_pulled_from() -> None:
    config = configparser.ConfigParser()
    config.read_string("[global]\n" + (DEPLOY / "rsyncd" / "rsyncd.conf").read_text())
    assert config["global"]["port"] == "8737"
    assert "exercise" in config.sections()
    assert COMPOSE["services"]["pull"]["command"] == ["rsync://rsyncd:8737/exercise/"]
    log = config["global"]["log file"]
    assert f"--path_log_file={log}" in COMPOSE["services"]["app"]["command"]
    folder = COMPOSE["services"]["rsyncd"]["volumes"][0].split(":")[1]
    assert log.startswith(folder + "/")
    subprocess.run(["sh", "-n", str(DEPLOY / "rsyncd" / "pull")], check=True)


def test_files_and_volumes_that_are_named_are_there() -> None:
    for service in COMPOSE["services"].values():
        if build := service.get("build"):
            context = (DEPLOY / "rsyncd" / build["context"]).resolve()
            assert (context / build["dockerfile"]).is_file()
        for volume in service.get("volumes", ()):
            name = volume.split(":")[0]
            assert name in COMPOSE["volumes"] or (DEPLOY / "rsyncd" / name).is_file(), volume
    for folder, name in ((ROOT, "Dockerfile"), (DEPLOY / "rsyncd", "rsyncd/Dockerfile.rsyncd")):
        for line in (DEPLOY / name).read_text().splitlines():
            if line.startswith("COPY") and "--from=" not in line:
                *sources, _ = [word for word in line.split()[1:] if not word.startswith("--")]
                assert all((folder / source).exists() for source in sources), line


def test_the_exporter_is_started_with_flags_that_it_has() -> None:
    command = COMPOSE["services"]["app"]["command"]
    assert command[0] == "export"
    assert {word.partition("=")[0] for word in command[1:]} <= _flags()
    unit = (DEPLOY / "systemd" / "tailrace-export@.service").read_text()
    start = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    assert set(re.findall(r"(--[a-z_-]+)", start)) <= _flags()
    assert "rsyncd" in shipped()


def test_the_unit_has_its_sections() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]  keys of units have capitals
    unit.read(DEPLOY / "systemd" / "tailrace-export@.service")
    assert unit.sections() == ["Unit", "Service", "Install"]
    assert unit["Service"]["Restart"] == "on-failure"


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    board = json.loads((DEPLOY / "grafana" / "rsyncd.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    names = {name for expr in asked for name in re.findall(r"\brsyncd?_\w+", expr)}
    assert names <= _metrics()
    shown = {name.removesuffix("_bucket") for name in names}
    told = {metric.name for metric in load_profile("rsyncd").metrics if metric.name.startswith("rsyncd_")}
    assert told - shown <= {  # each other metric of the reference table has a panel
        "rsyncd_session_bytes",
        "rsyncd_session_total_size_bytes_total",
        "rsyncd_module_list_requests_total",
        "rsyncd_starts_total",
        "rsyncd_start_time_seconds",
    }
    places = [(p["gridPos"]["x"], p["gridPos"]["y"], p["gridPos"]["w"], p["gridPos"]["h"]) for p in board["panels"]]
    cells = [(x + i, y + j) for x, y, w, h in places for i in range(w) for j in range(h)]
    assert len(cells) == len(set(cells)), "panels overlap"


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (of prometheus) is not installed")
def test_prometheus_takes_its_configuration_and_the_dashboards_queries(tmp_path: Path) -> None:
    config = DEPLOY / "rsyncd" / "prometheus.yml"
    subprocess.run([str(PROMTOOL), "check", "config", str(config)], check=True, capture_output=True)
    board = json.loads((DEPLOY / "grafana" / "rsyncd.json").read_text())
    asked = [t["expr"].replace("$__rate_interval", "5m") for p in board["panels"] for t in p["targets"]]
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(asked)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
