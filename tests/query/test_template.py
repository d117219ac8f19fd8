from __future__ import annotations

import pytest

from tailrace.errors import QueryError
from tailrace.query.template import Field, compile_template
from tailrace.query.template_values import TemplateError

LABELS = {"level": "warn", "user": "ann", "status": "500", "took": "1.5s", "size": "2KiB", "empty": "", "text": "a,b,é"}
TIME_NS = 1_700_000_000_123_000_000  # 2023-11-14 22:13:20.123 UTC


def render(text):
    return compile_template(text).render(LABELS, "GET /x 500", TIME_NS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # text, labels, trimming
        ("", ""),
        ("plain } { }}", "plain } { }}"),
        ("{{.level}}:{{ .user }}", "warn:ann"),
        ("[{{.missing}}]", "[]"),
        ("a  {{- .level -}}  b", "awarnb"),
        ("a {{/* a comment with }} in it */}}b", "a b"),
        ("a {{- /* gone */ -}} b", "ab"),
        ('{{"a\\tb"}}{{`c\\`}}{{5}}{{-3}}{{1.5}}{{true}}', "a\tbc\\5-31.5true"),
        ("{{__line__}}", "GET /x 500"),
        ("{{__line__ | lower}}", "get /x 500"),
        ("{{__timestamp__}}", "2023-11-14 22:13:20.123 +0000 UTC"),
        ("{{unixEpoch __timestamp__}} {{__timestamp__ | unixEpochMillis}}", "1700000000 1700000000123"),
        # pipelines, parentheses, variables, blocks
        ('{{.level | upper | printf "%-6s|"}}', "WARN  |"),
        ("{{upper (trunc 2 .level)}}", "WA"),
        ("{{$x := .user}}{{$x}}{{$x = upper $x}}{{$x}}", "annANN"),
        ("{{if .user}}yes{{end}}{{if .empty}}no{{end}}", "yes"),
        ('{{if eq .level "error"}}E{{else if eq .level "warn"}}W{{else}}-{{end}}', "W"),
        ("{{if .empty}}1{{else}}{{if .user}}2{{end}}{{end}}", "2"),
        ("{{with .user}}<{{.}} {{$.level}}>{{else}}none{{end}}", "<ann warn>"),
        ("{{with .missing}}<{{.}}>{{else}}none{{end}}", "none"),
        ("{{with .user}}{{with $.level}}{{.}}{{end}}{{.}}{{end}}", "warnann"),
        ("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"),
        ("{{with $u := .user}}{{$u}}{{.}}{{end}}", "annann"),
        # all labels, members, loops
        (
            '{{range $k, $v := .}}{{if hasPrefix "s" $k}}{{$k}}={{$v}};{{end}}{{end}}',
            "size=2KiB;status=500;",
        ),
        ('{{index . "level"}} {{index . "no"}} {{len .}}', "warn <no value> 7"),
        (
            '{{$j := fromJson "{\\"a\\": {\\"b\\": [1, 2.5]}}"}}{{$j.a.b}} {{index $j.a.b 1}} {{$j.x}}',
            "[1 2.5] 2.5 <no value>",
        ),
        ('{{(fromJson "{\\"a\\": true}").a}}', "true"),
        ('{{fromJson "{\\"b\\": null, \\"a\\": \\"x\\"}"}} {{fromJson "oops"}}', "map[a:x b:<nil>] <no value>"),
        ('{{range fromJson "[3, 4]"}}<{{.}}{{$.user}}>{{else}}none{{end}}', "<3ann><4ann>"),
        ('{{range $i, $x := fromJson "[7, 8]"}}{{$i}}:{{$x}} {{end}}', "0:7 1:8 "),
        ('{{range $x := fromJson "[]"}}x{{else}}none{{end}}{{range 3}}{{.}}{{end}}', "none012"),
        (
            '{{range fromJson "[1, 2, 3, 4]"}}{{if eq . 2.0}}{{continue}}{{end}}{{if eq . 4.0}}!{{break}}{{end}}{{.}}{{end}}',
            "13!",
        ),
        ('{{range fromJson "[{\\"n\\": 1}, {\\"n\\": 2}]"}}{{.n}}{{end}}', "12"),
        ('{{slice (fromJson "[1, 2, 3]") 1}} {{len (fromJson "[1, 2]")}} {{index "ab" 1}}', "[2 3] 2 98"),
        # templates within
        ('{{define "x"}}<{{.}}>{{end}}{{template "x" .user}}{{template "x" .level}}', "<ann><warn>"),
        ('{{define "x"}}{{.level}} {{$.user}}{{end}}{{template "x" .}}', "warn ann"),
        ('{{template "x"}}{{define "x"}}a{{end}}{{block "y" .user}}[{{.}}]{{end}}', "a[ann]"),
        # times
        ('{{date "2006-01-02T15:04:05.000Z07:00" __timestamp__}}', "2023-11-14T22:13:20.123Z"),
        ('{{date "Mon Jan _2 3:04PM 06, day 002" 1700000000}}', "Tue Nov 14 10:13PM 23, day 318"),
        ('{{__timestamp__ | date "January 2, 15:04:05.999 MST -0700"}}', "November 14, 22:13:20.123 UTC +0000"),
        ('{{toDate "2006-01-02" "2024-02-29" | unixEpoch}}', "1709164800"),
        ('{{toDate "2006-01-02" "2023-02-29"}}', "0001-01-01 00:00:00 +0000 UTC"),
        ('{{toDateInZone "2006-01-02 15:04" "Europe/Berlin" "2024-07-01 12:00" | unixEpoch}}', "1719828000"),
        ('{{toDateInZone "2006-01-02 15:04" "No/Where" "1970-01-01 00:01" | unixEpoch}}', "60"),
        ('{{toDate "2006-01-02T15:04:05Z07:00" "1970-01-01T01:00:00.5+01:00" | unixEpochMillis}}', "500"),
        ('{{toDate "Jan 2 2006 3:04pm" "mar 5 2021 12:30am" | unixEpoch}}', "1614904200"),
        (
            '{{unixToTime "19000" | unixEpoch}} {{unixToTime "1700000000" | unixEpoch}} {{unixToTime "1700000000123" | unixEpochMillis}}',
            "1641600000 1700000000 1700000000123",
        ),
        (
            '{{unixToTime "1700000000123456" | unixEpochNanos}} {{unixToTime "1700000000123456789" | unixEpochNanos}}',
            "1700000000123456000 1700000000123456789",
        ),
        # comparison and logic
        (
            '{{eq .level "info" "warn"}} {{ne 1 2}} {{lt 1 2}} {{ge 2 2}} {{gt "b" "a"}} {{le 3 2}}',
            "true true true true true false",
        ),
        ("{{if and .user (gt (int .status) 499)}}bad{{end}}", "bad"),
        ("{{or .empty .missing .user}}{{not .empty}}", "anntrue"),
        # text
        ('{{title "hello wORLD"}} {{ToUpper "a"}}{{ToLower "B"}}', "Hello WORLD Ab"),
        ('{{trim "  x "}}|{{trimAll "-" "--x-"}}|{{trimPrefix "a" "ab"}}|{{trimSuffix "b" "ab"}}', "x|x|b|a"),
        ('{{Trim "--x-" "-"}}|{{TrimLeft "--x-" "-"}}|{{TrimRight "--x-" "-"}}|{{TrimSpace " x "}}', "x|x-|--x|x"),
        ('{{TrimPrefix "ab" "a"}}|{{TrimSuffix "ab" "b"}}', "b|a"),
        ('{{.text | replace "," ";"}} {{Replace .text "," "" 1}} {{Replace .text "," "" -1}}', "a;b;é ab,é abé"),
        ("{{trunc 2 .level}} {{trunc -2 .level}} {{trunc 99 .level}} {{trunc 5 .text}}", "wa rn warn a,b,"),
        ("{{substr 1 3 .level}} {{substr 1 -1 .level}} {{substr -1 2 .level}} {{substr 2 99 .level}}", "ar arn wa rn"),
        (
            "{{alignLeft 6 .level}}|{{alignRight 6 .level}}|{{alignLeft 2 .level}}|{{alignRight 2 .level}}",
            "warn  |  warn|wa|rn",
        ),
        ('{{indent 2 "a\\nb"}}|{{nindent 1 "a"}}|{{repeat 3 "ab"}}', "  a\n  b|\n a|ababab"),
        ('{{contains "ar" .level}} {{hasPrefix "wa" .level}} {{hasSuffix "x" .level}}', "true true false"),
        ('{{len .text}} {{count "[a-z]" .text}} {{slice .level 1 3}}', "6 2 ar"),
        ('{{regexReplaceAll "(a)(r)" .level "${2}_$1"}} {{regexReplaceAllLiteral "a" .level "$1"}}', "wr_an w$1rn"),
        (
            '{{urlencode "a b/é"}} {{urldecode "a+b%2F"}} {{urldecode "%zz"}}',
            'a+b%2F%C3%A9 a b/ invalid URL escape "%zz"',
        ),
        ('{{b64enc "hi"}} {{b64dec "aGk="}} {{b64dec "aGk"}}', "aGk= hi hi"),
        (r"{{js `<a b='c'>\x`}}", r"\u003Ca b\u003D\'c\'\u003E\\x"),
        ("{{html \"<a b='c'>\"}}", "&lt;a b=&#39;c&#39;&gt;"),
        ('{{default "-" .empty}} {{.user | default "-"}} {{default "x" 0}}', "- ann x"),
        # numbers
        ('{{int "7.9"}} {{int "x"}} {{float64 "1.50"}} {{int 3.9}}', "7 0 1.5 3"),
        (
            '{{add "2.7" "3"}} {{add 1 2 3}} {{sub 5 7}} {{mul 2 3 4}} {{div -7 2}} {{mod -7 2}} {{max 1 3 2}} {{min 3 1}}',
            "5 6 -2 24 -3 -1 3 1",
        ),
        (
            "{{addf 0.5 1}} {{subf 1 0.5}} {{mulf 1.5 2}} {{divf 1 4}} {{maxf 1.5 2}} {{divf 1 0}}",
            "1.5 0.5 3 0.25 2 +Inf",
        ),
        (
            '{{ceil "1.2"}} {{floor 1.8}} {{round 3.14159 2}} {{round "2.5" 0}} {{round 1.4 0 0.3}} {{round -2.5 0}}',
            "2 1 3.14 3 2 -3",
        ),
        ("{{bytes .size}} {{duration .took}} {{duration_seconds .took}}", "2048 1.5 1.5"),
        ("{{mulf 1e20 10}} {{mulf 1e-5 1}}", "1e+21 1e-05"),
        # printing
        ('{{print "a" 1 2 "b"}} {{println "a" 1}}', "a1 2b a 1\n"),
        ('{{printf "%s|%5s|%-5s|%.2s|%q|%x" .user .user .user .user .user "a"}}', 'ann|  ann|ann  |an|"ann"|61'),
        ('{{printf "%d|%05d|%+d|%x|%t|%v|%%" 42 42 42 255 true "x"}}', "42|00042|+42|ff|true|x|%"),
        ('{{printf "%f|%.2f|%8.3f|%e|%g" 1.5 1.5 1.5 1.5 1.5}}', "1.500000|1.50|   1.500|1.500000e+00|1.5"),
        ('{{printf "%d %s" .user 1}}', "%!d(string=ann) %!s(int=1)"),
        ('{{printf "%s"}} {{printf "x" 1}}', "%!s(MISSING) x%!(EXTRA int=1)"),
    ],
)
def test_render(text, expected):
    assert render(text) == expected


