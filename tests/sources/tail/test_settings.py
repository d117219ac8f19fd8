from __future__ import annotations

import pytest
from pydantic import ValidationError

from tailrace.contracts import Reading
from tailrace.sources.tail import TailSettings


def test_every_key_is_documented() -> None:
    assert [name for name, field in TailSettings.model_fields.items() if not field.description] == []


def test_reading_carries_what_parsers_need() -> None:
    assert TailSettings(paths=("/l",), format="json", raw="keep", timezone="UTC").reading() == Reading(
        "json", "keep", "UTC"
    )


@pytest.mark.parametrize(
    "wrong", [{"paths": ()}, {"paths": ("/l",), "max_line_bytes": 10}, {"paths": ("/l",), "path": "/x"}, {}]
)
def test_mistakes_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TailSettings(**wrong)  # type: ignore[arg-type]
