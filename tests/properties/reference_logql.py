"""LogQL by the book: a slow evaluator in plain Python, one line and one sample at a time.

It shares the syntax tree with the product and nothing else: every rule is written down again from the language's
description, without columns, plans or statistics. `answer` takes rows as dictionaries (`t` in nanoseconds, `line`,
`stream` and `meta` as dictionaries) and gives what a query means over them; `RefusedError` where a query must fail.
"""

from __future__ import annotations

# ruff: noqa: PLR0911 -- a rule per return, as the description has them
import ipaddress
import itertools
import math
import re
from collections import defaultdict
from dataclasses import dataclass, field

from tailrace.query.stages.decolorize import Decolorize
from tailrace.query.stages.drop import Drop
from tailrace.query.stages.json import Json
from tailrace.query.stages.keep import Keep
from tailrace.query.stages.label_filter import All, AnyOf, Comparison, Inside, LabelFilter
from tailrace.query.stages.label_format import LabelFormat
from tailrace.query.stages.line_filter import LineFilter
from tailrace.query.stages.line_format import LineFormat
from tailrace.query.stages.logfmt import Logfmt
from tailrace.query.stages.pattern import Pattern
from tailrace.query.stages.regexp import Regexp
from tailrace.query.stages.unpack import Unpack
from tailrace.query.syntax import (
    Binary,
    LabelReplace,
    LogQuery,
    Matcher,
    Number,
    RangeAggregation,
    Vector,
    VectorAggregation,
)

S = 1_000_000_000
ERROR, DETAILS = "__error__", "__error_details__"


class RefusedError(Exception):
    """The query must fail."""


# --- a line and its labels ----------------------------------------------------------------------------


@dataclass
class Line:
    t: int
    text: str
    stream: dict[str, str]
    meta: dict[str, str]
    parsed: dict[str, str] = field(default_factory=dict)
    own: frozenset[str] = frozenset()  # names that the stream had at first
    gone: set[str] = field(default_factory=set)  # parsed once, then dropped

    @classmethod
    def of(cls, row) -> Line:
        stream = dict(row["stream"])
        meta = {name + "_extracted" * (name in stream): value for name, value in row.get("meta", {}).items()}
        return cls(row["t"], row["line"], stream, meta, own=frozenset(stream))

    def get(self, name):
        for source in (self.parsed, self.meta, self.stream):
            if name in source:
                return source[name]
        return None

    def text_of(self, name):
        return self.get(name) or ""

    def all(self):
        return {**self.stream, **self.meta, **self.parsed}

    def set(self, name, value):
        self.stream.pop(name, None)
        self.meta.pop(name, None)
        self.parsed[name] = value

    def remove(self, name):
        if name in self.parsed and name not in (ERROR, DETAILS):
            self.gone.add(name)
        for source in (self.parsed, self.meta, self.stream):
            source.pop(name, None)

    def extract(self, key, value):
        name = sanitized(key)
        if not name:
            return
        if name in self.own or name in self.meta:
            name += "_extracted"
            self.meta.pop(name, None)
        if name not in self.parsed and name not in self.gone:
            self.parsed[name] = value

    def fail(self, kind):
        if ERROR not in self.all():
            self.parsed[ERROR] = kind
            self.parsed[DETAILS] = "?"


def sanitized(key):
    name = re.sub(r"[^A-Za-z0-9_]", "_", key.strip())
    return "_" + name if name[:1].isdigit() else name


# --- parsers --------------------------------------------------------------------------------------------


class DamageError(Exception):
    """The text is no JSON from here on."""


ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "/": "/"}


