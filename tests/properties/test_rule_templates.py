"""Templates of rules: whatever is written, it is refused when it is read, or gives a text."""

from __future__ import annotations

import math

from hypothesis import example, given
from hypothesis import strategies as st

from tailrace.alerts.evaluate.contracts import Answers
from tailrace.alerts.evaluate.verdict import Answer
from tailrace.alerts.rules.template_functions import RULES
from tailrace.alerts.rules.templates import Templates, mistake
from tailrace.clock import ManualClock

WORDS = [
    "$labels",
    "$labels.host",
    "$labels.none",
    "$value",
    "$externalLabels",
    "$externalURL",
    ".Labels",
    ".Value",
    ".",
    "$",
    "true",
    "nil",
    "0",
    "-1",
    "3.5",
    "1e300",
    '"text"',
    '"1h"',
    '"("',
    '"%d %s"',
    "`vector(1)`",
    "(query `vector(1)`)",
    "(query `vector(1)` | first)",
    "(args 1 $value)",
    "(toTime 0)",
    "(now)",
]
operands = st.sampled_from(WORDS)


@st.composite
def calls(draw):
    """Draw a call with about as many values as the function takes, the last one piped now and then."""
    name = draw(st.sampled_from(sorted(RULES.functions)))
    size = max(0, len(RULES.functions[name].takes.rstrip("?*")) + draw(st.sampled_from([0, 0, 0, 0, 1, -1])))
    values = draw(st.lists(operands, min_size=size, max_size=size))
    if values and draw(st.booleans()):
        return f"{{{{ {values[-1]} | {' '.join([name, *values[:-1]])} }}}}"
    return f"{{{{ {' '.join([name, *values])} }}}}"


loops = st.builds(
    lambda word, over, inner: f"{{{{{word} {over}}}}}{inner}{{{{else}}}}-{{{{end}}}}",
    st.sampled_from(["if", "with", "range", "range $k, $v :="]),
    operands,
    calls(),
)


class Table:
    def __call__(self, _asked, times):
        return Answers({at_ns: Answer(at_ns, {'{host="a"}': 1.0, '{host="b"}': math.nan}) for at_ns in times})


FILL = Templates(Table(), ManualClock(), external_labels={"dc": "a"}, external_url="http://x/y")


@given(
    st.lists(calls() | loops | st.text(max_size=5), max_size=4).map("".join),
    st.floats(),
    st.dictionaries(st.sampled_from(["host", "app"]), st.text(max_size=10)),
)
@example("{{ toTime 1e300 }}", 1.0, {})
@example("{{ humanizeTimestamp -9e9 }}", 1.0, {})
@example("{{ repeat 1000000 (repeat 1000000 $labels.host) }}", 1.0, {"host": "aaaa"})
def test_a_template_is_refused_or_gives_a_text(text, value, labels):
    done = FILL.expand(text, labels, value, 1_700_000_000 * 10**9)
    assert isinstance(done, str)
    if mistake(text) is not None:
        assert done.startswith("<error expanding template: ")
