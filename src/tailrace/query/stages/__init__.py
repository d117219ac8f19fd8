"""The stages of a pipeline, one file each.

To add one: write its file (the node fulfils `syntax.Stage`) and name it in `STAGES`. `unwrap` is no stage: it ends the
pipeline of a range, see `syntax.Unwrap`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.query.stages.decolorize import Decolorize
from tailrace.query.stages.drop import Drop
from tailrace.query.stages.json import Json
from tailrace.query.stages.keep import Keep
from tailrace.query.stages.label_format import LabelFormat
from tailrace.query.stages.line_format import LineFormat
from tailrace.query.stages.logfmt import Logfmt
from tailrace.query.stages.pattern import Pattern
from tailrace.query.stages.regexp import Regexp
from tailrace.query.stages.unpack import Unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.query.syntax import Stage

STAGES: Final[Mapping[str, type[Stage]]] = {
    stage.keyword: stage
    for stage in (Json, Logfmt, Regexp, Pattern, Unpack, LineFormat, LabelFormat, Decolorize, Keep, Drop)
}
"""Stages that begin with a keyword; `line_filter` and `label_filter` begin with an operator or a label."""
