"""A log that is rotated several times while nobody looks: one stream, in order, whatever the rotated files are called."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sources.tail.tailing import Tailing

Make = Callable[..., Tailing]

NAMES = {
    "number": "{name}.{number}",
    "date": "{name}-20261122-{number:06}",
    "kubelet": "{name}.20261122-{number:06}",
    "iso": "{name}.2026-11-22T00:00:{number:02}",
    "stem": "{stem}-2026-11-{number:02}{suffix}",
    "olddir": "old/{name}.{number}",  # and the numbers go up, as log4j counts
    "up": "{name}.{number}",
}


def rotate(log: Path, style: str, number: int) -> None:
    to = log.parent / NAMES[style].format(name=log.name, stem=log.stem, suffix=log.suffix, number=number)
    to.parent.mkdir(exist_ok=True)
    if style == "number":  # the newest is always 1
        for older in range(number - 1, 0, -1):
            log.with_name(f"{log.name}.{older}").rename(log.with_name(f"{log.name}.{older + 1}"))
        to = log.with_name(f"{log.name}.1")
    log.rename(to)
    time.sleep(0.01)  # births come from a coarse clock


@pytest.mark.parametrize("style", NAMES)
@pytest.mark.parametrize("name", ["app.log", "app.v2.json", "app"])
@pytest.mark.parametrize("stopped", [True, False])
def test_t7_t9_every_style_of_names_is_one_stream(tail: Make, style: str, name: str, stopped: bool) -> None:
    tailing = tail()
    log = tailing.write(name, "first\n")
    found = tailing.read().get(name, "")
    for number in (1, 2, 3):
        tailing.write(name, f"before {number}\n")
        rotate(log, style, number)
        tailing.write(name, f"after {number}\n")
    if stopped:
        tailing.restart()
    for _ in range(4):
        read = tailing.later(3)
        assert read.keys() <= {name}
        found += read.get(name, "")
    between = [f"{when} {number}\n" for number in (1, 2, 3) for when in ("before", "after")]
    assert found == "".join(["first\n", *between])


def test_t23_a_rotated_file_with_nothing_but_a_header_is_no_copy_of_a_younger_one(tail: Make) -> None:
    header = "#Fields: date time cs-method cs-uri-stem sc-status time-taken and some more words\n"
    tailing = tail()
    log = tailing.write("app.log", header)
    assert tailing.read() == {"app.log": header}
    for number in (1, 2, 3):
        rotate(log, "number", number)
        tailing.write("app.log", header)
    found = "".join(tailing.later(3).get("app.log", "") for _ in range(5))
    assert found == header * 3
