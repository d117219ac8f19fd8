from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.errors import TransientError
from tailrace.secret import MASK, Secret, SecretUrl, hide, parts_of, secret_of
from tailrace.settings import Settings


class Holds(Settings):
    """Settings with both kinds."""

    text: Secret | None = None
    url: SecretUrl | None = None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", f"https://hooks.slack.com/{MASK}"),
        ("http://me:pw@127.0.0.1:8080/a?b=c#d", f"http://127.0.0.1:8080/{MASK}"),
        ("http://me:pw@host", f"http://host/{MASK}"),
        ("http://host:80", "http://host:80/"),
        ("http://[::1]:80/x", f"http://[::1]:80/{MASK}"),
        ("slack://T0/B0/x", f"slack://{MASK}"),
        ("token", MASK),
        ("http://host:port/x", MASK),
        ("env:HOOK", "env:HOOK"),
        ("env:not a name", MASK),
        ("s3cret:pass", MASK),
        ("//s3cret/x", MASK),
        ("http://h?k=s3cret", f"http://h/{MASK}"),
    ],
)
def test_what_is_shown_of_an_address(url: str, shown: str) -> None:
    assert SecretUrl(url).shown() == shown


def test_nothing_shows_a_secret() -> None:
    held = Holds.model_validate({"text": "s3cret", "url": "http://h/s3cret"})
    shown = [str(held), repr(held), f"{held.text}", held.model_dump_json(), str(held.model_dump(mode="json"))]
    shown.append(str(held.model_dump()))
    assert not [text for text in shown if "s3cret" in text]
    assert held.model_dump(mode="json") == {"text": MASK, "url": f"http://h/{MASK}"}
    assert held.text is not None
    assert held.text.reveal() == "s3cret"


def test_a_reference_loads_again_and_a_mask_does_not() -> None:
    held = Holds.model_validate({"text": "env:X", "url": "env:Y"})
    assert Holds.model_validate(held.model_dump(mode="json")) == held
    for masked in (MASK, f"http://h/{MASK}"):
        with pytest.raises(ValueError, match="not the secret but what is shown of it"):
            Holds.model_validate({"url": masked})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (12345, "expected text, got a number"),
        (["s3cret"], "got a list"),
        ({"s3cret": 1}, "got a mapping"),
        ("", "empty"),
    ],
)
def test_what_is_refused_is_not_repeated(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        Holds.model_validate({"text": value})
    assert str(value) not in raised.value.errors()[0]["msg"] or value == ""


def test_equal_settings_are_equal() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != SecretUrl("a")
    assert hash(Secret("a")) == hash(Secret("a"))


def test_from_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("HERE", "s3cret")
    assert Secret("env:HERE").reveal() == "s3cret"
    monkeypatch.setenv("HERE", "")
    with pytest.raises(TransientError, match="HERE"):
        Secret("env:HERE").reveal()


def test_from_a_file(tmp_path) -> None:
    file = tmp_path / "secret"
    assert secret_of(None, None) is None
    assert secret_of(Secret("text"), file) == "text"
    with pytest.raises(TransientError, match="No such file"):
        secret_of(None, file)
    for text, said in ((b" \n", "holds no secret"), (b"x" * 65_537, "too long"), (b"\xff", "not UTF-8")):
        file.write_bytes(text)
        with pytest.raises(TransientError, match=said):
            secret_of(None, file)
    file.write_text("  s3cret\n")
    assert secret_of(None, file) == "s3cret"


def test_parts_that_may_be_secret() -> None:
    assert hide("at /T0AB/x/yz with pass", parts_of("https://me:pass@h.example/T0AB/x%2Fyz")) == (
        f"at /{MASK}/{MASK} with {MASK}"
    )
    assert "h.example" not in parts_of("https://h.example/")


@given(
    secret=st.text(st.sampled_from("abcXYZ019_-"), min_size=4, max_size=30),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_no_part_of_an_address_is_left(secret: str, before: str, after: str) -> None:
    for url in (
        f"slack://{secret}/b",
        f"http://h/x/{secret}?a=b",
        f"http://h/?k={secret}",
        f"http://h?k={secret}",
        f"https://{secret}@h",
        f"json://u:{secret}@h",
    ):
        assert secret not in hide(f"{before}{secret}{after}", parts_of(url))
