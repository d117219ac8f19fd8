import pytest

from web.conftest import House


@pytest.mark.parametrize(
    "host", ["127.0.0.1:80", "localhost", "LOCALHOST:9080", "app.localhost", "[::1]:1", "box", "10.0.0.1"]
)
def test_addresses_and_names_of_this_machine_are_welcome(house: House, host: str) -> None:
    assert house.client.get("/ready", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9080", "127.0.0.1.evil.example", "localhost.evil.example"]
)
def test_a_foreign_name_that_leads_here_is_refused(house: House, host: str) -> None:
    answer = house.client.get("/loki/api/v1/labels", headers={"host": host})
    assert answer.status_code == 403
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_page_of_another_site_cannot_push(house: House) -> None:
    body = {"content": b"", "headers": {"content-type": "text/plain", "sec-fetch-site": "cross-site"}}
    assert house.client.post("/loki/api/v1/push", **body).status_code == 403
    assert house.client.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200
