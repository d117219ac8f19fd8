"""Unit tests of rules: files in the form of `promtool test rules`, with log lines as input.

::

    settings ─▶ files ─▶ world ─▶ run ─▶ report
    the shape   rules    a table, a clock, the running program's evaluator
"""
