"""The settings of a source of files."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tailrace import limits
from tailrace.contracts import Reading
from tailrace.encoding import AUTO, Encoding, encoding_of, known_codecs
from tailrace.errors import did_you_mean
from tailrace.settings import Format, Mistake, Settings
from tailrace.sources.kubernetes.settings import KubernetesSettings
from tailrace.sources.multiline import MultilineRules, rules_of


class TailSettings(Settings):
    """Follow files: read what is in them, then what is added, through rotation and restarts."""

    type: Literal["files"] = "files"
    """The kind of source."""

    name: Annotated[str, Field(min_length=1)] = "files"
    """Name of this source: the label `source` of its lines, and the key of its position. Unique in a configuration."""

    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    """Files, folders (with everything below them) and patterns: `*`, `?` and `[a-z]` match within a name,
    `**` matches any number of folders. Names that begin with a dot are only followed when written out."""

    exclude: tuple[str, ...] = ()
    """Patterns of paths to leave out; a pattern without a slash is compared with the file's name."""

    format: Format = "auto"
    """Format of the lines: `auto` decides per file from its first lines; or the name of a parser, one of the spec's own
    among them; or a list of names: each line is read by the first that it fits."""

    raw: Literal["auto", "keep"] = "auto"
    """`keep` stores the exact text of structured records; `auto` stores their message, beside the fields."""

    timezone: str = "local"
    """Zone of time stamps that name none: `local`, `UTC` or a name such as `Europe/Berlin`."""

    encoding: str = AUTO
    """Encoding of the files: the name of any text encoding that Python knows, such as `utf-16`, `shift_jis`, `gbk` or
    `cp1252`. `auto` is UTF-8. A byte-order mark at the start of a file is believed rather than this."""

    delimiter: str = "\n"
    """What ends a line: one or more characters. With `"\\n"` a carriage return before it is taken off too."""

    multiline: MultilineRules = ()
    """Lines that make one record: a preset such as `java` or `auto`, or rules. Without it each line is a record."""

    read_from: Literal["start", "end"] = "start"
    """Where to begin in files that are older than the first start of this agent. Younger files are always read
    from their start."""

    labels: dict[str, str] = Field(default_factory=dict)
    """Further labels of every line; they replace the ones of the same name that are derived from the path."""

    max_line_bytes: Annotated[int, Field(ge=1024, le=64 * limits.MIB)] = limits.LINE_BYTES
    """A longer line is cut into linked parts of this size."""

    kubernetes: KubernetesSettings = KubernetesSettings()
    """What to add to the logs of pods, beside what their paths tell."""

    partial_after_s: Annotated[float, Field(ge=0)] = 0.0
    """Seconds after which the beginning of a line that does not go on is given out, as a part that the rest will be
    linked to. 0 waits for the end of the line, however long that takes."""

    follow: bool = True
    """Wait for more at the end of a file; `false` reads every file once to its end."""

    @model_validator(mode="after")
    def _lines(self) -> TailSettings:
        try:
            self.text()
        except LookupError as error:
            hint = (
                did_you_mean(self.encoding.lower().replace("_", "-"), known_codecs()) or "write for example 'utf-16-le'"
            )
            raise Mistake(str(error), hint, ("encoding",)) from None
        except ValueError as error:
            raise Mistake(str(error), 'begin it with a control character such as "\\n"', ("delimiter",)) from None
        return self

    def text(self) -> Encoding:
        """Return what files are that do not say themselves."""
        return encoding_of("utf-8" if self.encoding == AUTO else self.encoding, self.delimiter)

    def reading(self) -> Reading:
        """Return how the lines are to be parsed."""
        return Reading(self.format, self.raw, self.timezone, rules_of(self.multiline))
