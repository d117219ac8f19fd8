"""`tailrace dead-letters`, over a receiver that first refuses and then takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sinks.receivers import POISON, FakeLoki, around, serving
from store.rows import batch
from tailrace.cli.app import execute
from tailrace.sinks.loki.settings import LokiSettings
from tailrace.sinks.loki.sink import loki_sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FakeTaking(FakeLoki):
    """Refuses what is poisonous until it is told to take it."""

    takes = False

    def answer(self, method, path, headers, body):
        return super().answer(method, path, headers, body.replace(POISON.encode(), b"cured") if self.takes else body)


@pytest.fixture
def fake() -> Iterator[FakeTaking]:
    with serving(FakeTaking()) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path, fake: FakeTaking) -> list[str]:
    """Flags of a data folder of which a sink `loki` set aside two rows of one batch and one of another."""
    data = tmp_path / "data"
    sink = loki_sink(LokiSettings(url=fake.url), around(data, "loki"))
    sink.submit(batch([f"{POISON} 1", "fine", f"{POISON} 2"], "agent-1", 3, status=[1, 2, 3])).result(60)
    sink.submit(batch([f"{POISON} 3"], "agent-1", 4)).result(60)
    sink.close()
    config = tmp_path / "tailrace.yaml"
    config.write_text(f"data: {data}\nsources: []\nsinks: [{{type: loki, url: '{fake.url}'}}]\n")
    return ["--config", str(config)]


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = execute(["dead-letters", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def ids(capsys, folder: list[str]) -> list[str]:
    code, out, _ = run(capsys, "list", "--output", "jsonl", *folder)
    assert code == 0
    return [json.loads(line)["id"] for line in out.splitlines()]


def test_the_list_says_which_how_many_and_why(capsys, folder: list[str]) -> None:
    code, out, _ = run(capsys, "list", *folder)
    first, second = out.splitlines()
    assert code == 0
    assert first.startswith("loki/agent-1-3  20")
    assert "Z  2 rows  http://127.0.0.1:" in first
    assert "answered 400: entry refused" in first
    assert "1 rows" in second
    assert run(capsys, "list", "other", *folder)[1:] == ("", "no dead letters\n")


def test_a_letter_is_shown_row_by_row(capsys, folder: list[str]) -> None:
    code, out, _ = run(capsys, "show", "loki/agent-1-3", *folder)
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [(one["row"], one["line"], one["fields"]) for one in rows] == [
        (0, f"{POISON} 1", {"status": 1}),
        (2, f"{POISON} 2", {"status": 3}),
    ]
    assert len(run(capsys, "show", "loki/agent-1-3", "--limit", "1", *folder)[1].splitlines()) == 1


def test_replay_delivers_what_is_taken_now_and_forgets_it(capsys, folder: list[str], fake: FakeTaking) -> None:
    assert run(capsys, "replay", *folder) == (1, "", "0 rows delivered, 3 refused again\n")
    assert ids(capsys, folder) == ["loki/agent-1-3", "loki/agent-1-4"]
    fake.takes = True
    assert run(capsys, "replay", "--letter", "loki/agent-1-3", *folder) == (
        0,
        "",
        "2 rows delivered, 0 refused again\n",
    )
    assert ids(capsys, folder) == ["loki/agent-1-4"]
    assert run(capsys, "replay", "loki", *folder)[0] == 0
    assert ids(capsys, folder) == []
    assert sorted(fake.lines()) == ["cured 1", "cured 2", "cured 3", "fine"]


def test_replay_to_a_receiver_that_is_away_keeps_everything(capsys, folder: list[str], fake: FakeTaking) -> None:
    fake.faults += [None] * 100
    code, _, err = run(capsys, "replay", *folder)
    assert code == 1
    assert "sink loki" in err
    assert len(ids(capsys, folder)) == 2


def test_replay_without_its_sink_says_what_to_do(capsys, folder: list[str], tmp_path: Path) -> None:
    config = tmp_path / "other.yaml"
    config.write_text(f"data: {tmp_path / 'data'}\nsources: []\n")
    code, _, err = run(capsys, "replay", "--config", str(config))
    assert code != 0
    assert "there is no sink 'loki' any more" in err


def test_drop_asks_which_and_forgets_for_good(capsys, folder: list[str]) -> None:
    assert run(capsys, "drop", *folder)[0] == 2
    assert run(capsys, "drop", "--letter", "loki/nothing", *folder)[0] == 2
    assert run(capsys, "drop", "--letter", "loki/agent-1-4", *folder) == (0, "", "1 rows dropped\n")
    assert run(capsys, "drop", "--all", *folder) == (0, "", "2 rows dropped\n")
    assert ids(capsys, folder) == []
