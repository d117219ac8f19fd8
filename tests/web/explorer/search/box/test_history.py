from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from tailrace.clock import ManualClock
from tailrace.control import Control
from tailrace.database_url import DatabaseUrl
from tailrace.web.explorer.frame import Frame
from tailrace.web.explorer.search.box.history import KEPT, PATH, History, routes
from web.conftest import _served
from web.explorer.saved.conftest import _Door


@pytest.fixture(params=["sqlite", "postgres"])
def history(request, tmp_path) -> Iterator[History]:
    url = DatabaseUrl(request.getfixturevalue("database")) if request.param == "postgres" else None
    control = Control.open(tmp_path, url)
    yield History(control, ManualClock(5))
    control.close()


def add(history: History, who: str, *queries: str) -> None:
    for query in queries:
        history._clock.advance(1)
        history.add(who, query)


def test_everybody_has_their_own_queries_newest_first_and_once(history: History) -> None:
    add(history, "ann", "one", "two", "one")
    add(history, "bob", "three")
    assert history.of("ann") == ["one", "two"]
    assert history.of("bob") == ["three"]
    assert history.of("eve") == []


def test_the_newest_are_kept(history: History) -> None:
    add(history, "bob", "of bob")
    add(history, "ann", *map(str, range(KEPT + 5)))
    assert history.of("ann") == [str(number) for number in range(KEPT + 4, 4, -1)]
    assert history.of("bob") == ["of bob"]


def test_nothing_is_kept_of_nothing_and_of_the_very_long(history: History) -> None:
    add(history, "ann", " ", "x" * 5_000)
    assert history.of("ann") == []


def test_the_script_tells_of_queries_and_asks_for_them(tmp_path) -> None:
    control = Control.open(tmp_path)
    app = FastAPI()
    app.include_router(routes(Frame("box"), History(control, ManualClock())))
    with _served(_Door(app)) as address, httpx.Client(base_url=address, trust_env=False) as client:  # type: ignore[arg-type]
        ann = {"x-who": "ann"}
        assert client.post(PATH, data={"q": '{a="é"}'}, headers=ann).status_code == 204
        assert client.get(PATH, headers=ann).json() == ['{a="é"}']
        assert client.get(PATH, headers={"x-who": "bob"}).json() == []
        assert client.post(PATH, data={"q": "of nobody"}).status_code == 204
        assert client.get(PATH).json() == []
    control.close()
