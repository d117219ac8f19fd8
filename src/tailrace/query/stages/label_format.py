"""`| label_format dst=src, other="template"`: renames labels, and sets them by templates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from tailrace.errors import QueryError
from tailrace.query.lexer import quote
from tailrace.query.rendered import render
from tailrace.query.rows import ERROR, Rows
from tailrace.query.template import compile_template

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source
    from tailrace.query.needs import Needs
    from tailrace.query.pushdown import Scan


@dataclass(frozen=True, slots=True)
class Setting:
    """One label to set: from another one's value (`source`), or by a template."""

    name: str
    source: str = ""
    template: str | None = None
    at: int = field(default=0, compare=False, repr=False)
    value_at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.name}={self.source if self.template is None else quote(self.template)}"


@dataclass(frozen=True, slots=True)
class LabelFormat:
    """Sets labels in order; the templates of one stage see the labels as they were at its first template."""

    keyword: ClassVar[str] = "label_format"
    settings: tuple[Setting, ...]
    at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> LabelFormat:
        """Read the stage."""
        at = cursor.next().at
        settings = [_setting(cursor)]
        while cursor.accept_op(","):
            settings.append(_setting(cursor))
        return cls(tuple(settings), at)

    def check(self, source: Source) -> None:
        """Refuse a label that is set twice, `__error__`, and templates that do not compile."""
        seen: set[str] = set()
        for setting in self.settings:
            if setting.name == ERROR:
                raise source.error("`label_format` cannot set __error__", setting.at, "| drop __error__ removes it")
            if setting.name in seen:
                raise source.error(f"{setting.name} is set twice in one stage", setting.at, "use a second label_format")
            seen.add(setting.name)
            if setting.template is not None:
                try:
                    compile_template(setting.template)
                except QueryError as error:
                    at = source.inside(setting.value_at, error.position or 0)
                    raise source.error(error.what, at, error.hint) from None

    def needs(self, after: Needs) -> Needs:
        """Read the sources, and what the templates read, if a label that they set is read or one may fail."""
        names: set[str] = set()
        line = every = False
        for setting in self.settings:
            if setting.template is None:
                names.add(setting.source)
            else:
                template = compile_template(setting.template)
                names |= template.labels
                line |= template.reads_line
                every |= template.every
        return after.plus(frozenset(names), line=line, every=every)

    def push(self, scan: Scan, after: Needs) -> bool:
        """Leave it to the rows, unless nobody reads what it changes and nothing can fail."""
        changed = {setting.name for setting in self.settings} | {setting.source for setting in self.settings}
        fails = any(s.template is not None and compile_template(s.template).simple is None for s in self.settings)
        # What a template reads behind a parser must be parsed, and may fail there, though nobody reads the result.
        idle = not fails and not after.every and not (changed & after.names) and not scan.labels_changed
        scan.labels_changed |= not idle
        scan.labels_made |= not idle
        scan.may_fail |= fails
        return idle

    def apply(self, rows: Rows, after: Needs) -> Rows:  # noqa: ARG002 - what is set may hide what is not wanted
        """Set the labels, row by row of the stage's list."""
        seen: Rows | None = None  # what the templates read
        for setting in self.settings:
            if setting.template is None:
                rows = _renamed(rows, setting)
                continue
            seen = seen or rows
            rendered = render(seen, compile_template(setting.template))
            done = rows.assigned(setting.name, rendered.texts, rendered.texts.is_not_null())
            rows = rendered.mark(done)
        return rows

    def __str__(self) -> str:
        return f"| label_format {', '.join(map(str, self.settings))}"


def _renamed(rows: Rows, setting: Setting) -> Rows:
    if not rows.columns(setting.source) or setting.name == setting.source:
        return rows
    value = rows.series(rows.label(setting.source))
    return rows.assigned(setting.name, value, value.is_not_null()).without(setting.source)


def _setting(cursor: Cursor) -> Setting:
    name = cursor.expect_name(after="`label_format`")
    cursor.expect_op("=", str(name), 'for example | label_format new=old, text="{{.level}}"')
    if cursor.token.kind == "string":
        token = cursor.next()
        return Setting(name.text, template=str(token.value), at=name.at, value_at=token.at)
    source = cursor.expect_name("a label name or a template in quotes", "`=`")
    return Setting(name.text, source=source.text, at=name.at, value_at=source.at)