class JsonText:
    """A JSON text, read left to right; `members` hands out scalars as they are met."""

    def __init__(self, text):
        self.text, self.at = text, 0

    def skip(self):
        while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
            self.at += 1

    def expect(self, char):
        self.skip()
        if self.text[self.at : self.at + 1] != char:
            raise DamageError
        self.at += 1

    def peek(self):
        self.skip()
        return self.text[self.at : self.at + 1]

    def string(self):
        self.expect('"')
        out = ""
        while True:
            char = self.text[self.at : self.at + 1]
            self.at += 1
            if not char:
                raise DamageError
            if char == '"':
                return "".join(" " if "\ud800" <= c <= "\udfff" or c == "\ufffd" else c for c in joined(out))
            if char != "\\":
                out += char
                continue
            code = self.text[self.at : self.at + 1]
            self.at += 1
            if code == "u" and re.fullmatch(r"[0-9a-fA-F]{4}", self.text[self.at : self.at + 4]):
                out += chr(int(self.text[self.at : self.at + 4], 16))
                self.at += 4
            elif code in ESCAPES and code:
                out += ESCAPES[code]
            else:
                raise DamageError

    def value(self, prefix, found):
        """Step over a value; what is a scalar goes to `found` under the name, members of objects behind it."""
        char = self.peek()
        if char == "{":
            self.object(prefix + "_", found)
        elif char == "[":
            self.array()
        elif char == '"':
            text = self.string()
            found.append((prefix, text))
        else:
            word = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null").match(self.text, self.at)
            if not word:
                raise DamageError
            self.at = word.end()
            if word[0] != "null":
                found.append((prefix, word[0]))

    def object(self, prefix, found):
        self.expect("{")
        if self.peek() == "}":
            return self.expect("}")
        while True:
            name = self.string()
            self.expect(":")
            self.value(prefix + name.strip() if prefix else name, found)
            if self.peek() != ",":
                return self.expect("}")
            self.at += 1
            self.skip()

    def array(self):
        self.expect("[")
        if self.peek() == "]":
            return self.expect("]")
        while True:
            self.value("", [])
            if self.peek() != ",":
                return self.expect("]")
            self.at += 1


