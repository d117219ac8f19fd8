import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.web.explorer.marks import SHOWN_CHARS, line_html


@pytest.mark.parametrize(
    ("line", "html"),
    [
        ("plain text\twith tab", "plain text\twith tab"),
        ("<script>alert(\"x\")</script> & 'y'", "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt; &amp; &#39;y&#39;"),
        ("\x1b[31mred\x1b[0m plain", '<span class="ansi-31">red</span> plain'),
        (
            "\x1b[1;91mbold\x1b[39m still\x1b[m no",
            '<span class="ansi-1 ansi-31">bold</span><span class="ansi-1"> still</span> no',
        ),
        ("\x1b[38;5;9mx", "x"),
        ("a\x1b[2Jb\x1b]0;title\x07c\x1b]8;;http://x\x1b\\d", "abcd"),
        (
            "nul\x00 bell\x07 esc\x1b",
            'nul<span class="ctl">^@</span> bell<span class="ctl">^G</span> esc<span class="ctl">^[</span>',
        ),
        (
            "a\u202eb\u200bc\ufeff",
            'a<span class="ctl">U+202E</span>b<span class="ctl">U+200B</span>c<span class="ctl">U+FEFF</span>',
        ),
    ],
)
def test_a_hostile_line_becomes_harmless_and_visible(line: str, html: str) -> None:
    assert line_html(line) == html


def test_finds_are_marked_and_escaped() -> None:
    assert line_html("a <b> A", [re.escape("<b>"), "(?i:a)"]) == "<mark>a</mark> <mark>&lt;b&gt;</mark> <mark>A</mark>"


def test_hidden_characters_that_are_searched_for_are_shown_too() -> None:
    html = line_html("a\u202eb\rc", [re.escape("a\u202eb\rc")])
    assert html == '<mark>a<span class="ctl">U+202E</span>b<span class="ctl">^M</span>c</mark>'


def test_a_find_keeps_the_colour_around_it() -> None:
    assert (
        line_html("\x1b[32mok now", ["now"])
        == '<span class="ansi-32">ok </span><span class="ansi-32"><mark>now</mark></span>'
    )


def test_a_long_line_is_cut_around_the_first_find() -> None:
    html = line_html("x" * 50_000 + "needle" + "y" * 50_000, ["needle"])
    assert "<mark>needle</mark>" in html
    assert html.startswith('<span class="cut">… 49,488 characters … </span>')
    assert len(html) < SHOWN_CHARS + 200


@given(st.text())
def test_no_markup_and_no_control_character_survives(line: str) -> None:
    html = str(line_html(line))
    text = re.sub(r'</?(?:span|mark)(?: class="[a-z0-9 -]+")?>', "", html)
    assert "<" not in text
    assert ">" not in text
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text) is None
