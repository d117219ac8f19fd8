"""Files, flags and the environment, joined."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tailrace.config.load import load, parse, resolve
from tailrace.config.usual import PATHS
from tailrace.errors import ConfigError
from tailrace.limits import CONFIG_BYTES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tailrace.yaml"


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)


def test_no_file_is_a_valid_configuration() -> None:
    config = load()
    assert config.listen == "127.0.0.1:9080"
    assert config.sources[0].paths == PATHS


def test_flags_go_before_the_file(file: Path) -> None:
    file.write_text("listen: 127.0.0.1:1\nagent: a\n")
    config = load(file, {"listen": "127.0.0.1:2", "agent": None})
    assert (config.listen, config.agent) == ("127.0.0.1:2", "a")


def test_a_wrong_flag_is_named_as_the_flag(file: Path) -> None:
    file.write_text("agent: a\n")
    with pytest.raises(ConfigError) as caught:
        load(file, {"listen": "9080"})
    (problem,) = caught.value.problems
    assert str(problem) == "--listen: '9080' is no address with a port (write for example 127.0.0.1:9080)"


def test_several_problems_are_lines_that_editors_link(file: Path) -> None:
    file.write_text("host: 5\nlisten: x\n")
    assert refusal(file) == (
        "2 problems\n"
        f"{file}:1:7: $.host: expected text, got 5 (quote it)\n"
        f"{file}:2:9: $.listen: 'x' is no address with a port (write for example 127.0.0.1:9080)"
    )


def test_one_problem_is_one_line(file: Path) -> None:
    file.write_text("host: 5\n")
    assert refusal(file) == f"{file}:1:7: $.host: expected text, got 5 (quote it)"


def test_a_file_that_is_not_there(file: Path) -> None:
    assert refusal(file) == f"{file}: there is no such file"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: this is a folder; name the file in it"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(file: Path) -> None:
    file.touch(mode=0)
    assert refusal(file) == f"{file}: cannot be read: Permission denied"


def test_a_file_that_is_not_utf_8(file: Path) -> None:
    file.write_bytes(b"host: a\ndata: \xff\n")
    assert refusal(file) == f"{file}:2:1: $: not UTF-8 text (save it as UTF-8)"


def test_a_byte_order_mark_is_no_text(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfhost: a\n")
    assert load(file).host == "a"


def test_a_file_that_is_far_too_long(file: Path) -> None:
    file.write_bytes(b"#" * (CONFIG_BYTES + 1))
    assert refusal(file) == f"{file}: longer than {CONFIG_BYTES:,} bytes; this is no configuration"


def test_origins(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("host: a\nagent: ${AGENT}\nstore:\n  zstd_level: ${LEVEL:-5}\n")
    monkeypatch.setenv("AGENT", "b")
    monkeypatch.setenv("TAILRACE_DATA", "/srv/t")
    loaded = resolve(file, {"listen": "127.0.0.1:1"})
    assert loaded.origin(("host",)) == "file line 1"
    assert loaded.origin(("agent",)) == "file line 2, env AGENT"
    assert loaded.origin(("store", "zstd_level")) == "file line 4, env LEVEL"
    assert loaded.origin(("store", "compaction")) == "default"
    assert loaded.origin(("listen",)) == "flag --listen"
    assert loaded.origin(("data",)) == "env TAILRACE_DATA"
    assert str(loaded.config.data) == "/srv/t"


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert str(parse("data: ~/logs").data) == "/home/me/logs"
