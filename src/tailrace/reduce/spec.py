"""The declared spec: how lines become fields, what of the rows is kept, and what is counted from them.

`Spec` is the model of the configuration's key `spec`, inline or in a file of its own. Its steps run in their order;
each step's file holds its settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from tailrace.channels import ChannelSettings  # noqa: TC001  pydantic reads the annotations when the class is made
from tailrace.errors import did_you_mean
from tailrace.limits import STEPS
from tailrace.patterns.settings import PatternSettings  # noqa: TC001  as above
from tailrace.reduce.metrics.settings import MetricSettings, SessionSettings  # noqa: TC001  as above
from tailrace.reduce.metrics.state import problems
from tailrace.reduce.mistakes import with_mistakes
from tailrace.reduce.steps.aggregate import AggregateSettings
from tailrace.reduce.steps.dedupe import DedupeSettings
from tailrace.reduce.steps.drop import DropSettings
from tailrace.reduce.steps.drop_fields import DropFieldsSettings
from tailrace.reduce.steps.keep import KeepSettings
from tailrace.reduce.steps.keep_fields import KeepFieldsSettings
from tailrace.reduce.steps.redact import RedactSettings
from tailrace.reduce.steps.rename import RenameSettings
from tailrace.reduce.steps.route import DROP, STORE, RouteSettings
from tailrace.reduce.steps.sample import SampleSettings
from tailrace.reduce.steps.throttle import ThrottleSettings
from tailrace.reduce.traceleft.document import Document  # noqa: TC001  as above
from tailrace.registry import COMPONENTS
from tailrace.settings import Mistake, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AnyStep = Annotated[
    KeepSettings
    | DropSettings
    | RouteSettings
    | SampleSettings
    | ThrottleSettings
    | DedupeSettings
    | AggregateSettings
    | RedactSettings
    | RenameSettings
    | KeepFieldsSettings
    | DropFieldsSettings,
    Field(discriminator="type"),
]
"""Settings of one step; `type` says which model reads the rest."""


class Spec(Settings):
    """What is kept of the lines, what is dropped and counted, and where it goes."""

    parsers: tuple[PatternSettings, ...] = ()
    """Formats of your own, by patterns: a source's `format` may name them."""

    sessions: tuple[SessionSettings, ...] = ()
    """Lines that belong together, as those of one connection do, for metrics to count."""

    metrics: tuple[MetricSettings, ...] = ()
    """What is counted. Metrics see every row, before the steps: a row that is dropped has been counted."""

    steps: Annotated[tuple[AnyStep, ...], Field(max_length=STEPS)] = ()
    """What is done with the rows, in this order. Each step gets what the one before it let through."""

    channels: tuple[ChannelSettings, ...] = ()
    """Where `route` steps may send rows beside the table."""

    aggregation: Document | None = None
    """An aggregation spec of file-event traces, as such traces have it: `channels` and `events`. Its filters see the
    rows first; events that they name end there."""

    @model_validator(mode="wrap")
    @classmethod
    def _names_fit(cls, value: object, handler: ModelWrapValidatorHandler[Spec]) -> Spec:
        """Look at the names that parts of the spec use for each other, also where a part is wrong in itself."""
        return with_mistakes(value, handler, _misnamed(value) if isinstance(value, dict) else (), _uncounted)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed, and probably not meant."""
        return () if self.aggregation is None else self.aggregation.warnings


def step_ids(steps: Sequence[object]) -> list[str]:
    """Return the id of each step: its own, or its number from 1 and its kind."""
    return [str(_get(step, "id") or f"{number}-{_get(step, 'type')}") for number, step in enumerate(steps, 1)]


def _uncounted(spec: Spec) -> Iterator[Mistake]:
    """Yield what is wrong between metrics and sessions."""
    for index, what in problems(spec.metrics, spec.sessions):
        yield Mistake(what, "", ("metrics", index))


def _misnamed(value: dict[str, object]) -> Iterator[Mistake]:
    """Yield what is wrong with names that must differ, or that must be there; the rest may be wrong as well."""
    steps, channels = _list(value.get("steps")), _list(value.get("channels"))
    yield from _taken("steps", "id", step_ids(steps), [])
    names = [str(_get(channel, "name")) for channel in channels]
    yield from _taken("channels", "name", names, [STORE, DROP])
    for part, reserved in (("parsers", ["auto", *COMPONENTS["parser"]]), ("sessions", [])):
        yield from _taken(part, "name", [str(_get(each, "name")) for each in _list(value.get(part))], reserved)
    known = list(dict.fromkeys([STORE, DROP, *names]))
    for index, step in enumerate(steps):
        routes = enumerate(_list(_get(step, "routes")))
        places = [(("routes", number, "to"), _get(route, "to")) for number, route in routes]
        for below, targets in [*places, (("unmatched",), _get(step, "unmatched"))]:
            for target in [targets] if isinstance(targets, str) else _list(targets):
                if target not in known:
                    hint = did_you_mean(str(target), known) or f"known: {', '.join(known)}"
                    yield Mistake(f"there is no channel {target!r}", hint, ("steps", index, *below))


def _taken(part: str, key: str, names: Sequence[str], reserved: Sequence[str]) -> Iterator[Mistake]:
    """Yield a mistake for each name that an earlier one has."""
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in reserved:
            yield Mistake(f"the name {name!r} has a meaning of its own", "choose another", (part, index, key))
        elif first.setdefault(name, index) != index:
            what = f"the {key} {name!r} belongs to {part}[{first[name]}] already"
            yield Mistake(what, "choose another", (part, index, key))


def _get(part: object, key: str) -> object:
    """Return a key of settings, or of the mapping that they are made from."""
    return part.get(key) if isinstance(part, dict) else getattr(part, key, None)


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()
