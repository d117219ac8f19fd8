"""Which sinks are put before which, as the configuration says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from store.rows import batch, lines
from tailrace.agent.wiring import make_sink, make_writers
from tailrace.clock import SystemClock
from tailrace.config.load import parse
from tailrace.errors import ConfigError
from tailrace.patience import Patience
from tailrace.sinks.fanout import Fanout
from tailrace.sinks.sending import SendingSink
from tailrace.sinks.store import StoreSink
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from pathlib import Path


def made(text: str, tmp_path: Path, accounts: Accounts, *, table: bool = True):
    config = parse(f"data: {tmp_path / 'data'}\nsources: []\n{text}")
    opened = LogTable.open(config.data, create=True) if table else None
    clock = SystemClock()
    return make_sink(config, opened, accounts=accounts, clock=clock, patience=Patience(clock))


@pytest.mark.parametrize(
    ("sinks", "kind"),
    [
        ("[{type: store}]", StoreSink),
        ("[{type: store}, {type: prometheus, url: 'http://127.0.0.1:1'}]", StoreSink),
        ("[{type: file, path: OUT}]", SendingSink),  # keeps positions by itself
        ("[{type: loki, url: 'http://127.0.0.1:1'}]", Fanout),
        ("[{type: store}, {type: file, path: OUT}]", Fanout),
    ],
)
def test_a_spool_is_made_where_a_crash_could_come_in_between(tmp_path: Path, sinks: str, kind: type) -> None:
    sink = made(f"sinks: {sinks.replace('OUT', str(tmp_path / 'out'))}", tmp_path, Accounts())
    assert type(sink) is kind
    sink.close()


def test_a_batch_goes_to_the_table_and_to_files_and_is_counted(tmp_path: Path) -> None:
    accounts = Accounts()
    sink = made(f"sinks: [{{type: store}}, {{type: file, path: {tmp_path / 'out'}}}]", tmp_path, accounts)
    sink.submit(batch(["one", "two"], "a", 0)).result(60)
    sink.close()
    assert lines(LogTable.open(tmp_path / "data")) == ["one", "two"]
    (path,) = (tmp_path / "out").iterdir()
    assert len(path.read_text().splitlines()) == 2
    shown = accounts.render()[0].decode()
    assert 'tailrace_sink_rows{sink="file",state="sent"} 2' in shown
    assert 'tailrace_sink_spool_bytes{sink="file"} 0' in shown


def test_a_program_without_a_table_cannot_store(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="without a table"):
        made("sinks: [{type: store}]", tmp_path, Accounts(), table=False)


def test_a_writer_of_metrics_stands_beside_the_sinks(tmp_path: Path) -> None:
    accounts = Accounts()
    config = parse("sinks: [{type: store}, {type: prometheus, url: 'http://127.0.0.1:1'}]")
    (writer,) = make_writers(config, accounts, SystemClock())
    writer.collect()
    assert 'tailrace_remote_write_samples{sink="prometheus",state="waiting"}' in accounts.render()[0].decode()
    writer.close()
    assert make_writers(parse(""), Accounts(), SystemClock()) == []
