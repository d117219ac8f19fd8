import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.query import parser
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.search.asked import instead, is_due
from tailrace.web.explorer.search.box.sugar import by_level, is_plain, logql
from tailrace.web.explorer.search.box.sugar_terms import Known
from tailrace.web.explorer.search.state import State
from web.conftest import House, S

ALL = '{service_name=~".+"}'
KNOWN = Known(frozenset({"pod", "host"}), frozenset({"status", "path", "took", "http_code"}))


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("error", ALL + ' |~ "(?i)error"'),
        ("404", ALL + ' |= "404"'),
        ("failed  10.0.0.1", ALL + ' |~ "(?i)failed" |= "10.0.0.1"'),
        ('"timed out"', ALL + ' |= "timed out"'),
        (r'"say \"x\""', ALL + ' |= `say "x"`'),
        ("-debug", ALL + ' !~ "(?i)debug"'),
        ("NOT debug", ALL + ' !~ "(?i)debug"'),
        ('-"a b"', ALL + ' != "a b"'),
        ("time*out*", ALL + ' |~ "(?i)time.*out"'),
        ("*", ALL),
        ("error OR warn", ALL + ' |~ "(?i)error" or "(?i)warn"'),
        ('"a" OR "b" c', ALL + ' |= "a" or "b" |~ "(?i)c"'),
        ("a AND b", ALL + ' |~ "(?i)a" |~ "(?i)b"'),
        ("OR", ALL + ' |~ "(?i)OR"'),
        # labels of streams
        ("pod:web-1", '{pod="web-1"}'),
        ("pod:web-1,web-2", '{pod=~"web-1|web-2"}'),
        ("pod:web-*", '{pod=~"web-.*"}'),
        ('pod:"a b",c.d', r"{pod=~`a b|c\.d`}"),
        ("-pod:web-1", ALL.replace("}", ', pod!="web-1"}')),
        ("pod:!=web-1 host:*", '{pod!="web-1", host=~".+"}'),
        ("-pod:*", ALL.replace("}", ', pod=""}')),
        ("pod:a OR pod:b.c", r"{pod=~`a|b\.c`}"),
        ("pod:a OR host:b", ALL + ' | pod="a" or host="b"'),
        # fields
        ("status:500", ALL + ' | status="500"'),
        ("status=500", ALL + ' | status="500"'),
        ("status:>=500", ALL + " | status >= 500"),
        ("status>=500", ALL + " | status >= 500"),
        ("-status:>=500", ALL + ' | status < 500 or status=""'),
        ("status:400..499", ALL + " | status >= 400 and status <= 499"),
        ("took:>250ms", ALL + " | took > 250ms"),
        ("took:<-1.5", ALL + " | took < -1.5"),
        ("path:/api*", ALL + ' | path=~"/api.*"'),
        ("-path:*", ALL + ' | path=""'),
        ("path:*", ALL + ' | path!=""'),
        ("http.code:404", ALL + ' | http_code="404"'),
        ("status:500 OR path:/x", ALL + ' | status="500" or path="/x"'),
        # levels
        ("level:error", ALL + ' | detected_level="error"'),
        ("level:WARNING", ALL + ' | detected_level="warn"'),
        ("level:critical", ALL + ' | detected_level=~"fatal|critical"'),
        ("level:>=warn", ALL + ' | detected_level=~"warn|error|fatal|critical"'),
        ("level:<debug", ALL + ' | detected_level="trace"'),
        ("-level:debug", ALL + ' | detected_level!="debug"'),
        # what is no label is a text
        ("localhost:8080", ALL + ' |~ "(?i)localhost:8080"'),
        ("http://x/y", ALL + ' |~ "(?i)http://x/y"'),
        ("status:", ALL + ' |~ "(?i)status:"'),
        ("status:>soon", ALL + ' |~ "(?i)status:>soon"'),
        ("level:>fatal", ALL + ' |~ "(?i)level:>fatal"'),
        ('"open', ALL + ' |~ `(?i)"open`'),
        (
            "-debug OR status:500",
            ALL + ' | label_format searched_line="{{__line__}}"'
            ' | searched_line!~"(?i).*debug.*" or status="500" | drop searched_line',
        ),
    ],
)
def test_words_say_what_logql_says(typed: str, query: str) -> None:
    assert is_plain(typed)
    assert logql(typed, KNOWN) == query
    assert str(parser.parse(query)) == query


