"""`tailrace alerts test-receiver`, of the configuration, of the data folder, and of a server."""

from __future__ import annotations

import json

import pytest

from alerts.notify.inboxes import Answer, WebInbox
from tailrace.alerts.notify.saved import SavedReceivers
from tailrace.alerts.notify.settings import NotifySettings
from tailrace.cli.folder import opened_control
from tailrace.clock import SystemClock


@pytest.fixture
def web():
    with WebInbox() as opened:
        yield opened


@pytest.fixture
def told(tmp_path, run, web):
    """Return what runs the command with a configuration that has one receiver with two ways."""
    team = {"name": "team", "webhook": f"{web.url}/S3CRET", "alertmanager": "http://127.0.0.1:1"}
    config = {"sources": [], "alerts": {"route": {"receiver": "team"}, "receivers": [team]}}
    (tmp_path / "tailrace.yaml").write_text(json.dumps(config))
    where = ("--config", tmp_path / "tailrace.yaml", "--data", tmp_path / "data")
    return lambda name: run("alerts", "test-receiver", name, *where)


def test_each_way_is_tried_and_told_of(told, web):
    done = told("team")
    assert done.code == 1
    assert done.out.splitlines() == [
        "alertmanager  http://127.0.0.1:1/: no connection: [Errno 111] Connection refused",
        "webhook       taken",
    ]
    assert web.got[0].json["alerts"][0]["labels"]["alertname"] == "TestReceiver"


def test_a_refusal_shows_no_secret(told, web):
    web.answers.append(Answer(404, body="no S3CRET here"))
    done = told("team")
    assert f"webhook       {web.url}/: answered 404: no ******** here" in done.out
    assert "S3CRET" not in done.out + done.err


def test_one_that_is_not_there(told):
    done = told("taem")
    assert done.code == 2
    assert "there is no receiver 'taem' (did you mean 'team'?)" in done.err


def test_one_that_was_saved_in_the_data_folder(told, tmp_path, web):
    with opened_control(tmp_path / "data", create=True) as control:
        saved = SavedReceivers(control, NotifySettings(), SystemClock())
        saved.save({"receiver": {"name": "mine", "webhook": f"{web.url}/mine"}})
    done = told("mine")
    assert (done.code, done.out) == (0, "webhook  taken\n")
    assert [posted.path for posted in web.got] == ["/mine"]


def test_a_server_is_asked_to_do_it(run):
    with WebInbox() as server:
        said = json.dumps({"ways": [{"way": "email", "taken": False, "error": "no"}, {"way": "slack", "error": ""}]})
        server.answers.append(Answer(200, body=said))
        done = run("alerts", "test-receiver", "a/b", "--url", server.url)
    assert (done.code, done.out) == (1, "email  no\nslack  taken\n")
    assert [posted.path for posted in server.got] == ["/api/v1/receivers/a%2Fb/test"]


def test_what_would_keep_a_receiver_from_being_told_is_said_when_the_configuration_is_checked(tmp_path, run):
    team = {"name": "team", "webhook": "env:TAILRACE_TEST_GONE"}
    file = tmp_path / "tailrace.yaml"
    file.write_text(json.dumps({"sources": [], "alerts": {"route": {"receiver": "team"}, "receivers": [team]}}))
    done = run("check", "config", file)
    assert done.code == 0
    assert "warning: $.alerts.receivers[0].webhook.url: the environment variable TAILRACE_TEST_GONE" in done.err
