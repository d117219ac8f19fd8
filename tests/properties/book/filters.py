"""Which lines stay: tests of the line and of labels, and how text is read as a number."""

from __future__ import annotations

# ruff: noqa: PLR0911 -- a rule per return, as the description has them
import ipaddress
import math
import re

from properties.book.line import DETAILS, ERROR, Line
from properties.book.parsers import pattern_holds
from tailrace.query.stages.label_filter import All, AnyOf, Comparison, Inside
from tailrace.query.stages.line_filter import LineFilter
from tailrace.query.syntax import (
    Matcher,
)


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
