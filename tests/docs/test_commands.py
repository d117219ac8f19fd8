"""Commands of the documents exist with their flags, and configurations of the documents can be loaded."""

import re

import pytest
import yaml

from docs.pages import PAGES, ROOT, fences, words
from tailrace.config.load import load

CLI = (ROOT / "docs/reference/cli.md").read_text("utf-8")
SECTIONS = {
    found[1]: found[2]
    for found in re.finditer(r"^## `tailrace ([a-z -]+)`\n(.*?)(?=^## |\Z)", CLI, re.MULTILINE | re.DOTALL)
}


def _commands():
    """Return the command lines of Tailrace in shell blocks, pipes cut off."""
    for page in PAGES:
        for fence in fences(page):
            if fence.kind not in ("console", "sh"):
                continue
            lines = [line.removeprefix("$ ") for line in fence.body.splitlines()]
            for line in (
                lines if fence.kind == "sh" else [line[2:] for line in fence.body.splitlines() if line[:2] == "$ "]
            ):
                found = words(line)
                if found and found[0].rpartition("/")[2] == "tailrace":
                    end = next((place for place, word in enumerate(found) if word in ("|", ">")), len(found))
                    yield pytest.param(found[1:end], id=f"{fence}")


@pytest.mark.parametrize("command", list(_commands()))
def test_command_and_flags_exist(command):
    name = next((" ".join(command[:size]) for size in (3, 2, 1) if " ".join(command[:size]) in SECTIONS), None)
    assert name is not None
    flags = {word.partition("=")[0] for word in command if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)}
    known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", SECTIONS[name])) | {"--help"}
    assert flags - known == set()


@pytest.mark.parametrize(
    "fence",
    [pytest.param(fence, id=f"{fence}") for page in PAGES for fence in fences(page) if fence.kind == "yaml"],
)
def test_configuration_can_be_loaded(fence, tmp_path):
    file = tmp_path / "tailrace.yaml"
    file.write_text(fence.body)
    config = load(file, {"data": tmp_path})
    given = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", fence.body)) or {}
    assert len(config.sources) == len(given.get("sources", config.sources))
