"""Stages one after the other over one line."""

from __future__ import annotations

import math
import re

from properties.book.filters import go_float, judge, line_passes, text_passes
from properties.book.line import DETAILS, ERROR, AmbiguousError, Line
from properties.book.parsers import parse_json, parse_json_parameters, parse_logfmt, parse_pattern, unpack
from tailrace.query.stages.decolorize import Decolorize
from tailrace.query.stages.drop import Drop
from tailrace.query.stages.json import Json
from tailrace.query.stages.keep import Keep
from tailrace.query.stages.label_filter import LabelFilter
from tailrace.query.stages.label_format import LabelFormat
from tailrace.query.stages.line_filter import LineFilter
from tailrace.query.stages.line_format import LineFormat
from tailrace.query.stages.logfmt import Logfmt
from tailrace.query.stages.pattern import Pattern
from tailrace.query.stages.regexp import Regexp
from tailrace.query.stages.unpack import Unpack
from tailrace.query.syntax import (
    LogQuery,
)

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
