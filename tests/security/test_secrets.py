"""Secrets are planted everywhere, and looked for in everything that is said: pages, answers, logs, files, commands."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from security.conftest import House, routes, running
from security.test_permissions import filled
from tailrace.access.sealed import FILE, open_seal
from tailrace.access.settings import TlsSettings
from tailrace.access.tls import server_context
from tailrace.cli.app import execute
from tailrace.config.model import Config
from tailrace.errors import ConfigError
from tailrace.web.permissions import permission

PLANTED = "canary-secret-e81f"
RECEIVER = {
    "name": "ours",
    "webhook": {"url": f"https://93.184.216.34/{PLANTED}", "bearer_token": PLANTED, "headers": {"X-Key": PLANTED}},
    "email": {"smarthost": "93.184.216.34:25", "from": "a@example.com", "to": "b@example.com", "username": "u",
              "password": PLANTED},
    "pagerduty": {"routing_key": PLANTED},
}  # fmt: skip
ALERTS = {"receivers": [RECEIVER], "route": {"receiver": "ours"}}
MISTAKES = [{"webhook": {"url": f"ftp://{PLANTED}"}}, {"webhook": {"bearer_token": [PLANTED]}}, {"pagerduty": {"routing_key": {"x": PLANTED}}}]  # fmt: skip


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server whose configuration and whose saved receivers hold secrets, and that needs tokens."""
    with running(tmp_path_factory.mktemp("planted"), access={"tokens": "required"}, alerts=ALERTS) as house:
        with house.client("admin") as client:
            body = {"receiver": {**RECEIVER, "name": "saved"}}
            assert client.put("/api/v1/receivers/saved", json=body).status_code == 200
        yield house


def test_no_answer_holds_a_secret(planted: House, caplog: pytest.LogCaptureFixture) -> None:
    secrets = [PLANTED, *planted.tokens.values()]
    leaks = []
    with caplog.at_level(logging.DEBUG), planted.client("operator") as client:
        for method, path in routes(planted.app):
            if method not in {"GET", "POST"} or path.endswith(("/live", "/tail", "/test")) or "openapi" in path:
                continue
            for name in ("x", "saved", "ours"):
                where = filled(path).replace("/x", f"/{name}")
                asked = {"query": '{app=~".+"}', "q": '{app=~".+"}'}
                text = client.request(method, where, params=asked if method == "GET" else None).text
                leaks += [(method, where) for secret in secrets if secret in text]
        for wrong in MISTAKES:
            text = client.put("/api/v1/receivers/wrong", json={"receiver": wrong}).text
            leaks += [("PUT", str(wrong)) for secret in secrets if secret in text]
    assert leaks == []
    assert [one for one in caplog.messages for secret in secrets if secret in one] == []


def test_no_file_holds_a_token_or_a_secret(planted: House) -> None:
    secrets = [PLANTED.encode(), *(token.encode() for token in planted.tokens.values())]
    files = [path for path in planted.data.rglob("*") if path.is_file()]
    assert len(files) > 2
    assert [path for path in files for secret in secrets if secret in path.read_bytes()] == []


def test_the_audit_log_says_who_and_what_and_no_secret(planted: House) -> None:
    with planted.client("admin") as client:
        client.delete("/loki/api/v1/rules/none")
        entries = client.get("/api/v1/audit").json()["entries"]
    newest = entries[0]
    assert {key: newest[key] for key in ("who", "peer", "what", "status")} == {
        "who": "admin", "peer": "127.0.0.1", "what": "DELETE /loki/api/v1/rules/none", "status": 404,
    }  # fmt: skip
    assert any(one["what"] == "PUT /api/v1/receivers/saved" and one["status"] == 200 for one in entries)
    assert PLANTED not in str(entries)


def test_a_refused_change_is_written_down_too(planted: House) -> None:
    assert permission("PUT", "/api/v1/receivers/x").audited
    with planted.client("admin") as client:
        client.put("/api/v1/receivers/evil", json={"receiver": {"webhook": "http://127.0.0.1/"}})
        (newest, *_) = client.get("/api/v1/audit?limit=1").json()["entries"]
    assert (newest["what"], newest["status"]) == ("PUT /api/v1/receivers/evil", 400)


def test_commands_show_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import yaml

    file = tmp_path / "tailrace.yaml"
    file.write_text(yaml.safe_dump({"data": str(tmp_path / "d"), "sources": [], "alerts": ALERTS}))
    assert execute(["token", "create", "one", "--config", str(file)]) == 0
    token = capsys.readouterr().out.strip()
    assert token.startswith("trl_")
    for command in (["config", "show"], ["token", "list"], ["audit"], ["check", "config", str(file)]):
        more = [] if command[0] == "check" else ["--config", str(file)]
        assert execute([*command, *more]) == 0
        said = "".join(capsys.readouterr())
        assert PLANTED not in said
        assert token not in said


# --- files in the data folder -----------------------------------------------------------------------


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"k" * 32)
    (tmp_path / FILE).chmod(0o644)
    with pytest.raises(ConfigError, match="others may use it"):
        open_seal(tmp_path)


def test_a_key_that_is_a_link_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"k" * 32)
    elsewhere.chmod(0o600)
    (tmp_path / FILE).symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="cannot be used"):
        open_seal(tmp_path)


def test_a_key_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    first, second = open_seal(tmp_path), open_seal(tmp_path)
    assert second.open(first.seal("text", "of"), "of") == "text"
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_the_control_database_is_not_for_everybody(planted: House) -> None:
    files = [path for path in planted.data.iterdir() if path.name.startswith("control.sqlite")]
    assert files
    assert [path.name for path in files if path.stat().st_mode & 0o007] == []


def test_a_password_in_the_address_of_a_bucket_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValidationError, match="no user and password") as refused:
        Config.model_validate({"table": f"s3://key:{PLANTED}@bucket/logs"})
    assert [one for one in refused.value.errors(include_input=False, include_url=False) if PLANTED in str(one)] == []


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"short")
    (tmp_path / FILE).chmod(0o600)
    with pytest.raises(ConfigError, match="no key of 32 bytes"):
        open_seal(tmp_path)


def test_a_certificate_key_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("x")
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="everybody may use"):
        server_context(TlsSettings(certificate=key))


# --- who may listen ---------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::"])
def test_an_open_address_without_tokens_is_refused(tmp_path: Path, host: str) -> None:
    from tailrace.access.guard import guard_of
    from tailrace.access.settings import AccessSettings
    from tailrace.access.tokens import Tokens
    from tailrace.clock import ManualClock
    from tailrace.control import Control

    control, clock = Control.open(tmp_path), ManualClock()
    tokens, where = Tokens(control, clock), (host, 0)
    with pytest.raises(ConfigError, match="can be reached from other machines"):
        guard_of(AccessSettings(), TlsSettings(), where, tokens, clock)
    tokens.create("short", ["query"], lives_ns=10)
    assert not guard_of(AccessSettings(), TlsSettings(), where, tokens, clock).open
    clock.advance(1)
    with pytest.raises(ConfigError):  # the one token has expired
        guard_of(AccessSettings(), TlsSettings(), where, tokens, clock)
    assert not guard_of(AccessSettings(tokens="required"), TlsSettings(), where, tokens, clock).open
    control.close()
