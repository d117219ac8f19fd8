from __future__ import annotations

import pytest

from tailrace.alerts.notify.doubts import doubts
from tailrace.alerts.notify.receivers import Receiver

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # a plugin of Apprise


def test_all_that_keeps_a_receiver_from_being_told(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HERE", "s3cret")
    monkeypatch.delenv("GONE", raising=False)
    (tmp_path / "good").write_text("s3cret" * 20_000)
    (tmp_path / "empty").touch()
    receiver = Receiver.model_validate(
        {
            "name": "team",
            "webhook": {
                "url": "env:GONE",
                "bearer_token_file": str(tmp_path / "none"),
                "headers": {"X": "env:HERE", "Y": "env:GONE"},
                "tls": {"ca_file": str(tmp_path / "good")},
            },
            "email": {
                "smarthost": "h", "from": "a@b", "to": "a@b", "username": "u", "password_file": str(tmp_path / "empty"),
            },
            "apprise": ["env:HERE", "slakc://s3cret/x", "json://good"],
        }
    )  # fmt: skip
    found = [str(one) for one in doubts(receiver, ("receivers", 0))]
    gone = "the environment variable GONE, which holds a secret, is not set"
    assert found == [
        f"$.receivers[0].webhook.bearer_token_file: {tmp_path / 'none'} cannot be read: No such file or directory",
        f"$.receivers[0].webhook.headers.Y: {gone}",
        f"$.receivers[0].webhook.url: {gone}",
        f"$.receivers[0].email.password_file: {tmp_path / 'empty'} is empty",
        "$.receivers[0].apprise.urls[1]: Apprise cannot read this address, slakc://******** (did you mean 'slack'?)",
    ]


def test_nothing_to_doubt() -> None:
    assert doubts(Receiver.model_validate({"name": "x", "webhook": "http://h"})) == []
