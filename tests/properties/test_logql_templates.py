"""Any function of a template with any values gives a value or a fault of the line, never a crash."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.query.template import compile_template
from tailrace.query.template_functions import FUNCTIONS
from tailrace.query.template_values import TemplateError

texts = st.text(max_size=6) | st.sampled_from(
    ["1e300", "-1", "0", "99999999999999999999", "(", "%5c%d%.9f", "\n", "5KB", "2h"]
)
constants = st.sampled_from(["0", "-1", "3", "999999999999", "1.5", "-1e300", "true", "nil", '"x"', "__timestamp__"])
VALUES = ("$.a", "$.b", "$.c")


@given(
    st.sampled_from(sorted(FUNCTIONS)),
    st.lists(st.sampled_from(VALUES) | constants, max_size=4),
    st.lists(texts, min_size=3, max_size=3),
)
@settings(max_examples=400)
def test_any_call_gives_text_or_a_fault(name, arguments, values):
    function = FUNCTIONS[name]
    kinds = function.takes.rstrip("?*")
    padded = [*arguments, *VALUES, *VALUES][: max(len(kinds), function.least)]
    fitting = [
        "3" if kind == "i" else "$.a" if kind == "s" and not value.startswith("$") else value
        for kind, value in zip(kinds, padded, strict=False)
    ]
    template = compile_template("{{" + " ".join([name, *fitting]) + "}}")
    try:
        text = template.render(dict(zip("abc", values, strict=True)))
    except TemplateError:
        return
    assert isinstance(text, str)
