"""Every mistake of a spec at once, at its place (`tests/cases/reduce/broken.toml`); and where a spec may stand."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tailrace.config.load import parse
from tailrace.config.spec import parse_spec
from tailrace.errors import ConfigError

CASES = tomllib.loads((Path(__file__).parents[1] / "cases" / "reduce" / "broken.toml").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_all_mistakes_at_once(case: dict) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_spec(case["text"])
    assert [str(problem) for problem in caught.value.problems] == case["problems"]


def test_a_configuration_holds_a_spec_or_names_its_file(tmp_path: Path) -> None:
    text = "steps: [{type: drop, where: level = 'debug'}]"
    (tmp_path / "reduce.yaml").write_text(text)
    inline = parse(f"spec:\n  {text}\n").spec
    named = parse(f"spec: {tmp_path / 'reduce.yaml'}\n").spec
    assert inline == named
    assert inline.steps[0].type == "drop"


def test_mistakes_of_a_named_file_name_it(tmp_path: Path) -> None:
    path = tmp_path / "reduce.yaml"
    path.write_text("steps:\n  - {type: drop, where: level = }\n")
    with pytest.raises(ConfigError) as caught:
        parse(f"spec: {path}\n")
    assert str(caught.value.problems[0]) == (
        f"1:7: $.spec: {path}:2:25: $.steps[0].where: column 8: expected a column or a value, but the rule ends"
    )


def test_the_key_of_a_hash_is_not_shown() -> None:
    spec = parse_spec("steps: [{type: redact, hash: [user], key: 0123456789abcdef}]")
    assert "0123456789" not in f"{spec!r} {spec.model_dump(mode='json')}"
