"""Settings of receivers: who is told, and by which ways; each has a name and at least one way.

Comes in: the mappings below `alerts.receivers`. Goes out: `Receiver`s, of which `channels` makes what sends. Refuses
unknown keys, a receiver without a way, and templates that cannot be read; the ways are in `ways`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tailrace.alerts.notify.ways import (
    AlertmanagerSettings,
    AppriseSettings,
    EmailSettings,
    PagerDutySettings,
    WebhookSettings,
    unseen,
)
from tailrace.settings import Mistake, Settings

if TYPE_CHECKING:
    from typing import Self

Way = Literal["alertmanager", "webhook", "email", "pagerduty", "slack", "teams", "apprise"]
WAYS: Final[tuple[Way, ...]] = ("alertmanager", "webhook", "email", "pagerduty", "slack", "teams", "apprise")


def _as(key: str, shown: object) -> BeforeValidator:
    """Return what reads a text, or a list of them, as a mapping with this one key; `shown` is what a schema says."""

    def read(value: object) -> object:
        return {key: value} if isinstance(value, str | list | tuple) else unseen(value)

    return BeforeValidator(read, json_schema_input_type=shown)


class Receiver(Settings):
    """Somebody who is told of alerts, by one way or several."""

    name: str = Field(min_length=1)
    """Name by which routes speak of it."""

    send_resolved: bool = True
    """Whether it is told when an alert is over."""

    title: str | None = None
    """Template of the title of messages to people: first line, subject. One that says state and labels by default."""

    body: str | None = None
    """Template of the text of messages to people. By default each alert with its value, since when, and links."""

    alertmanager: Annotated[AlertmanagerSettings | None, _as("urls", AlertmanagerSettings | str | list[str] | None)] = (
        None
    )
    """Alertmanagers; a list of addresses is enough."""

    webhook: Annotated[WebhookSettings | None, _as("url", WebhookSettings | str | None)] = None
    """A service of your own; its address is enough."""

    email: Annotated[EmailSettings | None, BeforeValidator(unseen)] = None
    """Mail."""

    pagerduty: Annotated[PagerDutySettings | None, _as("routing_key", PagerDutySettings | str | None)] = None
    """PagerDuty; the integration key is enough."""

    slack: Annotated[AppriseSettings | None, _as("urls", AppriseSettings | str | list[str] | None)] = None
    """Slack; the address of an incoming webhook is enough."""

    teams: Annotated[AppriseSettings | None, _as("urls", AppriseSettings | str | list[str] | None)] = None
    """Microsoft Teams; the address of a workflow that takes webhooks is enough."""

    apprise: Annotated[AppriseSettings | None, _as("urls", AppriseSettings | str | list[str] | None)] = None
    """Any service that Apprise knows; its address is enough."""

    @field_validator("title", "body")
    @classmethod
    def _is_template(cls, value: str | None) -> str | None:
        if value is not None:
            from tailrace.alerts.notify.templates import mistake  # the parser of queries comes with it

            if wrong := mistake(value):
                raise Mistake(wrong.one_line())
        return value

    @model_validator(mode="after")
    def _some_way(self) -> Self:
        if not self.ways:
            raise Mistake("this receiver has no way to be told", f"give it one of {', '.join(WAYS)}")
        return self

    @property
    def ways(self) -> tuple[Way, ...]:
        """The ways by which it is told."""
        return tuple(way for way in WAYS if getattr(self, way) is not None)


def receiver_problems(receivers: tuple[Receiver, ...]) -> list[Mistake]:
    """Return what is wrong with receivers that one alone cannot see: names that two of them have."""
    first: dict[str, int] = {}
    mistakes = []
    for index, receiver in enumerate(receivers):
        taken = first.setdefault(receiver.name, index)
        if taken != index:
            what = f"the name {receiver.name!r} belongs to receivers[{taken}] already"
            mistakes.append(Mistake(what, "give each receiver a name of its own", (index, "name")))
    return mistakes
