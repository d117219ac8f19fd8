"""The schema and the reference page follow the models."""

from __future__ import annotations

from pathlib import Path

from tailrace.config.describe import markdown, schema
from tailrace.config.load import parse
from tailrace.config.model import Config
from tailrace.config.problems import models_in
from tailrace.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "config.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), "run `make docs`"


def models(model: type, above: tuple[type, ...] = ()) -> list[type]:
    inner = [found for field in model.model_fields.values() for found in models_in(field.annotation)]  # type: ignore[attr-defined]
    new = [each for each in inner if each not in (model, *above)]
    return [model, *(deeper for each in new for deeper in models(each, (*above, model)))]


def test_every_key_is_documented_below_itself() -> None:
    for model in models(Config):
        assert issubclass(model, Settings)
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"


def test_the_schema_refuses_unknown_keys() -> None:
    assert schema()["additionalProperties"] is False
    assert schema()["$defs"]["TailSettings"]["required"] == ["paths"]


def test_the_page_names_every_key() -> None:
    page = markdown()
    for model in models(Config):
        for name in (field.alias or name for name, field in model.model_fields.items()):
            assert f"| `{name}` |" in page


def test_a_row_has_type_bounds_and_default() -> None:
    assert "| `zstd_level` | whole number ≥ 1, ≤ 19 | `1` |" in markdown()
    assert "| `raw` | `auto` or `keep` | `auto` |" in markdown()


def test_the_example_of_the_page_is_a_configuration() -> None:
    example = markdown().split("```yaml\n")[1].split("```")[0]
    config = parse(example)
    assert config.sources[0].paths == ("/var/log/**", "/srv/app/logs")
    assert config.store.retention.days == 14
