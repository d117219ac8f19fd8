"""What doctor sees of what a configuration names beside this machine."""

from __future__ import annotations

import importlib.util
import socket
from typing import TYPE_CHECKING

import pytest

from tailrace.cli import probes_fleet as probes
from tailrace.config.load import parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tailrace.cli.probes import Finding


def only(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_nothing_is_asked_of_a_machine_alone() -> None:
    config = parse("sources: []\n")
    probed = (probes.extras, probes.certificate, probes.receivers, probes.databases, probes.sinks)
    assert [finding for probe in probed for finding in probe(config)] == []


def test_libraries_that_are_not_here_are_named_with_who_needs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "confluent_kafka" else name)
    text = "sinks: [{type: store}, {type: kafka, brokers: ['a:1'], topic: t}]\nreceivers: [{type: otlp_grpc}]\n"
    kafka, otlp = probes.extras(parse(text))
    assert (kafka.state, kafka.what) == ("fail", "$.sinks[1]: needs a library that is not here")
    assert kafka.do == "pip install 'tailrace[kafka]'"
    assert (otlp.name, otlp.state) == ("extra otlp", "ok")


def test_a_certificate_that_is_not_there(tmp_path: Path) -> None:
    finding = only(probes.certificate(parse(f"tls: {{certificate: {tmp_path}/server.pem}}\n")))
    assert finding.state == "fail"
    assert finding.what == f"$.tls.certificate: {tmp_path}/server.pem cannot be read: No such file or directory"


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finding = only(probes.receivers(parse(f"receivers: [{{type: forward, listen: '127.0.0.1:{port}'}}]\n")))
    assert (finding.state, finding.what) == (
        "warn",
        f"127.0.0.1:{port} over tcp cannot be listened on: Address already in use",
    )
    assert "is Tailrace running already?" in finding.do


def test_what_to_do_about_a_port_that_is_not_for_users() -> None:
    assert probes.why_not(PermissionError(13, "Permission denied")).startswith("ports below 1024 are root's")


def test_others_that_are_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there, socket.socket() as away:
        away.bind(("127.0.0.1", 0))  # bound, and nobody listens
        free, taken = away.getsockname()[1], there.getsockname()[1]
        text = f"""
control: postgresql://ann:geheim@127.0.0.1:{free}/db
sinks:
  - {{type: ship, servers: ["http://127.0.0.1:{taken}", "http://127.0.0.1:{free}"]}}
"""
        config = parse(text)
        first, second = probes.sinks(config)
        database = only(probes.databases(config))
    assert (first.state, second.state) == ("ok", "warn")
    assert second.what == f"127.0.0.1:{free} cannot be reached: Connection refused"
    assert database.state == "fail"
    assert database.what.startswith(f"postgresql://ann:********@127.0.0.1:{free}/db: ")
    assert "geheim" not in str(database)