def joined(text):
    """Join halves of surrogate pairs."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if not text.isascii() else text


def parse_json(line: Line):
    found, reader = [], JsonText(line.text)
    try:
        reader.object("", found)
        line_failed = bool(reader.peek())
    except DamageError:
        line_failed = True
    for name, value in found:
        line.extract(name, value)
    if line_failed:
        line.fail("JSONParserErr")


def json_at(text, path):
    """Return the value at a path as text, None if it is not there."""
    reader = JsonText(text)
    try:
        for step in path:
            char = reader.peek()
            if char != ("{" if isinstance(step, str) else "["):
                return None
            reader.at += 1
            place = 0
            if reader.peek() in "}]":
                return None
            while True:
                name = place
                if char == "{":
                    name = reader.string()
                    reader.expect(":")
                if name == step:
                    break
                reader.value("", [])
                if reader.peek() != ",":
                    return None
                reader.at += 1
                place += 1
        char = reader.peek()
        start = reader.at
        found = []
        reader.value("", found)
    except DamageError:
        return None
    return (found[0][1] if found else "") if char not in "{[" else text[start : reader.at]


def path_of(place):
    steps = re.findall(r'\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([A-Za-z_]\w*)', place)
    return [int(index) if index else key or name for index, key, name in steps]


def asked(line: Line, label, value, *, clears):
    """Set a label that a parser with parameters was asked for."""
    if label in line.own or label in line.meta:
        if value is not None:
            line.set(label + "_extracted", value)
        return
    if value is not None:
        line.set(label, value)
    elif clears or line.get(label) is None:
        line.set(label, "")


def parse_json_parameters(line: Line, extracts):
    if not line.text:
        return
    if line.text[0] not in '{["':
        line.fail("JSONParserErr")
        return
    for extract in extracts:
        asked(line, extract.label, json_at(line.text, path_of(extract.place)), clears=False)


def logfmt_pairs(text):
    """Yield (key, value) of good pairs, value None where there is none; (None, None) for a bad one."""
    at, size = 0, len(text)
    while True:
        while at < size and text[at] <= " ":
            at += 1
        if at >= size:
            return
        start = at
        while at < size and text[at] > " " and text[at] not in '="':
            at += 1
        key = text[start:at]
        if at >= size or text[at] <= " ":
            yield key, None
            continue
        bad = text[at] == '"' or not key
        if text[at] == "=" and text[at + 1 : at + 2] == '"':
            end = at + 2
            while end < size and text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            if end >= size:
                yield None, None  # an open quote takes the rest
                return
            at = end + 1
            if at < size and text[at] > " ":
                bad = True
            if not bad:
                try:
                    yield key, JsonText(text[start + len(key) + 1 : at]).string()
                except DamageError:
                    yield None, None
                continue
        elif text[at] == "=" and not bad:
            end = at + 1
            while end < size and text[end] > " " and text[end] not in '="':
                end += 1
            if end >= size or text[end] <= " ":
                yield key, text[at + 1 : end].replace("\ufffd", " ")
                at = end
                continue
        while at < size and text[at] > " ":
            at += 1
        yield None, None


def parse_logfmt(line: Line, stage: Logfmt):
    pairs = []
    failed = False
    for key, value in logfmt_pairs(line.text):
        if key is None:
            if stage.strict:
                failed = True
                break
            continue
        pairs.append((key, value or ""))
    if stage.extracts:
        last = {}
        for key, value in pairs:
            last[sanitized(key)] = value
        for extract in stage.extracts:
            key = extract.place.strip()
            key = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
            asked(line, extract.label, last.get(sanitized(key)), clears=True)
    else:
        for key, value in pairs:
            if value or stage.keep_empty:
                line.extract(key, value)
    if failed:
        line.fail("LogfmtParserErr")


def parts_of(pattern):
    """Return literals as (text, None) and captures as (None, name)."""
    found, at = [], 0
    for match in re.finditer(r"<([A-Za-z_]\w*)>", pattern):
        if match.start() > at:
            found.append((pattern[at : match.start()], None))
        found.append((None, match[1]))
        at = match.end()
    return found + ([(pattern[at:], None)] if at < len(pattern) else [])


def parse_pattern(line: Line, pattern):
    parts, rest = parts_of(pattern), line.text
    if not rest:
        return
    if parts[0][0] is not None:
        if not rest.startswith(parts[0][0]):
            return
        rest = rest[len(parts[0][0]) :]
        parts = parts[1:]
    while parts:
        name = parts[0][1]
        if len(parts) == 1:
            value, rest, ended = rest, "", True
        else:
            before, literal, after = rest.partition(parts[1][0])
            value, rest, ended = before, after, not literal
        if name != "_":
            line.extract(name, value)
        if ended:
            return
        parts = parts[2:]


def pattern_holds(text, pattern):
    parts = parts_of(pattern)
    if not parts:
        return not text
    if not text:
        return False
    rest = text
    for place, (literal, _) in enumerate(parts):
        if literal is None:
            continue
        at = rest.find(literal)
        if at < 0 or (place and at == 0):
            return False
        rest = rest[at + len(literal) :]
    return bool(rest) if parts[-1][1] else not rest


def unpack(line: Line):
    if not line.text:
        return
    reader, found = JsonText(line.text), []
    if not line.text.startswith("{"):
        line.fail("JSONParserErr")
        return
    try:
        reader.expect("{")
        while reader.peek() != "}":
            name = reader.string()
            reader.expect(":")
            kind, value = reader.peek(), []
            reader.value("", value)
            if kind == '"':
                found.append((name, value[0][1]))
            if reader.peek() == ",":
                reader.at += 1
    except DamageError:
        line.fail("JSONParserErr")
        return
    entry = next((value for name, value in found if name == "_entry"), None)
    if entry is None:
        return
    for name, value in found:
        if name != "_entry":
            line.extract(name, value)
    line.text = entry


# --- filters --------------------------------------------------------------------------------------------


def addresses_in(text):
    for token in re.findall(r"[0-9A-Fa-f:.]+", text):
        try:
            yield ipaddress.ip_address(token.rstrip("." if token.endswith("::") else ".:"))
        except ValueError:
            continue


def ip_holds(text, spec):
    if "/" in spec:
        network = ipaddress.ip_network(spec, strict=False)
        low, high = network[0], network[-1]
    else:
        first, _, last = spec.partition("-")
        low = ipaddress.ip_address(first)
        high = ipaddress.ip_address(last) if last else low
    return any(low.version == found.version and low <= found <= high for found in addresses_in(text))


def line_passes(stage: LineFilter, text):
    def holds(needle):
        if needle.ip:
            return ip_holds(text, needle.text)
        if stage.op in ("|>", "!>"):
            return pattern_holds(text, needle.text)
        return needle.text in text if stage.op in ("|=", "!=") else re.search(needle.text, text) is not None

    return any(map(holds, stage.needles)) == (stage.op[0] == "|")


def text_passes(test: Matcher, text):
    found = text == test.value if test.op in ("=", "!=") else re.fullmatch(test.value, text, re.DOTALL) is not None
    return found == (test.op in ("=", "=~"))


UNITS = {"ns": 1, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}


def duration_ns(text):
    match = re.fullmatch(r"([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+)", text)
    if text in ("0", "+0", "-0"):
        return 0.0
    if not match:
        return None
    total = sum(float(n) * UNITS[unit] for n, unit in re.findall(r"([\d.]+)([a-zµ]+)", match[2]))
    return -total if match[1] == "-" else total


def byte_count(text):
    match = re.fullmatch(r"([0-9.,]+)\s*(?i:b?|([kmgtpe])(i?)b?)\s*", text)
    try:
        number = float(match[1].replace(",", "")) if match else None
    except ValueError:
        return None
    if number is None:
        return None
    power = "kmgtpe".index(match[2].lower()) + 1 if match[2] else 0
    return float(int(number * (1024 if match[3] else 1000) ** power))


def go_float(text):
    if not re.fullmatch(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|(?i:inf|infinity))|(?i:nan)", text):
        return None
    value = float(text)
    return None if math.isinf(value) and "n" not in text.lower() else value


READ = {"number": go_float, "duration": duration_ns, "bytes": byte_count}
COMPARE = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}


def judge(condition, line: Line):
    """Tell whether a line passes; a conversion that fails marks it."""
    if isinstance(condition, All):
        verdicts = [judge(part, line) for part in condition.parts]  # both sides run
        return all(verdicts)
    if isinstance(condition, AnyOf):
        return any(judge(part, line) for part in condition.parts)
    if isinstance(condition, Matcher):
        return text_passes(condition, "" if condition.name == DETAILS else line.text_of(condition.name))
    value = line.get(condition.name)
    if isinstance(condition, Inside):
        if condition.name in (ERROR, DETAILS):
            return False
        if line.get(ERROR) is not None:
            return True
        return value is not None and ip_holds(value, condition.addresses) == (condition.op == "=")
    assert isinstance(condition, Comparison)
    if condition.name in (ERROR, DETAILS) or value is None:
        return False
    number = READ[condition.measure](value)
    if number is None:
        line.fail("LabelFilterErr")
        return True
    return COMPARE[condition.op](number, condition.value)


# --- shaping --------------------------------------------------------------------------------------------

ANSI = re.compile(
    "[\x1b\x9b][\\[\\]()#;?]*(?:(?:[a-zA-Z0-9]*(?:;[-a-zA-Z0-9/#&.:=?%@~_]*)*)?\x07"
    "|(?:[0-9]{1,4}(?:;[0-9]{0,4})*)?[0-9A-PR-TZcf-nq-uy=><~])"
)


class TemplateFaultError(Exception):
    """A function of a template failed."""


def render(template, labels, text):
    """Render what the generator writes: `{{.a}}`, `{{__line__}}`, `{{.a | upper}}`, `{{div 1 .a}}`."""

    def one(match):
        body = match[1].strip()
        if body == "__line__":
            return text
        if found := re.fullmatch(r"\.(\w+)", body):
            return labels.get(found[1], "")
        if found := re.fullmatch(r"\.(\w+) \| upper", body):
            return labels.get(found[1], "").upper()
        found = re.fullmatch(r"div 6 \.(\w+)", body)
        number = go_float(labels.get(found[1], "")) or 0
        if not math.isfinite(number) or not int(number):
            raise TemplateFaultError
        return str(int(6 / int(number)))

    return re.sub(r"\{\{(.*?)\}\}", one, template)


def label_format(stage: LabelFormat, line: Line):
    seen = None
    for setting in stage.settings:
        if setting.template is None:
            value = line.get(setting.source)
            if value is not None and setting.source != setting.name:
                line.set(setting.name, value)
                line.remove(setting.source)
            continue
        seen = line.all() if seen is None else seen
        try:
            line.set(setting.name, render(setting.template, seen, line.text))
        except TemplateFaultError:
            line.fail("TemplateFormatErr")


def pick_holds(pick, name, line: Line):
    if isinstance(pick, str):
        return pick == name
    return pick.name == name and text_passes(pick, line.text_of(name))


def reads_labels(stage):
    """Tell whether a stage reads a label: then what is parsed before it matters."""
    if isinstance(stage, LabelFilter):
        return True
    if isinstance(stage, LineFormat):
        return bool(re.search(r"\.\w", stage.template))
    if isinstance(stage, LabelFormat):
        return any(s.template is None or re.search(r"\.\w", s.template) for s in stage.settings)
    return False


def run_stage(stage, line: Line, *, parses=True):
    """Run a stage on a line; tell whether the line stays."""
    if isinstance(stage, LineFilter):
        return line_passes(stage, line.text)
    if isinstance(stage, LabelFilter):
        return judge(stage.condition, line)
    if isinstance(stage, Json | Logfmt) and not parses:
        return True
    match stage:
        case Json(extracts=()):
            parse_json(line)
        case Json():
            parse_json_parameters(line, stage.extracts)
        case Logfmt():
            parse_logfmt(line, stage)
        case Regexp():
            if found := re.search(stage.pattern, line.text):
                for name, value in found.groupdict().items():
                    line.extract(name, value or "")
        case Pattern():
            parse_pattern(line, stage.pattern)
        case Unpack():
            unpack(line)
            if not parses and ERROR in line.parsed:
                raise AmbiguousError  # whether it is read at all, when no label is
        case Decolorize():
            line.text = ANSI.sub("", line.text)
        case LineFormat():
            try:
                line.text = render(stage.template, line.all(), line.text)
            except TemplateFaultError:
                line.fail("TemplateFormatErr")
        case LabelFormat():
            label_format(stage, line)
        case Drop():
            for pick in stage.picks:
                name = pick if isinstance(pick, str) else pick.name
                if name in line.all() and pick_holds(pick, name, line):
                    line.remove(name)
        case Keep():
            for name in list(line.all()):
                if name not in (ERROR, DETAILS) and not any(pick_holds(p, name, line) for p in stage.picks):
                    line.remove(name)
    return True


def distinct(rows):
    """Equal stream, time and line are one entry."""
    seen = {}
    for row in rows:
        seen.setdefault((tuple(sorted(row["stream"].items())), row["t"], row["line"]), row)
    return list(seen.values())


def passed(query: LogQuery, rows, *, parses=True):
    """Return the lines that pass a log query; parsers before the last reader of labels run in any case."""
    last = max((at for at, stage in enumerate(query.stages) if reads_labels(stage)), default=-1)
    found = []
    for row in distinct(rows):
        line = Line.of(row)
        if not all(text_passes(matcher, line.stream.get(matcher.name, "")) for matcher in query.selector.matchers):
            continue
        if all(run_stage(stage, line, parses=parses or at < last) for at, stage in enumerate(query.stages)):
            found.append(line)
    return found


# --- ranges ---------------------------------------------------------------------------------------------


def key_of(labels):
    return tuple(sorted(labels.items()))


def grouped(labels, grouping):
    if grouping is None:
        return labels
    if grouping.without:
        return {name: value for name, value in labels.items() if name not in grouping.labels}
    return {name: labels[name] for name in grouping.labels if name in labels}


def quantile(q, values):
    if q > 1:
        return math.inf
    values = sorted(values, key=lambda v: (not math.isnan(v), v))
    rank = q * (len(values) - 1)
    low, weight = int(rank), rank - int(rank)
    if weight == 0:
        return values[low]
    return values[low] * (1 - weight) + values[min(low + 1, len(values) - 1)] * weight


def rate_counter(points, start, end, seconds):
    if len(points) < 2:
        return 0.0
    times, values = [t / S for t, _ in points], [v for _, v in points]
    d = values[-1] - values[0] + sum(a for a, b in itertools.pairwise(values) if b < a)
    span = times[-1] - times[0]
    usual = span / (len(points) - 1)
    left, right = times[0] - start / S, end / S - times[-1]
    left = usual / 2 if left >= 1.1 * usual else left
    right = usual / 2 if right >= 1.1 * usual else right
    if d > 0 and values[0] >= 0:
        left = min(left, span * values[0] / d)
    return d * (span + left + right) / span / seconds


def mean(values):
    found = 0.0
    for count, value in enumerate(values, 1):
        if math.isinf(found) and (math.isfinite(value) or value == found):
            continue
        found += value / count - found / count
    return found


def extreme(values, pick):
    numbers = [value for value in values if not math.isnan(value)]
    return pick(numbers) if numbers else math.nan


def variance(values):
    average = sum(values) / len(values)
    return sum((value - average) ** 2 for value in values) / len(values)


def value_of(aggregation, points, start, end):
    seconds = aggregation.range.range_ns / S
    values = [value for _, value in points]
    return {
        "count_over_time": lambda: float(sum(values)),
        "bytes_over_time": lambda: float(sum(values)),
        "rate": lambda: sum(values) / seconds,
        "bytes_rate": lambda: sum(values) / seconds,
        "sum_over_time": lambda: sum(values),
        "avg_over_time": lambda: mean(values),
        "min_over_time": lambda: extreme(values, min),
        "max_over_time": lambda: extreme(values, max),
        "first_over_time": lambda: values[0],
        "last_over_time": lambda: values[-1],
        "stddev_over_time": lambda: math.sqrt(variance(values)),
        "stdvar_over_time": lambda: variance(values),
        "quantile_over_time": lambda: quantile(aggregation.parameter, values),
        "rate_counter": lambda: rate_counter(points, start, end, seconds),
    }[aggregation.function]()


UNWRAPS = {"": go_float, "bytes": byte_count}


def unwrapped(aggregation, lines):
    unwrap = aggregation.range.unwrap
    read = UNWRAPS.get(unwrap.conversion) or (lambda text: None if (ns := duration_ns(text)) is None else ns / 1e9)
    for line in lines:
        text = line.get(unwrap.label)
        if not text:
            continue
        value = read(text)
        if value is None:
            line.fail("SampleExtractionErr")
            value = 0.0
        if all(judge(stage.condition, line) for stage in unwrap.filters):
            yield line, value


def range_samples(aggregation: RangeAggregation, rows, times, outer=None):
    """Return {time: {labels: value}}; `outer` is the sum around, whose groups are formed first."""
    needed = outer is None or (outer.without or outer.labels)
    additive = aggregation.function in ("count_over_time", "rate", "bytes_over_time", "bytes_rate", "sum_over_time")
    narrow = outer is not None and additive and aggregation.grouping is None
    unwrap = aggregation.range.unwrap
    parses = bool(not narrow or needed or unwrap or aggregation.function == "absent_over_time")
    if aggregation.function == "absent_over_time":
        parses = bool(unwrap)
    lines = sorted(passed(aggregation.range.log, rows, parses=parses), key=lambda line: line.t)
    if unwrap:
        samples = list(unwrapped(aggregation, lines))
    else:
        sized = aggregation.function.startswith("bytes")
        samples = [(line, len(line.text.encode()) if sized else 1) for line in lines]
    result = {}
    counts_errors = narrow and not outer.without and ERROR in outer.labels
    for time in times:
        end = time - aggregation.range.offset_ns
        start = end - aggregation.range.range_ns
        window = [(line, value) for line, value in samples if start < line.t <= end]
        if aggregation.function == "absent_over_time":
            if any(line.get(ERROR) is not None for line, _ in window):
                raise RefusedError
            result[time] = {} if window else {key_of(absent_labels(aggregation.range.log.selector)): 1.0}
            continue
        series = defaultdict(list)
        for line, value in window:
            if line.get(ERROR) is not None and not counts_errors:
                raise RefusedError
            labels = line.all()
            if unwrap and not (
                aggregation.grouping
                and not aggregation.grouping.without
                and unwrap.label in aggregation.grouping.labels
            ):
                labels.pop(unwrap.label, None)
            labels = grouped(labels, aggregation.grouping)
            series[key_of(labels)].append((line.t, value))
        result[time] = {key: value_of(aggregation, points, start, end) for key, points in series.items()}
    return result


def absent_labels(selector):
    names = [matcher.name for matcher in selector.matchers]
    return {m.name: m.value for m in selector.matchers if m.op == "=" and m.value and names.count(m.name) == 1}


# --- vectors --------------------------------------------------------------------------------------------


class Everything:
    """A sum without `by`."""

    labels = ()
    without = False


def aggregate(function, values):
    return {
        "sum": lambda: sum(values),
        "avg": lambda: mean(values),
        "min": lambda: extreme(values, min),
        "max": lambda: extreme(values, max),
        "count": lambda: float(len(values)),
        "stddev": lambda: math.sqrt(variance(values)),
        "stdvar": lambda: variance(values),
    }[function]()


def evaluate(metric, rows, times):
    """Return a float, or {time: {labels: value}}."""
    match metric:
        case Number():
            return metric.value
        case Vector():
            return {time: {(): metric.value} for time in times}
        case RangeAggregation():
            return range_samples(metric, rows, times)
        case LabelReplace():
            return replaced(metric, evaluate(metric.operand, rows, times))
        case VectorAggregation():
            if metric.function == "sum" and isinstance(metric.operand, RangeAggregation):
                operand = range_samples(metric.operand, rows, times, metric.grouping or Everything)
            else:
                operand = evaluate(metric.operand, rows, times)
            return {time: of_groups(metric, samples) for time, samples in operand.items()}
    left, right = evaluate(metric.left, rows, times), evaluate(metric.right, rows, times)
    if isinstance(left, float) and isinstance(right, float):
        return float(operate(metric.op, left, right))
    if isinstance(left, float) or isinstance(right, float):
        vector = right if isinstance(left, float) else left
        done = {}
        for time, samples in vector.items():
            pairs = {k: (left, v, v) if isinstance(left, float) else (v, right, v) for k, v in samples.items()}
            done[time] = applied(metric, pairs)
        return done
    return {time: joined_vectors(metric, left[time], right[time]) for time in times}


def replaced(metric: LabelReplace, vectors):
    done = {}
    for time, samples in vectors.items():
        found = {}
        for key, value in samples.items():
            labels = dict(key)
            match = re.fullmatch(metric.regex, labels.get(metric.source, ""), re.DOTALL)
            if match:
                text = re.sub(r"\$(\w+)|\$\{(\w+)\}", lambda m: match[int(m[1] or m[2])] or "", metric.replacement)  # noqa: B023
                labels.pop(metric.target, None)
                if text:
                    labels[metric.target] = text
            if key_of(labels) in found:
                raise AmbiguousError
            found[key_of(labels)] = value
        done[time] = found
    return done


class AmbiguousError(Exception):
    """The description does not say what comes out."""


def of_groups(metric: VectorAggregation, samples):
    if metric.function in ("sort", "sort_desc"):
        return samples
    groups = defaultdict(list)
    for key, value in samples.items():
        groups[key_of(grouped(dict(key), metric.grouping or Everything))].append((key, value))
    if metric.function in ("topk", "bottomk", "approx_topk"):
        sign = 1 if metric.function == "bottomk" else -1
        kept = {}
        for members in groups.values():
            members.sort(key=lambda one: (math.isnan(one[1]), 0 if math.isnan(one[1]) else sign * one[1], one[0]))
            kept |= dict(members[: int(metric.parameter)])
        return kept
    return {key: aggregate(metric.function, [value for _, value in members]) for key, members in groups.items()}


def operate(op, a, b):
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return math.nan if b == 0 else a / b
        case "%":
            return math.nan if b == 0 or math.isinf(a) else math.fmod(a, b)
        case "^":
            return power(a, b)
    return float(COMPARE[op](a, b))


def power(a, b):
    try:
        found = a**b
    except ZeroDivisionError:
        return math.inf
    except OverflowError:
        return math.inf
    return math.nan if isinstance(found, complex) else found


def applied(metric: Binary, pairs):
    """Apply an operator to {labels: (left, right, kept)}."""
    done = {}
    for key, (left, right, kept) in pairs.items():
        value = operate(metric.op, left, right)
        if metric.op not in COMPARE or metric.returns_bool:
            done[key] = value
        elif value:
            done[key] = kept
    return done


def signature(metric: Binary, key):
    if metric.matching is None:
        return key
    return tuple((n, v) for n, v in key if (n in metric.matching.labels) == metric.matching.on)


def joined_vectors(metric: Binary, left, right):
    if metric.op in ("and", "or", "unless"):
        ours = {signature(metric, key) for key in left}
        theirs = {signature(metric, key) for key in right}
        if metric.op == "or":
            return {**left, **{k: v for k, v in right.items() if signature(metric, k) not in ours}}
        return {k: v for k, v in left.items() if (signature(metric, k) in theirs) == (metric.op == "and")}
    group = metric.matching.group if metric.matching else ""
    many, one = (right, left) if group == "right" else (left, right)
    index = {}
    for key, value in one.items():
        if signature(metric, key) in index:
            raise RefusedError
        index[signature(metric, key)] = (key, value)
    pairs, seen, result = {}, set(), set()
    for key, value in many.items():
        mark = signature(metric, key)
        if mark not in index:
            continue
        partner, other = index[mark]
        if not group:
            if mark in seen:
                raise RefusedError
            labels = dict(mark) if metric.matching else dict(key)
        else:
            labels = dict(key)
            for name in metric.matching.include:
                labels.pop(name, None)
                if dict(partner).get(name):
                    labels[name] = dict(partner)[name]
        seen.add(mark)
        a, b = (other, value) if group == "right" else (value, other)
        if key_of(labels) in result:
            raise RefusedError
        result.add(key_of(labels))
        pairs[key_of(labels)] = (a, b, a)
    return applied(metric, pairs)


def answer(query, rows, start, end, step=None):
    """Return the lines of a log query, (time, text, labels) in time order; or {labels: [(time, value)]}."""
    if isinstance(query, LogQuery):
        lines = [line for line in passed(query, rows) if start <= line.t < end]
        return [(line.t, line.text, line.all()) for line in sorted(lines, key=lambda line: line.t)]
    times = [end] if step is None else range(start // step * step, -(-end // step) * step + 1, step)
    found = evaluate(query, rows, times)
    if isinstance(found, float):
        return {(): [(time, found) for time in times]}
    series = defaultdict(list)
    for time in times:
        for key, value in found[time].items():
            series[key].append((time, value))
    return dict(series)
