"""Patterns that people write: regular expressions, LogQL's `<name>` patterns, and `%{NAME:field}` ones.

All three become one anchored regular expression with named groups for the engine that runs it, in time linear in the
text. Pure text in and out: the parsers of lines and the stages of queries use them.
"""
