"""Text by a template that is more than text and labels: rendered once per distinct set of what it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from tailrace.query.rows import Rows
from tailrace.query.template_values import TemplateError

if TYPE_CHECKING:
    from tailrace.query.template import Template


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a template made of each row; null where one of its functions failed, and why."""

    texts: pl.Series
    whys: pl.Series

    def mark(self, rows: Rows) -> Rows:
        """Return rows of the same number with the errors."""
        if self.whys.null_count() == len(self.whys):
            return rows
        marked = Rows(rows.frame.with_columns(self.whys.alias("_why")))
        marked = marked.with_error(pl.col("_why").is_not_null(), "TemplateFormatErr", pl.col("_why"))
        return Rows(marked.frame.drop("_why"))


def render_lines(rows: Rows, template: Template) -> Rows:
    """Replace each line; where a function of the template fails, the line stays and carries the error."""
    rendered = render(rows, template)
    texts = rendered.texts.alias("_new")
    if "_line" in rows.frame.columns:
        texts = rows.frame.select(pl.coalesce(texts, "_line").alias("_new"))["_new"]
    return rendered.mark(rows.with_line(texts))


def render(rows: Rows, template: Template) -> Rendered:
    """Return what a template makes of each row."""
    names = rows.names() if template.every else sorted(template.labels)
    values = {f"label.{name}": rows.label(name) for name in names}
    reads = rows.frame.with_columns(**values).select(
        *values,
        *(["_line"] if template.reads_line else []),
        *(["_time_ns"] if template.reads_time else []),
    )
    if not reads.width:  # nothing of the row is read: one text for all
        reads = rows.frame.select(pl.repeat(0, pl.len()).alias("\0all"))
    distinct = reads.unique()
    lines: list[str | None] = []
    failures: list[str | None] = []
    for row in distinct.iter_rows(named=True):
        labels = {name: value for name in names if (value := row[f"label.{name}"]) is not None}
        try:
            lines.append(template.render(labels, row.get("_line") or "", row.get("_time_ns") or 0))
            failures.append(None)
        except TemplateError as error:
            lines.append(None)
            failures.append(str(error))
    table = distinct.with_columns(
        pl.Series("\0text", lines, dtype=pl.String), pl.Series("\0why", failures, dtype=pl.String)
    )
    spread = reads.join(table, on=reads.columns, how="left", nulls_equal=True, maintain_order="left")
    return Rendered(spread["\0text"], spread["\0why"])
