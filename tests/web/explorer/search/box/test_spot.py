import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.web.explorer.search.box.spot import spot


@pytest.mark.parametrize(
    ("left", "kind", "typed", "name"),
    [
        ("", "word", "", ""),
        ("err", "word", "err", ""),
        ("error -sta", "word", "sta", ""),
        ("pod:we", "key-value", "we", "pod"),
        ('error -pod:"we', "key-value", "we", "pod"),
        ("pod:a,b", "key-value", "b", "pod"),
        ("{", "label", "", ""),
        ("{ho", "label", "ho", ""),
        ("{host=", "value", "", "host"),
        ('{host="', "value", "", "host"),
        ('{host="we', "value", "we", "host"),
        (r'{host="a\"b', "value", 'a"b', "host"),
        ("{host=~`we", "value", "we", "host"),
        ('{host="a"', "", "", ""),
        ('{host="a", po', "label", "po", ""),
        ('{host="a"} ', "stage", "", ""),
        ('{host="a"} | js', "stage", "js", ""),
        ('{host="a"} |= "x', "", "x", ""),
        ('{host="a"} |= "x" ', "stage", "", ""),
        ('{host="a"} | json | status=', "value", "", "status"),
        ('{host="a"} | json | status>="5', "value", "5", "status"),
        ('{host="a"} | status >= 5 and ', "field", "", ""),
        ('{host="a"} | (a="b" or ', "field", "", ""),
        ('{host="a"} | drop a, ', "field", "", ""),
        ('avg_over_time({a="b"} | unwrap ', "field", "", ""),
        ('rate({host="a"} | json [', "duration", "", ""),
        ("sum by (ho", "field", "ho", ""),
        ("sum by (host) (ra", "start", "ra", ""),
        ("topk(5, ", "start", "", ""),
        ('sum(rate({x="y"}[5m])) / ', "start", "", ""),
    ],
)
def test_what_could_stand_at_the_end(left: str, kind: str, typed: str, name: str) -> None:
    found = spot(left, len(left))
    assert (found.kind, found.typed, found.name) == (kind, typed, name)


@pytest.mark.parametrize(
    ("text", "at", "replaced"),
    [
        ('{host="abc", x="y"}', 9, '"abc"'),
        ('{host="', 7, '"'),
        ('{hos="a"}', 3, "hos"),
        ('{a="b"} | jso | x="y"', 12, "jso"),
        ("a status:50x b", 11, "50x"),
    ],
)
def test_the_rest_of_the_word_is_replaced_too(text: str, at: int, replaced: str) -> None:
    found = spot(text, at)
    assert text[found.start : found.end] == replaced


def test_what_stands_to_the_left_is_known() -> None:
    found = spot('sum(rate({a="b", c!="d"} | json | x="', 37)
    assert (found.selector, found.log) == ('{a="b", c!="d"}', '{a="b", c!="d"} | json')
    assert spot('{a="b", host="x", c=~"d"}', 14).selector == '{a="b"}'


@given(st.text(st.sampled_from(list('{}()[]|=~!<>"`\\, ab1:#\n&é')), max_size=30), st.integers(0, 30))
def test_no_text_is_refused(text: str, at: int) -> None:
    at = min(at, len(text))
    found = spot(text, at)
    assert 0 <= found.start <= at <= found.end <= len(text)
