"""Every LogQL example in the documents is a query of this version, or is refused where the page says so."""

import pytest

from docs.pages import PAGES, fences, name, steps, words
from tailrace.errors import QueryError
from tailrace.query.parser import parse, parse_selector

ASKING = ("query", "tail", "explain")


def _queries():
    for page in PAGES:
        for fence in fences(page):
            if fence.kind == "logql":
                yield from (pytest.param(query, "refused" in fence.note, id=f"{fence}") for query in _lines(fence.body))
            elif fence.kind in ("console", "sh"):
                commands = (
                    [step.command for step in steps(fence)] if fence.kind == "console" else fence.body.splitlines()
                )
                for command in commands:
                    if (query := asked(command)) is not None:
                        yield pytest.param(query, "# exit code 2" in command, id=f"{fence}")


def _lines(body):
    """Return the queries of a block: one a line, comments left out."""
    return [line for line in body.splitlines() if line.strip() and not line.startswith("#")]


def asked(command):
    """Return the query that a command line of Tailrace asks, if it asks one."""
    found = words(command)
    for place, word in enumerate(found[:-1]):
        if word.rpartition("/")[2] == "tailrace" and found[place + 1 : place + 2]:
            rest = found[place + 1 :]
            if rest[0] in ASKING or rest[:2] == ["check", "query"]:
                return next((text for text in rest if "{" in text or "(" in text), None)
    return None


@pytest.mark.parametrize(("query", "refused"), list(_queries()))
def test_example_is_understood(query, refused):
    if refused:
        with pytest.raises(QueryError):
            parse(query)
    else:
        assert str(parse(str(parse(query)))) == str(parse(query))


def test_there_are_examples_of_every_page_that_shows_queries():
    pages = {name(page) for page in PAGES for fence in fences(page) if fence.kind == "logql"}
    assert "docs/reference/logql.md" in pages


def test_a_selector_alone_is_what_delete_takes():
    selectors = [
        text
        for page in PAGES
        for fence in fences(page)
        if fence.kind in ("console", "sh")
        for line in fence.body.splitlines()
        if "table delete" in line
        for text in words(line.removeprefix("$ "))
        if text.startswith("{")
    ]
    assert selectors
    for text in selectors:
        parse_selector(text)
