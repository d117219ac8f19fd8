from __future__ import annotations

import base64

import pytest

from tailrace.access.credentials import token_of
from tailrace.access.model import Denied

TOKEN = "trl_abcdefghij_" + "x" * 43


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "shown",
    [
        f"Bearer {TOKEN}",
        f"bearer  {TOKEN} ",
        f"Basic {coded(f'grafana:{TOKEN}')}",
        f"Basic {coded(f':{TOKEN}')}",
        f"Basic {coded(f'{TOKEN}:')}",
        f"ApiKey {TOKEN}",
        f"ApiKey {coded(f'anything:{TOKEN}')}",
    ],
)
def test_every_way_of_people_s_tools(shown: str) -> None:
    assert token_of(shown) == TOKEN


@pytest.mark.parametrize(
    "shown", ["", "Bearer", TOKEN, f"Digest {TOKEN}", "Basic ***", "Basic " + "A" * 2_000, "ApiKey é"]
)
def test_what_cannot_be_read_is_refused_without_repeating_it(shown: str) -> None:
    with pytest.raises(Denied) as refused:
        token_of(shown)
    assert refused.value.status == 401
    assert TOKEN not in str(refused.value)
