from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.access.tenants import LABEL, ConfinedEngine, Stamped, check_tenant, of_tenant, stamped
from tailrace.batch import Batch, Position, stream_labels, stream_text
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import TailraceError

NAMES = st.one_of(st.just(LABEL), st.from_regex(r"[A-Za-z_]{1,6}", fullmatch=True), st.just(f"x{LABEL}"))
VALUES = st.one_of(st.sampled_from(["shop", "bank", f'{LABEL}="shop"', f', {LABEL}="shop"', f'{{{LABEL}="shop"', '"', "\\"]), st.text(max_size=20))  # fmt: skip


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_a_stream_is_a_tenant_s_just_when_its_label_says_so(labels: dict[str, str]) -> None:
    text = stream_text(labels)
    (found,) = pl.DataFrame({"_stream": [text]}).select(of_tenant("shop"))
    assert found.to_list() == [stream_labels(text).get(LABEL) == "shop"]


@given(st.dictionaries(NAMES, VALUES, max_size=5), st.sampled_from(["shop", "a.b-c_d", "0"]))
def test_what_is_stamped_is_of_that_tenant_whatever_it_said(labels: dict[str, str], tenant: str) -> None:
    frame = stamped(pl.DataFrame({"_stream": [stream_text(labels)]}), tenant)
    assert frame.select(of_tenant(tenant)).item() is True
    others = {name: value for name, value in stream_labels(stream_text(labels)).items() if name != LABEL}
    assert dict(stream_labels(frame["_stream"][0])) == {**others, LABEL: tenant}


def test_what_is_of_nobody_has_no_label() -> None:
    frame = pl.DataFrame({"_stream": ['{app="a"}', f'{{{LABEL}="shop", app="b"}}', None], "_line": ["1", "2", "3"]})
    assert stamped(frame, "")["_stream"].to_list() == ['{app="a"}', '{app="b"}', None]
    assert stamped(frame.head(1), "") is frame.head(1) or stamped(frame.head(1), "").equals(frame.head(1))


@pytest.mark.parametrize("wrong", ["", "a b", 'x"', "a|b", ".x", "../x", "x" * 65, "ä", "a\n"])
def test_no_reader_is_confined_to_what_is_no_tenant(wrong: str) -> None:
    with pytest.raises(TailraceError):
        check_tenant(wrong)


class Kept:
    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.asked: list[str] = []

    def submit(self, batch: Batch) -> None:
        self.batches.append(batch)

    def last_number(self, agent: str) -> int | None:
        self.asked.append(agent)
        return 7

    def close(self) -> None:
        raise AssertionError("it belongs to who made it")


def test_agents_of_two_tenants_may_have_one_name() -> None:
    """Else the numbers of one would be taken for those of the other, and its batches for repeats."""
    kept = Kept()
    batch = Batch(pl.DataFrame({"_stream": ["{}"]}), "s", 1, 1, Position("web", 3))
    for tenant in ("shop", "bank", ""):
        sink = Stamped(kept, tenant)  # type: ignore[arg-type]  # its futures are of no interest
        sink.submit(batch)
        assert sink.last_number("web") == 7
        sink.close()
    assert [one.position and one.position.agent for one in kept.batches] == [
        "tenant=shop:web",
        "tenant=bank:web",
        "web",
    ]
    assert kept.asked == ["tenant=shop:web", "tenant=bank:web", "web"]


def test_segments_that_are_not_confined_are_not_scanned() -> None:
    engine = ConfinedEngine(PolarsEngine(), "shop")
    with pytest.raises(TailraceError):
        engine.scan(object(), {})  # type: ignore[arg-type]  # on purpose
