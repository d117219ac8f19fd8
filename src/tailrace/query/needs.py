"""What a part of a query reads: the reason why a scan need not load a whole row.

Computed from the answer backwards through the stages (`Stage.needs`): what is never needed is never read,
and a parser whose labels nobody reads does not run (so bad lines count, as LogQL says).
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Needs:
    """Labels and the line. `every` asks for all labels except `but`; `names` are asked for by name in any case.

    `parses` tells that a parser follows: what it finds is called `<name>_extracted` where the line has a label of the
    name already, shown or not. `owners` asks which labels the streams have, though their values are not read.
    `largest` asks for no more than so many series, those with the largest totals; 0 for all. Of labels that are
    `counted` only the number of their different values is asked, under each set of the others: see `evaluate.counted`.
    """

    every: bool = False
    names: frozenset[str] = frozenset()
    line: bool = False
    but: frozenset[str] = frozenset()
    parses: bool = False
    owners: bool = False
    largest: int = 0
    counted: frozenset[str] = frozenset()

    @property
    def labels(self) -> bool:
        """Whether any label is read at all."""
        return self.every or bool(self.names)

    def wants(self, name: str) -> bool:
        """Tell whether a label found on a line, or the name that it gets in a clash, is read."""
        return self.every or name in self.names or name + "_extracted" in self.names

    def shows(self, name: str) -> bool:
        """Tell whether a label is part of the answer."""
        return name in self.names or (self.every and name not in self.but)

    def plus(
        self, names: frozenset[str] = frozenset(), *, line: bool = False, every: bool = False, parses: bool = False
    ) -> Needs:
        """Return what is needed if these are read too."""
        but = frozenset[str]() if every else self.but
        return replace(
            self,
            every=self.every or every,
            names=self.names | names,
            line=self.line or line,
            but=but,
            parses=self.parses or parses,
        )
