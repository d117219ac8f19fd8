"""Alerts on the page: what fires, the rules, an editor that goes from a search to a notice, and who is told.

`standing`, `rulelist` and `past` read how things are; `draft`, `sentences` and `trial` turn a form into a rule and try
it on what is stored; `ways` turns a form into a receiver. None of them knows HTML. `views`, `editor` and `telling` are
the addresses.
"""
