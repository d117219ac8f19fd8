"""Make channels from their settings.

Refuses a channel whose extra is not installed, before anything is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailrace.channels import FileChannel, GrpcChannel, OtlpChannel, PrometheusChannel, StdoutChannel
from tailrace.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl

    from tailrace.channels import ChannelSettings
    from tailrace.contracts import Channel
    from tailrace.telemetry import Accounts


def make(settings: Sequence[ChannelSettings], accounts: Accounts) -> Mapping[str, Channel]:
    """Return the channels by name; `store` is none: the reduction itself hands such rows on."""
    made = {one.name: _make(one, accounts) for one in settings if one.type != "store"}
    accounts.gauge(
        "tailrace_channel_rows",
        "Rows of channels: sent, given up, waiting.",
        lambda: [
            ({"channel": name, "state": state}, count)
            for name, channel in made.items()
            for state, count in channel.counters.items()
        ],
    )
    return made


def _make(settings: ChannelSettings, accounts: Accounts) -> Channel:
    from tailrace.sinks.channels.file import to_file, to_stdout

    match settings:
        case FileChannel():
            return to_file(settings)
        case StdoutChannel():
            return to_stdout(settings)
        case PrometheusChannel():
            return _Counting(settings.name, accounts)
        case GrpcChannel():
            return _needs_extra(settings.name, lambda: _module("grpc_stream").to_grpc(settings))
        case OtlpChannel():
            return _needs_extra(settings.name, lambda: _module("otlp").to_otlp(settings))
    raise AssertionError(settings)


def _module(name: str) -> Any:  # a module of this folder that imports what is optional
    from importlib import import_module

    return import_module(f"tailrace.sinks.channels.{name}")


def _needs_extra(name: str, make_it: Callable[[], Channel]) -> Channel:
    try:
        return make_it()
    except ModuleNotFoundError as error:
        hint = "install tailrace with the extra: tailrace[otlp]"
        raise ConfigError(
            [Problem(f"channel {name!r}", f"needs {error.name}, which is not installed", hint)]
        ) from error
    except OSError as error:
        raise ConfigError([Problem(f"channel {name!r}", str(error), "give a file that can be read")]) from error


class _Counting:
    """A channel that only counts its rows, by event."""

    def __init__(self, name: str, accounts: Accounts) -> None:
        self.name = name
        self._accounts = accounts
        self._sent = 0

    def send(self, rows: pl.DataFrame) -> None:
        """Count rows; an alert counts as the events that it stands for."""
        names = rows["name"].to_list() if "name" in rows.columns else [""] * len(rows)
        counts = rows["_count"].to_list() if "_count" in rows.columns else [1] * len(rows)
        for name, count in zip(names, counts, strict=True):
            text = "Rows that a reduction sent to a channel that counts them."
            self._accounts.count(
                "tailrace_channel_events_total", text, count or 1, channel=self.name, event=str(name or "")
            )
        self._sent += len(rows)

    @property
    def counters(self) -> Mapping[str, int]:
        """Rows that were counted."""
        return {"sent": self._sent}

    def close(self) -> None:
        """Do nothing: the counts stay."""
