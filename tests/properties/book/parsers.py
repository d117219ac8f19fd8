"""What takes labels out of a line: json, logfmt, pattern, unpack, each read character by character."""

from __future__ import annotations

import re

from properties.book.line import Line, sanitized
from tailrace.query.stages.logfmt import Logfmt


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
