from __future__ import annotations

import pytest

from tailrace.errors import QueryError
from tailrace.query.lexer import inside, quote, tokens


def kinds(text):
    return [(token.kind, token.text) for token in tokens(text)[:-1]]


def test_operators_are_read_longest_first():
    text = "|= |~ |> != !~ !> == =~ >= <= | = > <"
    assert [found for _, found in kinds(text)] == text.split()


def test_numbers_durations_and_bytes_have_their_worth():
    found = {token.text: (token.kind, token.value) for token in tokens("5 .5 1e3 0x10 5m 1.5h 10us 5M 5Ki 1.5B")[:-1]}
    assert found == {
        "5": ("number", 5.0),
        ".5": ("number", 0.5),
        "1e3": ("number", 1000.0),
        "0x10": ("number", 16.0),
        "5m": ("duration", 300 * 10**9),
        "1.5h": ("duration", 5400 * 10**9),
        "10us": ("duration", 10_000),
        "5M": ("bytes", 5_000_000),
        "5Ki": ("bytes", 5120),
        "1.5B": ("bytes", 1),
    }


def test_a_sign_is_an_operator_except_in_an_exponent():
    assert kinds("5-3") == [("number", "5"), ("op", "-"), ("number", "3")]
    assert kinds("5e-3") == [("number", "5e-3")]


def test_flags_are_words_after_two_dashes():
    assert kinds("logfmt --keep-empty") == [("name", "logfmt"), ("flag", "--keep-empty")]
    assert kinds("1--1") == [("number", "1"), ("op", "-"), ("op", "-"), ("number", "1")]


def test_positions():
    assert [(token.at, token.end) for token in tokens(" {a}\n# x\n |")] == [(1, 2), (2, 3), (3, 4), (10, 11), (11, 11)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"a\n\t\\\""', 'a\n\t\\"'),
        (r'"\x41\101\u00e9\U0001F600"', "AAé😀"),
        (r'"\xe2\x82\xac"', "€"),
        (r"`\d+" + '"`', r'\d+"'),
        ('""', ""),
    ],
)
def test_strings(text, value):
    assert tokens(text)[0].value == value


@pytest.mark.parametrize(
    ("text", "position"),
    [('"a', 0), ('"a\nb"', 0), (r'"ab\q"', 3), (r'"\u12"', 1), (r'"\xff"', 1), (r'"\ud800"', 1), (r'"\U00110000"', 1)],
)
def test_strings_that_are_none(text, position):
    with pytest.raises(QueryError) as caught:
        tokens(text)
    assert caught.value.position == position


def test_inside_finds_a_character_behind_escapes():
    text = r'  "a\n\u00e9b"'
    assert [text[inside(text, 2, index) :][:1] for index in range(5)] == ["a", "\\", "\\", "b", '"']
    assert inside("`ab`", 0, 1) == 2
    assert inside('"ab"', 0, 99) == 3


def test_quote_prefers_raw_strings_when_they_save_backslashes():
    assert [quote(text) for text in ("a", 'a"', r"\d", "`\\", "a\nb", "\x7f", "\U000e0001")] == [
        '"a"',
        '`a"`',
        r"`\d`",
        r'"`\\"',
        r'"a\nb"',
        r'"\u007f"',
        r'"\U000e0001"',
    ]


def test_a_long_word_is_shortened_in_messages():
    with pytest.raises(QueryError) as caught:
        tokens("9" * 5000 + "q")
    assert caught.value.what == "`" + "9" * 59 + "…` is not a number, duration or byte count"
