"""LogQL: from text to an answer.

::

    lexer ─▶ parser ─▶ check ─▶ plan ─▶ run ─▶ render
    tokens   syntax    errors   scan    frames  text, JSON

`stages` and `functions` hold one file per stage of a pipeline and per aggregation.
"""
