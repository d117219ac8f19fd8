"""The aggregation spec of a file-event trace, as JSON or YAML has it: channels and event filters.

Comes in: the document's mapping. Goes out: `Document`, checked. Refuses types, functions, outputs, events and channels
that do not exist, and parameters that are no numbers, each with what is known. Unknown keys are no mistake: documents
of others may have more; `warnings` names them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import ConfigDict, Field, PrivateAttr, field_validator, model_validator

from tailrace.channels import ChannelSettings, FileChannel, GrpcChannel
from tailrace.errors import did_you_mean
from tailrace.reduce.rules import RuleError
from tailrace.reduce.traceleft.outputs import OUTPUTS
from tailrace.reduce.traceleft.parameters import numbers, one_of, pairs
from tailrace.reduce.traceleft.rule import EventRule
from tailrace.settings import Settings
from tailrace.syscalls.events import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

FUNCTIONS: Final = ("sigma",)
TYPES: Final = ("file", "grpc")
FORMATS: Final = ("", "text", "json", "collector_spec_pb", "traceleft", "otlp")
_SIGMA: Final = ("frequency", "threshold", "window", "max_keys")


class _Part(Settings):
    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True)

    def unknown(self) -> Iterable[str]:
        """Return the keys that mean nothing here."""
        return self.model_extra or ()


class ChannelPart(_Part):
    """Where alerts go."""

    id: Annotated[str, Field(min_length=1)]
    """Name of the channel."""

    type: str
    """`file` or `grpc`."""

    path: Annotated[str, Field(min_length=1)]
    """Path of the file, or `host:port` of the receiver."""

    insecure: bool = False
    """Send to the receiver without TLS."""

    ca_file: str = ""
    """Certificates to trust instead of the system's, as PEM."""

    @field_validator("type")
    @classmethod
    def _known(cls, value: str) -> str:
        return one_of(value, TYPES, "channel type")

    def settings(self, formats: set[str]) -> ChannelSettings:
        """Return the channel's settings; event filters that use it say in which formats."""
        if self.type == "file":
            return FileChannel(name=self.id, path=self.path, format="json" if formats == {"json"} else "events")
        form = "otlp" if formats == {"otlp"} else "traceleft"
        return GrpcChannel(name=self.id, path=self.path, format=form, insecure=self.insecure, ca_file=self.ca_file)


class FunctionPart(_Part):
    """How events are thinned out before an alert."""

    id: str = "sigma"
    """The processing function."""

    parameters: str = ""
    """`key=number` pairs, with semicolons between them."""

    @field_validator("id")
    @classmethod
    def _known(cls, value: str) -> str:
        return one_of(value, FUNCTIONS, "function")

    @field_validator("parameters")
    @classmethod
    def _numbers(cls, value: str) -> str:
        numbers(value, _SIGMA)
        return value

    @property
    def values(self) -> dict[str, int]:
        """The parameters as numbers."""
        return numbers(self.parameters, _SIGMA)


class OutputPart(_Part):
    """What is told of the events that passed."""

    metrics: str = "alerts_per_sec"
    """The output function."""

    format: str = ""
    """How alerts are written: `text`, `json`, `otlp`; `collector_spec_pb` means the trace's own messages."""

    parameters: str = ""
    """`key=value` pairs of the output function, with semicolons between them: `field`, `k`, `q`, `window`."""

    @field_validator("metrics")
    @classmethod
    def _known(cls, value: str) -> str:
        return one_of(value, tuple(OUTPUTS), "output function")

    @field_validator("format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        return one_of(value, FORMATS, "format")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        OUTPUTS[self.metrics].check(self.values)
        return self

    @property
    def values(self) -> dict[str, str]:
        """The parameters as text."""
        return pairs(self.parameters, ("field", "k", "q", "window"))


class EventPart(_Part):
    """One filter: which events, thinned out how, told in which way."""

    name: str
    """Name of the event."""

    channel: str
    """The channel that alerts go to."""

    stream: str = ""
    """A tag, carried as a label."""

    group: str = ""
    """A tag, carried as a label."""

    rule: str = ""
    """Condition over the event's arguments; empty takes every event of the name."""

    function: FunctionPart = FunctionPart()
    """The processing function."""

    output: OutputPart = OutputPart()
    """The output function."""

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        return one_of(value, tuple(EVENTS), "event")

    @model_validator(mode="after")
    def _rule_fits(self) -> Self:
        try:
            EventRule(self.rule, self.name)
        except RuleError as error:
            raise ValueError(f"rule: {error}") from error
        arguments = len(EVENTS[self.name])
        for word in re.findall(r"\barg(\d+)\b", re.sub(r"'(?:[^']|'')*'", "", self.rule)):
            if not 1 <= int(word) <= arguments:
                names = ", ".join(f"arg{n} {a.name}" for n, a in enumerate(EVENTS[self.name], 1))
                raise ValueError(f"rule: {self.name} has no arg{word}; it has {names}")
        return self


class Document(_Part):
    """An aggregation spec: channels, and filters of events."""

    channels: tuple[ChannelPart, ...] = ()
    """Where alerts go."""

    events: tuple[EventPart, ...]
    """The filters; each sees every event."""

    _warnings: tuple[str, ...] = PrivateAttr(())

    @model_validator(mode="after")
    def _refers_to_channels(self) -> Self:
        if not self.events:
            raise ValueError("events: there is none, so nothing would be told")
        ids = [channel.id for channel in self.channels]
        for number, ident in enumerate(ids):
            if ident in ids[:number]:
                raise ValueError(f"channels[{number}].id: {ident!r} is the id of channels[{ids.index(ident)}] already")
        for number, event in enumerate(self.events):
            if event.channel not in ids:
                hint = did_you_mean(event.channel, ids) or f"known: {', '.join(ids) or 'none'}"
                raise ValueError(f"events[{number}].channel: there is no channel {event.channel!r}; {hint}")
        self._warnings = tuple(_unknown(self, "$"))
        return self

    @property
    def warnings(self) -> tuple[str, ...]:
        """Keys that mean nothing, by their place."""
        return self._warnings

    def channel_settings(self) -> tuple[ChannelSettings, ...]:
        """Return the settings of the channels."""
        return tuple(
            channel.settings({event.output.format for event in self.events if event.channel == channel.id})
            for channel in self.channels
        )


def is_document(value: Any) -> bool:  # whatever a file holds
    """Tell whether a mapping is an aggregation spec, not a spec of our own."""
    return isinstance(value, dict) and "events" in value and "steps" not in value


def _unknown(part: _Part, place: str) -> Iterable[str]:
    for key in part.unknown():
        yield f"{place}.{key}: this key means nothing here"
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, _Part):
            yield from _unknown(value, f"{place}.{name}")
        elif isinstance(value, tuple):
            for number, one in enumerate(value):
                if isinstance(one, _Part):
                    yield from _unknown(one, f"{place}.{name}[{number}]")
