"""Links lead somewhere, and pages name no place of a machine and no host but public ones."""

import re
from urllib.parse import unquote, urlsplit

import pytest

from docs.pages import PAGES, ROOT, name, prose

LINK = re.compile(r"\]\((?P<target>[^)\s]+)(?: \"[^\"]*\")?\)|<img src=\"(?P<image>[^\"]+)\"")
HEADING = re.compile(r"^#{1,6} (?P<text>.+)$", re.MULTILINE)
ADDRESS = re.compile(r"https?://(?P<host>[^\s/:)>\"'`|]+)")
HOSTS = {
    *("127.0.0.1", "localhost"),
    *("delta.io", "docs.delta.io", "grafana.com", "pola.rs", "docs.pola.rs", "duckdb.org", "spark.apache.org"),
    *("github.com", "json-schema.org", "www.rfc-editor.org", "keepachangelog.com", "semver.org", "www.apache.org"),
    *("example.com", "hooks.slack.com", "events.pagerduty.com", "events.eu.pagerduty.com"),
}
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|tmp/lab)(?:/|\b)")


def links(text: str) -> list[str]:
    """Return the targets of links and images."""
    return [found["target"] or found["image"] for found in LINK.finditer(text)]


def anchors(text: str) -> set[str]:
    """Return the names of a page's headings, as they are written behind `#`."""
    return {re.sub(r"[^\w\- ]", "", found["text"].lower()).replace(" ", "-") for found in HEADING.finditer(text)}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_and_image_is_there(page):
    missing = []
    for link in links(prose(page)):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        there = target.exists() and target.is_relative_to(ROOT)
        if there and parts.fragment and target.suffix == ".md":
            there = parts.fragment in anchors(target.read_text("utf-8"))
        if not there:
            missing.append(link)
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_place_of_a_machine_is_named(page):
    assert MACHINE.findall(page.read_text("utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_only_public_hosts_are_named(page):
    assert {found["host"] for found in ADDRESS.finditer(page.read_text("utf-8"))} - HOSTS == set()


def test_every_page_for_users_is_in_the_index():
    index = (ROOT / "docs/README.md").read_text("utf-8")
    listed = set(links(index))
    folders = ("tutorial", "howto", "reference", "explain")
    pages = {
        page.relative_to(ROOT / "docs").as_posix() for part in folders for page in (ROOT / "docs" / part).glob("*.md")
    }
    assert pages - listed == set()
