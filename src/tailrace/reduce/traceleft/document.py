"""The aggregation spec of a file-event trace, as JSON or YAML has it: channels and event filters.

Comes in: the document's mapping. Goes out: `Document`, checked. Refuses types, functions, outputs, events and channels
that do not exist, and parameters that are no numbers, each with what is known, all of them at once. Unknown keys are no
mistake: documents of others may have more; `warnings` names them, and names in rules that no event of the kind has.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import ConfigDict, Field, ModelWrapValidatorHandler, field_validator, model_validator

from tailrace.channels import ChannelSettings, FileChannel, GrpcChannel
from tailrace.errors import did_you_mean
from tailrace.limits import STEP_KEYS_MOST
from tailrace.reduce.mistakes import with_mistakes
from tailrace.reduce.rules import Rule, RuleError
from tailrace.reduce.traceleft.outputs import OUTPUTS
from tailrace.reduce.traceleft.parameters import numbers, one_of, pairs
from tailrace.reduce.traceleft.rule import EventRule
from tailrace.settings import Mistake, Settings
from tailrace.syscalls.events import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

FUNCTIONS: Final = ("sigma",)
TYPES: Final = ("file", "grpc")
FORMATS: Final = ("", "text", "json", "collector_spec_pb", "traceleft", "otlp")
_MOST: Final = 10**12
_SIGMA: Final = {  # parameters of `sigma`, with their bounds
    "frequency": (-_MOST, _MOST),
    "threshold": (-_MOST, _MOST),
    "window": (1, 86_400),
    "max_keys": (1, STEP_KEYS_MOST),
    "expiry": (1, 31 * 86_400),
}
_OUTPUT: Final = ("field", "k", "q", "window")
_ADDRESS: Final = re.compile(r".+:\d+")


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

    @field_validator("parameters")
    @classmethod
    def _pairs(cls, value: str) -> str:
        pairs(value, _OUTPUT)
        return value

    @property
    def values(self) -> dict[str, str]:
        """The parameters as text."""
        return pairs(self.parameters, _OUTPUT)


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


class Document(_Part):
    """An aggregation spec: channels, and filters of events."""

    channels: tuple[ChannelPart, ...] = ()
    """Where alerts go."""

    events: tuple[EventPart, ...]
    """The filters; each sees every event."""

    @model_validator(mode="wrap")
    @classmethod
    def _fits(cls, value: object, handler: ModelWrapValidatorHandler[Document]) -> Document:
        """Look at what parts say of each other, also where a part is wrong in itself."""
        return with_mistakes(value, handler, _misfits(value) if isinstance(value, dict) else ())

    @property
    def warnings(self) -> tuple[str, ...]:
        """Keys that mean nothing, and names that no event of the kind has, by their place."""
        return (*_unknown(self, "$"), *_strangers(self.events))

    def channel_settings(self) -> tuple[ChannelSettings, ...]:
        """Return the settings of the channels."""
        return tuple(
            channel.settings({event.output.format for event in self.events if event.channel == channel.id})
            for channel in self.channels
        )


def is_document(value: Any) -> bool:  # whatever a file holds
    """Tell whether a mapping is an aggregation spec, not a spec of our own."""
    return isinstance(value, dict) and "events" in value and "steps" not in value


def _unknown(part: _Part, place: str) -> Iterator[str]:
    known = type(part).model_fields
    for key in part.unknown():
        hint = did_you_mean(key, known)
        yield f"{place}.{key}: this key means nothing here" + (f" ({hint})" if hint else "")
    for name in known:
        value = getattr(part, name)
        if isinstance(value, _Part):
            yield from _unknown(value, f"{place}.{name}")
        elif isinstance(value, tuple):
            for number, one in enumerate(value):
                if isinstance(one, _Part):
                    yield from _unknown(one, f"{place}.{name}[{number}]")


def _strangers(events: Sequence[EventPart]) -> Iterator[str]:
    for number, event in enumerate(events):
        for name, hint in EventRule(event.rule, event.name).strangers.items():
            what = f"{name!r} is no member of {event.name}, so it is taken as another field or a label"
            yield f"$.events[{number}].rule: {what}" + (f" ({hint})" if hint else "")


# --- what parts say of each other, read from the mapping as it came -----------------------------------------------


def _misfits(value: Mapping[str, object]) -> Iterator[Mistake]:
    channels, events = _mappings(value.get("channels")), _mappings(value.get("events"))
    if value.get("events") == []:
        yield Mistake("there is none, so nothing would be told", "add an event filter", ("events",))
    ids = [str(channel.get("id")) for _, channel in channels]
    for (number, channel), ident in zip(channels, ids, strict=True):
        first = channels[ids.index(ident)][0]
        if first != number:
            what = f"{ident!r} is the id of channels[{first}] already"
            yield Mistake(what, "choose another", ("channels", number, "id"))
        path = channel.get("path")
        if channel.get("type") == "grpc" and isinstance(path, str) and not _ADDRESS.fullmatch(path):
            yield Mistake(f"{path!r} is no address", "write host:port", ("channels", number, "path"))
    for number, event in events:
        yield from (_below(each, "events", number) for each in _misfits_of(event, ids))


def _misfits_of(event: Mapping[str, Any], ids: Sequence[str]) -> Iterator[Mistake]:
    """Yield what is wrong with one event filter."""
    channel, name, rule, output = (event.get(key) for key in ("channel", "name", "rule", "output"))
    if isinstance(channel, str | int) and str(channel) not in ids:
        hint = did_you_mean(str(channel), ids) or f"known: {', '.join(dict.fromkeys(ids)) or 'none'}"
        yield Mistake(f"there is no channel {str(channel)!r}", hint, ("channel",))
    for key in event:
        if key not in EventPart.model_fields and (hint := did_you_mean(key, {"name", "channel"} - event.keys())):
            yield Mistake(f"unknown key {key!r}", hint, (key,))
    if isinstance(rule, str) and rule.strip():
        known = isinstance(name, str) and name in EVENTS
        try:
            _ = EventRule(rule, str(name)) if known else Rule(rule)
        except RuleError as error:
            yield Mistake(str(error), error.hint, ("rule",))
    if isinstance(output, dict) and output.get("metrics") in OUTPUTS:
        try:
            values = pairs(str(output.get("parameters") or ""), _OUTPUT)
        except ValueError:  # which its own model tells
            return
        for what in OUTPUTS[output["metrics"]].check(values):
            yield Mistake(what, "", ("output", "parameters"))


def _below(mistake: Mistake, *place: str | int) -> Mistake:
    return Mistake(str(mistake), mistake.hint, (*place, *mistake.below))


def _mappings(value: object) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the mappings of a list with their numbers; what else is in it is wrong in itself."""
    items = value if isinstance(value, list | tuple) else ()
    return [(number, item) for number, item in enumerate(items) if isinstance(item, dict)]
