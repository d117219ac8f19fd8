from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.access.sealed import PREFIX, Seal, sealed
from tailrace.errors import DataError

SEAL = Seal(b"k" * 32)


@given(st.text(), st.text())
def test_what_is_sealed_opens_for_what_it_belongs_to(text: str, of: str) -> None:
    try:
        text.encode(), of.encode()
    except UnicodeEncodeError:
        return
    hidden = SEAL.seal(text, of)
    assert sealed(hidden)
    assert SEAL.open(hidden, of) == text
    with pytest.raises(DataError):
        SEAL.open(hidden, of + "x")


def test_it_hides_and_never_twice_the_same() -> None:
    one, other = SEAL.seal("secret" * 20, "a"), SEAL.seal("secret" * 20, "a")
    assert one != other
    assert "secret" not in one


@pytest.mark.parametrize("wrong", ["", PREFIX, PREFIX + "!!", PREFIX + "AAAA", "secret"])
def test_what_was_not_sealed_is_refused(wrong: str) -> None:
    with pytest.raises(DataError):
        SEAL.open(wrong, "a")


def test_another_key_and_every_changed_character_are_refused() -> None:
    hidden = SEAL.seal("a secret", "a")
    with pytest.raises(DataError):
        Seal(b"x" * 32).open(hidden, "a")
    for at in range(len(PREFIX), len(hidden) - 2):
        changed = hidden[:at] + ("A" if hidden[at] != "A" else "B") + hidden[at + 1 :]
        with pytest.raises(DataError):
            SEAL.open(changed, "a")
