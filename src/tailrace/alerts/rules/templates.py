"""Fill in the templates of rules: labels and annotations, as Prometheus expands them.

Comes in: a rule's templates, the labels and the value of a series, and the window's time. Goes out: texts; a template
that fails becomes `<error expanding template: …>`, and its alert is sent all the same. `mistake` and `problems` refuse
at load what is no template. All that a template does is bounded: turns of loops, bytes, queries.

`$labels` `$value` `$externalLabels` `$externalURL`, or `.Labels` `.Value` `.ExternalLabels` `.ExternalURL`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tailrace import limits
from tailrace.alerts.rules.template_functions import RULES, Expansion, Fields, Texts
from tailrace.batch import stream_labels
from tailrace.config.trail import trail_text
from tailrace.errors import Problem, QueryError
from tailrace.query.template import Template, compile_dialect
from tailrace.query.template_values import TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.alerts.evaluate.contracts import Ask
    from tailrace.alerts.model import Rule
    from tailrace.alerts.rules.template_functions import Sample
    from tailrace.clock import Clock

_OPEN: Final = "{{"

_FRESH_S: Final = 0.5
"""Seconds behind the last use for which answers to queries are used again: alerts of one round ask the same."""

_ANSWERS: Final = 1000  # that are remembered


@lru_cache(maxsize=65_536)
def compiled(text: str) -> Template:
    """Compile a rule's template; a `QueryError` points into it."""
    return compile_dialect(text, RULES)


def mistake(text: str) -> QueryError | None:
    """Return what is wrong with a template, None if it can be expanded."""
    try:
        compiled(text)
    except QueryError as error:
        return error
    return None


def problems(rule: Rule) -> list[Problem]:
    """Return what is wrong with the templates of a rule, each at its place below the rule."""
    if rule.record:  # its labels are no templates
        return []
    found = []
    for kind, texts in (("labels", rule.labels), ("annotations", rule.annotations)):
        for name, text in texts.items():
            if error := mistake(text):
                found.append(Problem(trail_text((kind, name)), str(error)))
    return found


class Templates:
    """Fills templates in; queries are asked in the caller's thread, and one thread at a time may call."""

    def __init__(
        self, ask: Ask | None, clock: Clock, *, external_labels: Mapping[str, str] | None = None, external_url: str = ""
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._external_labels = dict(external_labels or {})
        self._external_url = external_url
        self._answers: dict[tuple[str, int], list[Sample] | str] = {}  # a text says why there is none
        self._used_s = float("-inf")

    def __call__(
        self, templates: Mapping[str, str], labels: Mapping[str, str], value: float, at_ns: int
    ) -> dict[str, str]:
        """Return the texts of templates for a series at a window."""
        return {name: self.expand(text, labels, value, at_ns) for name, text in templates.items()}

    def expand(self, text: str, labels: Mapping[str, str] | Texts, value: float, at_ns: int) -> str:
        """Return the text of one template; what fails says so in its place."""
        if _OPEN not in text:
            return text
        try:
            return self.expanded(text, labels, value, at_ns)
        except (TemplateError, QueryError) as error:
            said = error.one_line() if isinstance(error, QueryError) else str(error)
            return f"<error expanding template: {said}>"
        except RecursionError:
            return "<error expanding template: its values are nested too deeply>"

    def expanded(self, text: str, labels: Mapping[str, str] | Texts, value: float, at_ns: int) -> str:
        """Return the text of one template; raise `QueryError` or `TemplateError` where it fails."""
        given = labels if isinstance(labels, Texts) else Texts(labels)
        external = Texts(self._external_labels)
        number = float(value)
        data = Fields({"Labels": given, "ExternalLabels": external, "ExternalURL": self._external_url, "Value": number})
        variables = (given, external, self._external_url, number)
        began_s = self._clock.monotonic_s()
        host = Expansion(lambda query: self._series(query, at_ns, began_s), self._external_url)
        return compiled(text).expand(data, variables, at_ns, host)

    def _series(self, query: str, at_ns: int, began_s: float) -> list[Sample]:
        """Return the series of a query at a time, in the order of their labels."""
        now_s = self._clock.monotonic_s()
        if now_s - self._used_s >= _FRESH_S or len(self._answers) >= _ANSWERS:
            self._answers = {}
        if (query, at_ns) not in self._answers:
            if now_s - began_s > limits.TEMPLATE_QUERIES_S:
                raise TemplateError(f"query: the template asks for longer than {limits.TEMPLATE_QUERIES_S:g} s")
            self._answers[query, at_ns] = self._asked(query, at_ns)
        self._used_s = self._clock.monotonic_s()
        found = self._answers[query, at_ns]
        if isinstance(found, str):
            raise TemplateError(f"query: {found}")
        return found

    def _asked(self, query: str, at_ns: int) -> list[Sample] | str:
        if self._ask is None:
            return "nothing can be asked here"
        answer = self._ask(query, range(at_ns, at_ns + 1)).at[at_ns]
        return answer.error or [(stream_labels(key), answer.values[key]) for key in sorted(answer.values)]
