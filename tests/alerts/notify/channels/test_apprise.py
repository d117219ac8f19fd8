"""Apprise's own `json://` service stands for all of them: what we make of its answers is what is tested."""

from __future__ import annotations

import io
import logging

import pytest

from alerts.notify.inboxes import Answer, WebInbox
from alerts.notify.samples import notification, told
from tailrace.alerts.notify.channels.apprise import Apprise
from tailrace.alerts.notify.message import Message, usual
from tailrace.alerts.notify.model import Refused
from tailrace.alerts.notify.receivers import Receiver
from tailrace.errors import ConfigError, TransientError

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # a plugin's own


def apprise(*urls: str, way: str = "apprise", **settings: object) -> Apprise:
    receiver = Receiver.model_validate({"name": "team", way: {"urls": urls, **settings}})
    return Apprise(getattr(receiver, way), usual, kind=way)


def address(inbox: WebInbox, path: str = "hook") -> str:
    return f"json://127.0.0.1:{inbox.port}/{path}"


def test_title_text_and_kind() -> None:
    with WebInbox() as inbox:
        channel = apprise(address(inbox))
        channel.send(notification())
        channel.send(notification(told("a1", "resolved")))
    fires, over = (posted.json for posted in inbox.got)
    expected = usual(notification())
    assert fires["title"] == expected.title == "[FIRING:1] CartErrors host=a1 severity=page"
    assert fires["message"] == expected.body
    assert (fires["type"], over["type"]) == ("failure", "success")
    assert over["title"] == "[RESOLVED] CartErrors host=a1 severity=page"


@pytest.mark.parametrize(
    ("status", "error"), [(404, Refused), (403, Refused), (429, TransientError), (500, TransientError)]
)
def test_what_an_answer_means(status: int, error: type[Exception]) -> None:
    with WebInbox() as inbox:
        inbox.answers.append(Answer(status))
        with pytest.raises(error, match=f"error={status}"):
            apprise(address(inbox)).send(notification())


def test_only_those_are_tried_again_that_failed() -> None:
    with WebInbox() as first, WebInbox() as second:
        channel = apprise(address(first), address(second))
        second.answers.append(Answer(503))
        with pytest.raises(TransientError):
            channel.send(notification())
        channel.send(notification())
        channel.send(notification(key="another"))
    assert (len(first.got), len(second.got), second.tried) == (2, 2, 3)


def test_one_that_refuses_does_not_keep_the_others_from_being_tried() -> None:
    with WebInbox() as first, WebInbox() as second:
        first.answers.append(Answer(404))
        with pytest.raises(Refused):
            apprise(address(first), address(second)).send(notification())
    assert len(second.got) == 1


def test_away_then_back() -> None:
    inbox = WebInbox().open()
    channel = apprise(address(inbox))
    inbox.close()
    with pytest.raises(TransientError, match="Connection error"):
        channel.send(notification())
    with inbox:
        channel.send(notification())
    assert len(inbox.got) == 1


@pytest.fixture
def logged():
    """Return what reaches the handlers of a program that logs everything."""
    text = io.StringIO()
    root, handler = logging.getLogger(), logging.StreamHandler(text)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


def test_nothing_of_an_address_is_shown(logged) -> None:
    with WebInbox() as inbox:
        inbox.answers.append(Answer(500, body="t0ps3cret"))
        channel = apprise(f"json://me:g3heim@127.0.0.1:{inbox.port}/t0ps3cret")
        with pytest.raises(TransientError) as raised:
            channel.send(notification())
        with pytest.raises(ConfigError) as refused:
            apprise("pagerduty://@t0ps3cret")
    for text in (str(raised.value), str(refused.value), logged.getvalue()):
        assert "t0ps3cret" not in text
        assert "g3heim" not in text


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("slakc://aaaa/bbbb", r"^\$\.apprise\.urls\[0\]: .*slakc://\*+ \(did you mean 'slack'\?\)$"),
        ("slack://aaaa", r"\(look up how addresses of slack:// are written\)$"),
        ("no address", r"\(write it as scheme://…\)$"),
    ],
)
def test_addresses_that_apprise_cannot_read(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        apprise(url)


def test_addresses_of_slack_and_teams_are_taken_as_they_give_them_out() -> None:
    apprise("https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx", way="slack")
    teams = "https://prod-1.westeurope.logic.azure.com:443/workflows/643e69f83c8944438d68119179a10a64/triggers/manual"
    apprise(f"{teams}/paths/invoke?api-version=2016-06-01&sp=x&sv=1.0&sig=KODuebWbDGYFr0z0eu", way="teams")


def test_addresses_from_a_file_and_the_environment(tmp_path, monkeypatch) -> None:
    with WebInbox() as inbox:
        (tmp_path / "urls").write_text(f"\n{address(inbox, 'file')}\n\n")
        monkeypatch.setenv("APPRISE_URL", address(inbox, "env"))
        apprise("env:APPRISE_URL", urls_file=str(tmp_path / "urls")).send(notification())
        monkeypatch.setenv("APPRISE_URL", "nonsense://here")
        with pytest.raises(TransientError, match="cannot read this address"):
            apprise("env:APPRISE_URL").send(notification())
    assert [posted.path for posted in inbox.got] == ["/env", "/file"]


def test_a_text_that_is_longer_than_a_service_takes_is_split() -> None:
    with WebInbox() as inbox:
        receiver = Receiver.model_validate({"name": "team", "apprise": address(inbox)})
        assert receiver.apprise is not None
        Apprise(receiver.apprise, lambda _: Message("t", "x" * 40_000)).send(notification())
    assert "".join(posted.json["message"] for posted in inbox.got) == "x" * 40_000
    assert len(inbox.got) == 2
