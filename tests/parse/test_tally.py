"""What parsers did is counted: per member in a list of formats."""

from tailrace.contracts import Block, Origin, Reading
from tailrace.parse.chain import Chain

TEXT = b'{"a":1}\nlevel=info a=1\nneither of them\n{"a":2}\n'


def work(chain: Chain) -> dict[str, tuple[int, int]]:
    return {name: (done.matched, done.unmatched) for name, done in chain.done().items()}


def parsed(chain: Chain, form: str, data: bytes) -> None:
    chain.parse([Block(Origin("f", {"filename": "f"}, Reading(form, timezone="UTC")), 0, data, 10**18)])


def test_each_member_of_a_list_counts_the_lines_that_it_was_given():
    chain = Chain()
    parsed(chain, "json|logfmt", TEXT)
    assert work(chain) == {"json": (2, 2), "logfmt": (1, 1)}
    assert work(chain) == {}  # since the last time


def test_seconds_are_of_the_parser():
    chain = Chain()
    parsed(chain, "json", TEXT)
    assert 0 < chain.done()["json"].seconds < 60


def test_a_runtimes_lines_and_their_content_are_two_parsers():
    chain = Chain()
    data = b'2026-03-05T10:00:00Z stdout F {"a":1}\n2026-03-05T10:00:00Z stdout F {"a":2}\nno container line\n'
    parsed(chain, "cri", data)
    assert work(chain) == {"cri": (2, 1), "json": (2, 0)}
