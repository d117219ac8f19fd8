"""What can be configured: the settings of every component, put together.

Each component's model lives beside the component; this file only joins them. An empty file is a valid
configuration: every key has a default that is safe.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from tailrace import limits
from tailrace.access.settings import AccessSettings, TlsSettings
from tailrace.alerts.settings import AlertSettings
from tailrace.batch import sanitize_name
from tailrace.config.folders import data_folder, machine_name, named_data
from tailrace.config.sinks import AnySink, wrong_sinks
from tailrace.config.spec import load_spec
from tailrace.config.usual import usual_logs
from tailrace.database_url import DatabaseUrl  # noqa: TC001  pydantic reads it at run time
from tailrace.engines.settings import EngineSettings
from tailrace.errors import ConfigError, did_you_mean
from tailrace.intake.settings import AnyReceiver, IntakeSettings, wrong_receivers
from tailrace.reduce.spec import Spec
from tailrace.reduce.traceleft.document import is_document
from tailrace.registry import COLUMNED, COMPONENTS, format_parts, names
from tailrace.rollups.settings import RollupSettings
from tailrace.settings import Mistake, Mistakes, Settings
from tailrace.sinks.settings import StoreSinkSettings
from tailrace.sources.fifo import FifoSettings
from tailrace.sources.file_events.settings import FileEventsSettings
from tailrace.sources.journald import JournaldSettings
from tailrace.sources.stdin import StdinSettings
from tailrace.sources.tail.settings import TailSettings
from tailrace.sources.trace.settings import TraceSettings
from tailrace.store.bucket import ObjectSettings
from tailrace.store.settings import StoreSettings
from tailrace.store.urls import url_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LISTEN: Final = "127.0.0.1:9080"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PORT_MAX: Final = 65_535
_OF_ONE_FORMAT: Final = (JournaldSettings, FileEventsSettings, TraceSettings)  # which has no time without a zone
_TAKEN: Final = {"reduce"}  # what the checkpoint keeps under this name is no source's position


def _source_type(value: Any) -> str:  # a mapping from a file, or settings already made
    """Return the `type` of a source; a source that names none reads files."""
    kind = value.get("type", "files") if isinstance(value, dict) else getattr(value, "type", "files")
    return kind if isinstance(kind, str) else repr(kind)


SourceSettings = Annotated[
    Annotated[TailSettings, Tag("files")]
    | Annotated[JournaldSettings, Tag("journald")]
    | Annotated[StdinSettings, Tag("stdin")]
    | Annotated[FifoSettings, Tag("fifo")]
    | Annotated[FileEventsSettings, Tag("file_events")]
    | Annotated[TraceSettings, Tag("trace")],
    Discriminator(_source_type),
]
"""Settings of one source; `type` says which model reads the rest."""


class Config(Settings):
    """Everything that `tailrace up` reads from its file."""

    data: Path = Field(default_factory=data_folder)
    """Folder of the table and of what the agent remembers. A relative one starts where Tailrace is started. A URL names
    the table, as `table` does; the folder is the usual one then."""

    table: str = ""
    """URL of the table in object storage, as `s3://bucket/prefix`; empty: the table lies in the data folder. The data
    folder then holds what is near of it, beside what the agent remembers."""

    objects: ObjectSettings = ObjectSettings()
    """How object storage is reached."""

    control: DatabaseUrl | None = None
    """Address of a PostgreSQL database for what several servers share: rules, silences, tokens, who does which job. As
    `postgresql://user:${PGPASSWORD}@host/database`, or `env:NAME` of a variable that holds it; without it all that is
    kept in the data folder, for one server."""

    listen: str = LISTEN
    """Address and port of the page and the API; port 0 takes any free one. An address that other machines reach needs
    tokens (`tailrace token create`, or `access.tokens: required`) or `tls.client_ca`."""

    host: str = Field(default_factory=machine_name, min_length=1)
    """Value of the label `host` on every line that is read here."""

    agent: str = "local"
    """Name of what this agent remembers, in `agents/NAME` of the data folder. Under a changed name it reads every file
    again from its start."""

    spec: Spec = Spec()
    """What is kept of the lines, what is dropped, counted or sent elsewhere: written here, or the path of a YAML file
    that holds it. A relative path starts where Tailrace is started."""

    sources: tuple[SourceSettings, ...] = Field(default_factory=usual_logs)
    """What to read; an empty list reads nothing."""

    sinks: tuple[AnySink, ...] = (StoreSinkSettings(),)
    """Where lines go: to the table, to other systems, or to several of them."""

    spool_bytes: int = Field(default=limits.GIB, ge=limits.MIB)
    """What may wait on disk for sinks beside the table while their receivers are away; beyond it reading waits."""

    receivers: tuple[AnyReceiver, ...] = ()
    """What comes in by itself, beside what is pushed over HTTP: syslog, Fluent Forward, OTLP over gRPC."""

    intake: IntakeSettings = IntakeSettings()
    """How much may come in at once."""

    store: StoreSettings = StoreSettings()
    """How the table is kept."""

    alerts: AlertSettings = AlertSettings()
    """Rules and alerts: where rules are, and how patiently they are evaluated."""

    metrics: RollupSettings = RollupSettings()
    """Metrics over the lines: how long their numbers are kept, and who sees them."""

    engine: EngineSettings = EngineSettings()
    """What runs the scans of queries. What rules, metrics and the twin read is scanned in this process."""

    access: AccessSettings = AccessSettings()
    """Who may ask, and what may be called."""

    tls: TlsSettings = TlsSettings()
    """The certificate of the page and the API, and of receivers with `tls: true`."""

    @model_validator(mode="before")
    @classmethod
    def _data_elsewhere(cls, value: object) -> object:
        if isinstance(value, dict) and (url := url_of(str(value.get("data", named_data())))):
            return {key: said for key, said in value.items() if key != "data"} | {"table": url}
        return value

    @field_validator("table")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if value and url_of(value) is None:
            raise Mistake(f"{value!r} is no URL of object storage", "write for example s3://bucket/prefix")
        if "@" in value.partition("://")[2].partition("/")[0]:
            raise Mistake("a bucket has no user and password", "give them in the environment, as AWS_SECRET_ACCESS_KEY")
        return url_of(value) or ""

    @field_validator("data", mode="before")
    @classmethod
    def _is_path(cls, value: object) -> object:
        if value == "" or "\0" in str(value):
            raise Mistake("this is no path")
        return value

    @field_validator("data")
    @classmethod
    def _home(cls, value: Path) -> Path:
        return value.expanduser()

    @field_validator("listen")
    @classmethod
    def _address(cls, value: str) -> str:
        listen_address(value)
        return value

    @field_validator("agent")
    @classmethod
    def _folder_name(cls, value: str) -> str:
        return agent_name(value)

    @field_validator("spec", mode="before")
    @classmethod
    def _of_file(cls, value: object) -> object:
        if is_document(value):
            return {"aggregation": value}
        if not isinstance(value, str):
            return value
        try:
            return load_spec(Path(value).expanduser())
        except ConfigError as error:
            raise Mistakes([Mistake(problem.one_line(value)) for problem in error.problems]) from None

    @field_validator("receivers")
    @classmethod
    def _each_receiver(cls, value: tuple[AnyReceiver, ...], found: ValidationInfo) -> tuple[AnyReceiver, ...]:
        if mistakes := list(wrong_receivers(value, found.data.get("listen", ""))):
            raise Mistakes(mistakes)
        return value

    @model_validator(mode="after")
    def _certified(self) -> Config:
        bare = [index for index, one in enumerate(self.receivers) if one.tls and not self.tls.on]
        if bare:
            what, hint = "there is no certificate to show", "name one under the key 'tls' of the whole configuration"
            raise Mistakes([Mistake(what, hint, ("receivers", index, "tls")) for index in bare])
        return self

    @field_validator("sinks")
    @classmethod
    def _each_sink(cls, value: tuple[AnySink, ...], found: ValidationInfo) -> tuple[AnySink, ...]:
        listen = listen_address(found.data["listen"]) if "listen" in found.data else None
        if mistakes := list(wrong_sinks(value, listen)):
            raise Mistakes(mistakes)
        return value

    @field_validator("sources")
    @classmethod
    def _each_source(cls, value: tuple[SourceSettings, ...], found: ValidationInfo) -> tuple[SourceSettings, ...]:
        spec = found.data.get("spec")  # none if it is wrong itself: then nobody knows what it declares
        mistakes = [mistake for index, source in enumerate(value) for mistake in _wrong(index, source, value[:index])]
        if spec is not None:
            declared = [parser.name for parser in spec.parsers]
            mistakes += [one for index, source in enumerate(value) for one in _wrong_format(index, source, declared)]
        if mistakes:
            raise Mistakes(mistakes)
        return value


def _wrong(index: int, source: SourceSettings, before: tuple[SourceSettings, ...]) -> Iterator[Mistake]:
    """Yield what is wrong with a source that its own model cannot see."""
    taken = [number for number, other in enumerate(before) if other.name == source.name]
    if taken:
        what = f"the name {source.name!r} belongs to sources[{taken[0]}] already"
        yield Mistake(what, "give each source a name of its own", (index, "name"))
    if source.name in _TAKEN or "/" in source.name:
        yield Mistake(f"{source.name!r} cannot name a source", "choose another one, without '/'", (index, "name"))
    yield from _wrong_labels(index, source)
    if isinstance(source, _OF_ONE_FORMAT):
        return
    if source.timezone != "local" and not _is_zone(source.timezone):
        hint = "write 'local', 'UTC' or a name such as 'Europe/Berlin'"
        yield Mistake(f"there is no time zone {source.timezone!r}", hint, (index, "timezone"))


def _wrong_format(index: int, source: SourceSettings, declared: Sequence[str]) -> Iterator[Mistake]:
    """Yield what is wrong with the formats that a source names; `declared` are the spec's own."""
    if isinstance(source, _OF_ONE_FORMAT):
        return
    wanted = format_parts(source.format)
    known = [*declared, *COMPONENTS["parser"]]
    if any(name not in known for name in wanted):
        known = [*declared, *names("parser")]
    for name in wanted:
        if name == "auto" and len(wanted) > 1:
            yield Mistake("'auto' decides for a whole file, it is no part of a list", "name formats", (index, "format"))
        elif name not in ("auto", *known) and name.partition(":")[0] not in COLUMNED:  # `csv:time,msg`
            hint = did_you_mean(name, ["auto", *known]) or f"known: {', '.join(['auto', *known])}"
            yield Mistake(f"there is no format {name!r}", hint, (index, "format"))


