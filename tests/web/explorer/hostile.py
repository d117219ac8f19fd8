"""A shop among enemies: whatever of a view can be written by others tries to be markup, a command, or something else.

What would be parsed as markup leaves a trace that cannot come about otherwise: an element `x-trap`, or an attribute of
that name.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from web.conftest import wait_until

if TYPE_CHECKING:
    from web.explorer.whole import Whole

TAG: Final = "<x-trap>tag</x-trap><img src=x onerror='document.body.append(document.createElement(`x-trap`))'>"
BREAKOUT: Final = "\" x-trap=1 autofocus onfocus=alert(1) ' x-trap=1 ><x-trap>"
SCRIPT: Final = "</textarea></title></script><script>document.body.append(document.createElement('x-trap'))</script>"
TEMPLATE: Final = "{{ 7919 * 7907 }} {% raw %} ${7919*7907} <!-- <x-trap> -->"
MADE: Final = "62615533"
"""What a template would make of that."""
BIDI: Final = "user \u202etxt.exe\u2066 nothing \u2069 \u200f hidden \u200b \ufeff"
CONTROL: Final = "bell \x07 null \x00 back \x08 return \r over \x1b[2J\x1b[31mred\x1b]0;title\x07\x1b[0m \x7f \x85"
LINK: Final = 'javascript:alert(1) http://127.0.0.1:9/"><x-trap> data:text/html,<x-trap>'
LONG: Final = "<x-trap>" * (1 << 17)
"""1 MiB."""

TEXTS: Final = (TAG, BREAKOUT, SCRIPT, TEMPLATE, BIDI, CONTROL, LINK)
NAMES: Final = (
    b"<x-trap>.txt",
    b"\" x-trap=1 '.txt",
    "\u202egnp.exe".encode(),
    b"two\nlines",
    b"* ? [a-z]",
    b"not \xff\xfe utf-8",
    b"n" * 255,
    b" ",
)


def fill(whole: Whole) -> None:
    """Bring lines, fields, labels, files, rules, receivers and silences of enemies."""
    _lines(whole)
    _files(whole)
    _alerts(whole)
    _pushed(whole)
    wait_until(lambda: whole.count('{source="shop"} |= "x-trap"') >= 6, 60)
    wait_until(lambda: whole.count('{app=~".+x-trap.+"}') == len(TEXTS), 60)
    wait_until(lambda: whole.count('{source="file_events"} |= "x-trap"') >= 1, 60)


def _lines(whole: Whole) -> None:
    log = whole.shop.logs / "shop.log"
    rows = [
        json.dumps({"message": text, "level": text, "service": text, TAG: text, "user": {text: 1}}) for text in TEXTS
    ]
    raw = [b"raw " + text.encode().replace(b"\n", b" ") for text in TEXTS]
    with log.open("ab") as file:
        file.writelines(line + b"\n" for line in [LONG.encode(), b"bad \xff\xfe\xc3( utf-8 <x-trap>", *raw])
        file.writelines(line.encode() + b"\n" for line in rows)


def _files(whole: Whole) -> None:
    folder = os.fsencode(whole.shop.files)
    for name in NAMES:
        with open(os.path.join(folder, name), "wb") as file:  # noqa: PTH118, PTH123  names that are no text
            file.write(b"x" * 50_000)


def _alerts(whole: Whole) -> None:
    rule = {
        "alert": TAG,
        "expr": 'count_over_time({source="shop"}[1d]) > 0',
        "labels": {"severity": BREAKOUT, "team": BIDI},
        "annotations": {"summary": SCRIPT, "runbook_url": "javascript:alert(1)"},
    }
    group = json.dumps({"name": BREAKOUT, "interval": "5s", "rules": [rule]})
    whole.client.post("/loki/api/v1/rules/x-trap", content=group).raise_for_status()
    silence = {
        "matchers": [{"name": "alertname", "value": TAG, "isRegex": False, "isEqual": True}],
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": TAG,
        "comment": SCRIPT + BIDI,
    }
    whole.client.post("/api/v2/silences", json=silence).raise_for_status()
    expr = f'count_over_time({{source="shop"}} |= {json.dumps(TAG)} [1m])'
    whole.client.post("/api/v1/metrics", json={"name": "hostile", "expr": expr}).raise_for_status()


def _pushed(whole: Whole) -> None:
    """Push lines whose labels and metadata are hostile, too."""
    now_ns = whole.now_ns()
    streams = [
        {
            "stream": {"app": f"x-trap {text} x-trap x", "job": text},
            "values": [[str(now_ns + at), text, {"said": text}]],
        }
        for at, text in enumerate(TEXTS)
    ]
    whole.client.post("/loki/api/v1/push", json={"streams": streams}).raise_for_status()