@pytest.mark.parametrize(
    ("text", "labels", "simple"),
    [
        ("{{.a}} b {{.c}}", {"a", "c"}, [Field("a"), " b ", Field("c")]),
        ("plain", set(), ["plain"]),
        ("", set(), []),
        ("{{.a | upper}}", {"a"}, None),
        ("{{if .a}}{{.b}}{{else}}{{$.c}}{{end}}", {"a", "b", "c"}, None),
        ("{{__line__}}", set(), None),
    ],
)
def test_what_it_reads(text, labels, simple):
    template = compile_template(text)
    assert template.labels == labels
    assert template.simple == simple


def test_reads_line_and_time():
    assert [
        (t.reads_line, t.reads_time) for t in map(compile_template, ("{{__line__}}", "{{__timestamp__}}", "{{.x}}"))
    ] == [
        (True, False),
        (False, True),
        (False, False),
    ]


@pytest.mark.parametrize(
    ("text", "position", "what"),
    [
        ("x {{.a", 2, "does not end"),
        ("{{", 0, "does not end"),
        ("{{}}", 2, "value is missing"),
        ("{{.a.b}}", 2, "no members"),
        ("{{upperr .a}}", 2, "unknown function `upperr`"),
        ("{{.a .b}}", 2, "not a function"),
        ("{{.a | .b}}", 7, "cannot take the value"),
        ("{{upper}}", 2, "takes 1 arguments, not 0"),
        ("{{.a | upper .b}}", 7, "takes 1 arguments, not 2"),
        ("{{eq .a}}", 2, "takes at least 2 arguments, not 1"),
        ("{{upper lower .a}}", 8, "needs parentheses"),
        ("{{(upper .a}}", 2, "parenthesis does not end"),
        ("{{upper .a)}}", 10, "unexpected `)`"),
        ("{{if .a}}", 2, "no `end`"),
        ("{{if .a}}{{else}}", 2, "no `end`"),
        ("{{if .a}}{{else}}{{else}}{{end}}", 2, "no `end`"),
        ("{{end}}", 2, "without `if`"),
        ("{{else}}", 2, "without `if`"),
        ("{{end x}}", 2, "without `if`"),
        ("{{if .a}}{{end x}}", 15, "unexpected `x`"),
        ("{{$x}}", 2, "undefined variable"),
        ("{{$x = 1}}", 2, "not declared"),
        ("{{if .a}}{{$x := 1}}{{end}}{{$x}}", 29, "undefined variable"),
        ("{{'a'}}", 2, "single quotes"),
        ("{{.a ? .b}}", 5, "unexpected character"),
        ('{{count "(" .a}}', 8, "invalid regular expression"),
        ("{{break}}", 2, "inside `range`"),
        ("{{range .a}}x", 2, "no `end`"),
        ("{{if $x, $y := .a}}{{end}}", 5, "in `range` only"),
        ("{{define x}}{{end}}", 9, "needs a name in quotes"),
        ('{{template "x"}}', 11, "no template"),
        ('{{define "x"}}', 2, "no `end`"),
        ('{{define "x"}}{{.a}}{{break}}{{end}}', 22, "inside `range`"),
        ('{{if .a}}{{define "x"}}{{$y}}{{end}}{{end}}', 25, "undefined variable"),
        ("{{now 1}}", 2, "takes 0 arguments"),
        ("{{upper }} x", 2, "takes 1 arguments"),
        ("{{" + "(" * 200 + "}}", 102, "levels of nesting"),
        ("{{if 1}}" * 101, 802, "levels of nesting"),
    ],
)
def test_refused(text, position, what):
    with pytest.raises(QueryError, match=what.replace("(", r"\(").replace(")", r"\)")) as caught:
        compile_template(text)
    if "nesting" not in what:
        assert caught.value.position == position


@pytest.mark.parametrize(
    "text",
    [
        "{{div 1 0}}",
        '{{unixToTime "123"}}',
        '{{unixToTime "170000000x"}}',
        "{{range .user}}{{end}}",
        "{{with .user}}{{.x}}{{end}}",
        '{{index (fromJson "[1]") 1}}',
        "{{len 5}}",
        '{{define "x"}}{{template "x"}}{{end}}{{template "x"}}',
        "{{range 999999999}}x{{end}}",
        "{{$j := fromJson .user}}{{$j.a.b}}",
        "{{mod 1 0}}",
        "{{trunc .level .user}}",
        "{{upper 5}}",
        "{{lt .level 5}}",
        "{{eq .level 5}}",
        "{{lt true false}}",
        "{{bytes .user}}",
        "{{duration .status}}",
        '{{repeat 9999999 "x"}}',
        '{{repeat -1 "x"}}',
        "{{alignLeft 9999999 .user}}",
        "{{slice .user 2 1}}",
        "{{count .text .user | unixEpoch}}",
        '{{regexReplaceAll (printf "(") .user ""}}',
    ],
)
def test_faults_mark_the_line(text):
    with pytest.raises(TemplateError):
        render(text)