def test_every_key_is_a_field_where_fields_are_not_known() -> None:
    assert logql("anything:5", Known(every=True)) == ALL + ' | anything="5"'
    assert logql("json:5", Known(every=True)) == ALL + ' |~ "(?i)json:5"'  # no label can have this name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        '{host="a"}',
        'rate({host="a"}[5m])',
        "1 + 1",
        '{host="a"',
        "host=`a`}",
        '|= "x"',
        '!= "x"',
        "sum by (host)",
        "rate (x)",
        "x [5m]",
        'host=~"a.*"',
        '{"level":"error"}',
        "word " * 500,
    ],
)
def test_logql_and_what_is_meant_as_logql_are_left_alone(text: str) -> None:
    assert not is_plain(text)


@pytest.mark.parametrize("text", ["rate limit", "sum", "[error] disk", "foo(bar)", '"{a" b', "404", "a=b"])
def test_words_that_look_a_little_like_logql_are_words(text: str) -> None:
    assert is_plain(text)


TYPED = st.text(st.sampled_from(list('ab1 :"\\-*OR,<>=!.()#\n|{~é\u202e')), max_size=25) | st.text(max_size=25)
TERMS = [
    "error",
    "-a",
    "pod:x",
    "-pod:x*",
    "status:>=5",
    "-status:1..2",
    "level:>=warn",
    '"a b"',
    "OR",
    "NOT",
    "path:*",
]


@given(TYPED | st.lists(st.sampled_from(TERMS), max_size=8).map(" ".join))
def test_any_text_is_read_as_a_query_that_can_be_run(text: str) -> None:
    assert isinstance(parser.parse(logql(text, KNOWN)), LogQuery)


def test_words_of_levels_are_offered_as_tests() -> None:
    assert by_level('Error -debug "fatal" errors') == 'level:Error -level:debug "fatal" errors'
    assert by_level("error level:warn") == ""
    assert by_level("nothing of it") == ""


def lines(house: House, typed: str) -> list[str]:
    answer = house.client.get("/api/v1/logs/query", params={"query": rewritten(house, typed), "output": "raw"})
    assert answer.status_code == 200, answer.text
    return sorted(answer.text.split("\n")[:-1])


def rewritten(house: House, typed: str) -> str:
    state = State(q=typed, start="now-1h")
    assert is_due(state)
    gone = instead(house.services, state)
    assert gone.typed == typed
    return gone.q


def test_words_find_what_they_say(house: House) -> None:
    house.store((-5 * S, "Error one"), level="error", pod="web-1", fields={"status": 500, "path": "/api/a"})
    house.store((-4 * S, "timed out two"), level="warn", pod="web-2", fields={"status": 404, "path": "/b"})
    house.store((-3 * S, "debug three at localhost:8080"), level="debug", pod="db-1")
    house.store((-2 * S, "critical four"), level="critical", pod="db-1", fields={"status": 200})
    one, two, three, four = "Error one", "timed out two", "debug three at localhost:8080", "critical four"
    for typed, found in {
        "error": [one],
        '"error"': [],
        "-debug": [one, two, four],
        "status:>=404": [one, two],
        "-status:>=404": [three, four],
        "status:200..404": [two, four],
        "pod:web-*": [one, two],
        "-pod:web-*": [three, four],
        "pod:web-1,db-1 -error": [three, four],
        "path:/api*": [one],
        "-path:*": [three, four],
        "level:>=warn": [one, two, four],
        "level:fatal OR level:critical": [four],
        "error OR out": [one, two],
        "error OR status:404": [one, two],
        "-e*r OR status:500": [one, two, four],
        "localhost:8080": [three],
        "t*w*o OR pod:db-1 -localhost": [two, four],
    }.items():
        assert lines(house, typed) == sorted(found), typed
