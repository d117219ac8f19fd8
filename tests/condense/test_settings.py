"""Settings: both spellings of the environment, the `.env` file, defaults, and what is refused."""

from __future__ import annotations

import re

import pytest

from tailrace.condense.settings import Settings, load, read_env_file
from tailrace.errors import ConfigError

HERE = {"ES_IP": "192.0.2.1"}


def test_the_defaults_are_those_that_the_seed_documents() -> None:
    assert load({}, HERE, {}) == Settings(
        url="https://192.0.2.1:9200",
        index=".ds-logs-fim.event-default*",
        page_size=256,
        action_buffer=1024,
        delete_buffer=100,
        delete_timeout_s=5.0,
        sleep_s=360.0,
        log_path="log",
        log_to_console=True,
        log_level="info",
    )


@pytest.mark.parametrize(
    ("environment", "name", "value"),
    [
        ({"CONDENSE_INDEX": "x*"}, "index", "x*"),
        ({"CONDENSE_PAGE_SIZE": "10"}, "page_size", 10),
        ({"CONDENSE_ACTION_BUFFER": "7"}, "action_buffer", 7),
        ({"CONDENSE_ACTION_BUFFER_SIZE": "8"}, "action_buffer", 8),
        ({"CONDENSE_ACTION_BUFFER": "8", "CONDENSE_ACTION_BUFFER_SIZE": "8"}, "action_buffer", 8),
        ({"CONDENSE_DELETE_BUFFER": "0"}, "delete_buffer", 0),
        ({"CONDENSE_DELETE_TIMEOUT": "0.5"}, "delete_timeout_s", 0.5),
        ({"CONDENSE_AGGREGATION_SLEEP": "20"}, "sleep_s", 20.0),
        ({"CONDENSE_LOG_PATH": "/var/log/x"}, "log_path", "/var/log/x"),
        ({"CONDENSE_LOG_TO_CONSOLE": "False"}, "log_to_console", False),
        ({"CONDENSE_LOG_CONSOLE": "false"}, "log_to_console", False),
        ({"CONDENSE_LOG_TO_CONSOLE": "True"}, "log_to_console", True),
        ({"CONDENSE_LOG_CONSOLE": "true"}, "log_to_console", True),
        ({"RUST_LOG": "debug"}, "log_level", "debug"),
        ({"RUST_LOG": "watchy=warn"}, "log_level", "warn"),
        ({"ES_PORT": "9201"}, "url", "https://192.0.2.1:9201"),
        ({"ES_IP": "http://es:9200"}, "url", "http://es:9200"),
        ({"ES_IP": "2001:db8::1"}, "url", "https://[2001:db8::1]:9200"),
        ({"CERT_PATH": ""}, "ca_file", ""),
        ({"CERT_PATH": ""}, "insecure", False),
        ({"ES_USER": "u", "ES_PASSWORD": "p"}, "password", "p"),
        ({"ES_API_KEY": "k"}, "api_key", "k"),
    ],
)
def test_names_of_the_environment(environment, name, value) -> None:
    assert getattr(load({}, HERE | environment, {}), name) == value
    assert getattr(load({}, {}, HERE | environment), name) == value


def test_flags_go_before_the_environment_and_that_before_the_file() -> None:
    file = HERE | {"CONDENSE_PAGE_SIZE": "1", "CONDENSE_DELETE_BUFFER": "1", "CONDENSE_INDEX": "file"}
    environment = {"CONDENSE_PAGE_SIZE": "2", "CONDENSE_DELETE_BUFFER": "2", "ES_IP": ""}
    found = load({"page_size": 3, "index": None}, environment, file)
    assert (found.page_size, found.delete_buffer, found.index, found.url) == (3, 2, "file", "https://192.0.2.1:9200")


def test_credentials_leave_the_address_and_are_not_shown() -> None:
    found = load({"url": "https://el%40stic:s%3Acret@es:9200/prefix/"}, {}, {})
    assert (found.url, found.user, found.password) == ("https://es:9200/prefix", "el@stic", "s:cret")
    assert "s:cret" not in repr(found)
    assert "key" not in repr(load({}, HERE | {"ES_API_KEY": "key"}, {}))


def test_secrets_from_files(tmp_path) -> None:
    (tmp_path / "p").write_text(" se cret\n")
    found = load({"password_file": str(tmp_path / "p"), "user": "u"}, HERE, {})
    assert found.password == "se cret"
    assert load({}, HERE | {"ES_API_KEY_FILE": str(tmp_path / "p")}, {}).api_key == "se cret"


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"ES_IP": ""}, "no address"),
        ({"CONDENSE_PAGE_SIZE": "0"}, "CONDENSE_PAGE_SIZE: expected 1 to 10,000, got 0"),
        ({"CONDENSE_PAGE_SIZE": "10001"}, "expected 1 to 10,000"),
        ({"CONDENSE_PAGE_SIZE": "x"}, "expected a number, got 'x'"),
        ({"CONDENSE_LOG_CONSOLE": "maybe"}, "expected true or false"),
        ({"CONDENSE_ACTION_BUFFER": "1", "CONDENSE_ACTION_BUFFER_SIZE": "2"}, "CONDENSE_ACTION_BUFFER_SIZE: differs"),
        ({"CERT_PATH": "/none"}, "/none: there is no such file"),
        ({"ES_USER": "u", "ES_API_KEY": "k"}, "a user and an API key"),
        ({"ES_PASSWORD_FILE": "/none"}, "/none: cannot be read"),
        ({"ES_IP": "ftp://es"}, "expected https://host:9200"),
        ({"ES_IP": "http://es:port"}, "no URL"),
        ({"ES_IP": "https://u:hunter/2@es:9200"}, "write them as %2F"),
        ({"ES_IP": "https://u:1234#2@es:9200"}, "write them as %2F"),
        ({"ES_IP": "https://u:hunter@es:x"}, "this is no URL (expected https://host:9200)"),
        ({"ES_IP": "https://u:hunter@[::1"}, "this is no URL (expected https://host:9200)"),
    ],
)
def test_what_is_refused(environment, says) -> None:
    with pytest.raises(ConfigError) as caught:
        load({}, HERE | environment, {})
    assert says in str(caught.value)
    assert not re.search("hunter|1234", str(caught.value))


def test_an_env_file(tmp_path) -> None:
    path = tmp_path / ".env"
    path.write_text("\ufeff# comment\nA=1\n export B = 'x # y' # z\nC=\"q\"\nD=a#b # c\nE=\n\nF=a=b\n")
    assert read_env_file(path) == {"A": "1", "B": "x # y", "C": "q", "D": "a#b", "E": "", "F": "a=b"}
    path.write_text("A=1\nwhat is this\n")
    with pytest.raises(ConfigError, match="expected NAME=value"):
        read_env_file(path)
