"""Ask for what stands around the lines of a view: counts over time, values of labels and fields, patterns, a chart."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tailrace.query.labels import label_names
from tailrace.web.explorer.search import chart, counts, facets, histogram, patterns, sample

if TYPE_CHECKING:
    from tailrace.web.explorer.search.parts import View


async def bars(view: View) -> None:
    """Ask for the lines of each bucket, and those of the range that this one is compared with."""
    services, log, span, by = view.services, view.log, view.when, view.state.by
    now_ns, oldest_ns = services.clock.now_ns(), counts.oldest_ns(services)
    shift = histogram.shift_ns(view.state.compare, span.start_ns, span.end_ns)
    grid = histogram.grid(span.start_ns, span.end_ns)
    view.names = await view.start(lambda: label_names(services.table, span.start_ns, span.end_ns, str(log.selector)))
    asked = [view.start(lambda: counts.over_time(services, log, span, grid.step_ns, (by,)))]
    if shift:  # of a range that goes on, only as much as there is of it
        cut = replace(span, end_ns=max(min(span.end_ns, now_ns), span.start_ns + 1))
        asked.append(view.start(lambda: counts.over_time(services, log, cut, grid.step_ns, (), shift)))
    now, *before = await asyncio.gather(*asked)
    gaps = histogram.gaps(grid, span.start_ns, span.end_ns, oldest_ns, now_ns)
    stored = oldest_ns is not None and oldest_ns <= span.start_ns - shift
    view.bars = histogram.histogram(now, by, grid, gaps, (before[0], shift, stored) if before else None)


async def rail(view: View) -> None:
    """Ask for the values of labels, counted, and of fields, in a sample."""
    await asyncio.gather(_labels(view), _fields(view))


async def _labels(view: View) -> None:
    counted = await view.start(lambda: counts.by_labels(view.services, view.log, view.when))
    view.labels = facets.of_labels(counted, view.find)


async def _fields(view: View, *, fully: bool = False) -> None:
    if view.bars is None:
        await bars(view)
    assert view.bars is not None, "it was asked for"
    drawing, span = view.bars, view.when
    asked = [sample.parts(drawing, span.start_ns, span.end_ns)]
    if fully and drawing.before:
        asked.append(sample.parts_before(drawing, span.start_ns, span.end_ns))
    now, *before = await asyncio.gather(
        *(view.start(partial(sample.sample, view.services, view.query, parts)) for parts in asked)
    )
    view.sampled = now
    view.fields = facets.of_fields(now, before[0] if before else None, view.find)
    if fully:
        view.odd = facets.unusual(view.fields)
        view.hidden = facets.hidden(view.log, now)


async def fields(view: View) -> None:
    """Ask for all labels and fields, and what is unusual about them."""
    await asyncio.gather(_labels(view), _fields(view, fully=True))


async def kinds(view: View) -> None:
    """Ask for the kinds of lines, of the range and of the one that it is compared with."""
    if view.bars is None:
        await bars(view)
    assert view.bars is not None, "it was asked for"
    services, span, drawing = view.services, view.when, view.bars
    oldest, now_ns = counts.oldest_ns(services), services.clock.now_ns()
    now = patterns.Range(
        sample.parts(drawing, span.start_ns, span.end_ns),
        patterns.stored_ns(span.start_ns, span.end_ns, oldest, now_ns),
    )
    before = None
    if drawing.before:
        shift = drawing.before.shift_ns
        stored = patterns.stored_ns(span.start_ns - shift, span.end_ns - shift, oldest, now_ns)
        before = patterns.Range(sample.parts_before(drawing, span.start_ns, span.end_ns), stored)
    view.patterns = await view.start(lambda: patterns.patterns(services, view.log, drawing.grid, now, before))


async def curves(view: View) -> None:
    """Ask for the numbers of a chart."""
    tree, span = view.tree, view.when
    assert tree is not None, "it was read"
    view.chart = await view.start(lambda: chart.draw(view.services, tree, span, view.state))
