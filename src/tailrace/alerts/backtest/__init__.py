"""Back-tests: what a rule would have done with the lines that are stored.

::

    history ─▶ replay ─▶ variants, compared
    numbers    incidents  other thresholds and waits, another version of the rule
"""