def _wrong_labels(index: int, source: SourceSettings) -> Iterator[Mistake]:
    for label in source.labels:
        if not _LABEL.fullmatch(label):
            hint = f"write {sanitize_name(label)!r}" if label.strip() else "letters, digits and '_'"
            yield Mistake(f"{label!r} cannot name a label", hint, (index, "labels", label))


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def agent_name(text: str) -> str:
    """Return the name of an agent, or of an import's group; refuses one that could not be a folder's name."""
    if not _NAME.fullmatch(text):
        raise Mistake(f"{text!r} cannot be a name", "use letters, digits, '.', '_' and '-'")
    if text in _TAKEN:
        raise Mistake(f"{text!r} has a meaning of its own", "choose another name")
    return text


def listen_address(text: str) -> tuple[str, int]:
    """Return the host and port of an address to listen on; whether it may be, the server decides by its tokens.

    >>> listen_address("127.0.0.1:9080"), listen_address("[::1]:0")
    (('127.0.0.1', 9080), ('::1', 0))
    """
    host, separator, port = text.rpartition(":")
    if not separator or not port.isascii() or not port.isdigit() or int(port) > _PORT_MAX:
        raise Mistake(f"{text!r} is no address with a port", f"write for example {LISTEN}")
    if host == "*":
        raise Mistake(f"{text!r} names no address", f"write 0.0.0.0:{port} for all addresses of this machine")
    return (host[1:-1] if host.startswith("[") and host.endswith("]") else host), int(port)
