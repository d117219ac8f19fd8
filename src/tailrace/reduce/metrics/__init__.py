"""Metrics from logs: counters, gauges and histograms of the rows that go by.

Comes in: frames, and the declared `settings`. Goes out: families for a scraper, all of one cut. `sessions` joins lines
that belong together, as those of one connection do; `meter` makes increments of a frame. Both work in columns, with
Python per series only. `state` is the whole, with its marks and editions: a value is a mark in the same plan as the
offsets of the lines that it counted, so it is exact over any crash.
"""
