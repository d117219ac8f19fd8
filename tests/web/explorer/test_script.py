"""The page's own script, style and templates: small, whole, nothing inline, nothing that builds markup of text."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tailrace.web import explorer
from tailrace.web.explorer.assets import assets, script_texts
from web.explorer.views import VIEWS, View, filled

if TYPE_CHECKING:
    from web.explorer.whole import Whole

HERE: Final = Path(explorer.__file__).parent
SCRIPTS: Final = {path.name: path.read_text() for path in sorted((HERE / "script").glob("*.js"))}
STYLES: Final = {path.name: path.read_text() for path in sorted((HERE / "style").glob("*.css"))}
TEMPLATES: Final = {
    path.relative_to(HERE / "templates").as_posix(): path.read_text()
    for path in sorted((HERE / "templates").rglob("*.html"))
}
MOST_BYTES: Final = 50_000
BUILDS: Final = re.compile(
    r"\.(?:inner|outer)HTML\b|insertAdjacentHTML|document\.write|\beval\(|new Function|createContextualFragment"
)
ELSEWHERE: Final = re.compile(r"""(?:https?:)?//[a-z0-9-]+\.[a-z]""")


class Inline(HTMLParser):
    """Finds what the policy forbids, names that are there twice, and fields without a name for people."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for name, value in attrs:
            if name == "style" or name.startswith("on"):
                self.wrong.append(f"<{tag} {name}={value!r}>")
            if name in {"href", "src", "action", "formaction"} and re.match(r"(?i)\s*(javascript|data):", value or ""):
                self.wrong.append(f"<{tag} {name}={value!r}>")
        if tag == "style" or (tag == "script" and "src" not in given):
            self.wrong.append(f"<{tag}>")
        if (name := given.get("id")) is not None:
            if name in self.ids:
                self.wrong.append(f"the id {name!r} twice")
            self.ids.add(name)


def test_the_script_is_small() -> None:
    assert len(assets()["explorer.js"].packed) <= MOST_BYTES


@pytest.mark.skipif(shutil.which("node") is None, reason="no node, which can tell whether a script can be read")
def test_the_joined_script_can_be_read(tmp_path: Path) -> None:
    joined = tmp_path / "explorer.js"
    joined.write_bytes(assets()["explorer.js"].body)
    checked = subprocess.run(["node", "--check", joined], capture_output=True, text=True, check=False, timeout=60)
    assert checked.stderr == ""


def test_what_the_script_says_is_there_and_nothing_is_there_that_it_does_not_say() -> None:
    joined = "".join(SCRIPTS.values())
    said = set(re.findall(r"(?:\btexts|\bTEXTS)\.(\w+)", joined))
    said |= set(re.findall(r"""\bfill\(["'](\w+)["']""", joined))
    texts = set(script_texts())
    assert said - texts == set()
    # a name may be chosen from some, then it stands in quotes, or be put together, as `${name}Link` and `export${kind}`
    made = re.findall(r"(?:\btexts\[|\bTEXTS\[|\bfill\()`(\w*)\$\{\w+\}(\w*)`", joined)
    unsaid = {name for name in texts - said if not re.search(rf"""["'`]{name}["'`]""", joined)}
    put_together = {name for name in unsaid for start, end in made if name.startswith(start) and name.endswith(end)}
    assert sorted(unsaid - put_together) == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_builds_no_markup_and_asks_nobody_else(name: str) -> None:
    built = [line.strip() for line in SCRIPTS[name].splitlines() if BUILDS.search(line)]
    assert built == (
        ["part.innerHTML = html; // escaped by the server; without script, by the policy of this page"]
        if name == "core.js"
        else []
    )
    assert ELSEWHERE.findall(SCRIPTS[name].replace("http://www.w3.org/", "")) == []


@pytest.mark.parametrize("name", STYLES)
def test_a_style_loads_nothing(name: str) -> None:
    assert re.findall(r"@import|url\((?!\s*[\"']?data:image/)", STYLES[name]) == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_trusts_no_text_and_has_nothing_inline(name: str) -> None:
    text = re.sub(r"{#.*?#}", "", TEMPLATES[name], flags=re.DOTALL)
    assert re.findall(r"\|\s*safe\b|autoescape", text) == []
    assert re.findall(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\bsrc=)|javascript:", text) == []


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_view_has_nothing_inline_and_no_name_twice(view: View, whole: Whole) -> None:
    answer = whole.client.get(filled(view, whole), headers={"Accept": "text/html"}, follow_redirects=True)
    assert answer.status_code == view.status
    assert "script-src 'self'; style-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert re.search(r'<html lang="en"', answer.text)
    looked = Inline()
    looked.feed(answer.text)
    looked.close()
    assert looked.wrong == []
