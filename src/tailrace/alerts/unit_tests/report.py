"""Write how rule tests ended: for people, with what differs marked, and as JUnit's XML for build servers. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tailrace.alerts.unit_tests.checks import Failure
    from tailrace.alerts.unit_tests.run import Result

_NOT_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def lines(results: Sequence[Result]) -> Iterator[str]:
    """Yield what is said of one file's tests."""
    failed = [result for result in results if result.failures]
    for result in failed:
        yield "  FAILED:"
        yield f"    name: {result.name},"
        for failure in result.failures:
            yield from _of(failure)
    if not failed:
        count = sum(result.checks for result in results)
        yield f"  SUCCESS: {_many(len(results), 'test')}, {_many(count, 'check')}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" + "s" * (count != 1)


def _of(failure: Failure) -> Iterator[str]:
    yield f"    {failure.about}"
    both = set(failure.expected) & set(failure.got)
    for what, texts in (("exp", failure.expected), ("got", failure.got)):
        if not texts:
            yield f"        {what}: nothing"
            continue
        yield f"        {what}:"
        yield from (f"          {'  ' if text in both else '- ' if what == 'exp' else '+ '}{text}" for text in texts)


def junit(files: Mapping[str, Sequence[Result] | str]) -> bytes:
    """Return the results of files as JUnit's XML; a file that cannot be read has a text instead: why."""
    root = ET.Element("testsuites")
    for file, results in files.items():
        broken = isinstance(results, str)
        failures = 0 if isinstance(results, str) else sum(bool(one.failures) for one in results)
        attributes = {"name": file, "tests": str(1 if broken else len(results)), "failures": str(failures)}
        suite = ET.SubElement(root, "testsuite", {**attributes, "errors": str(int(broken))})
        if isinstance(results, str):
            case = ET.SubElement(suite, "testcase", {"classname": file, "name": "reading it"})
            ET.SubElement(case, "error", {"message": "it cannot be read"}).text = _clean(results)
            continue
        for one in results:
            name = {"classname": file, "name": _clean(one.name), "time": f"{one.seconds:.3f}"}
            case = ET.SubElement(suite, "testcase", name)
            for failure in one.failures:
                found = ET.SubElement(case, "failure", {"message": _clean(failure.about)})
                found.text = _clean("\n".join(_of(failure)))
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _clean(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
