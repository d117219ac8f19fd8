"""The evaluation of rules: which windows are due, what was asked and found, and what follows for their alerts."""
