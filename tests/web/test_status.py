from web.conftest import House


def test_ready_tells_whether_requests_are_welcome(house: House) -> None:
    assert (house.client.get("/ready").status_code, house.client.get("/ready").text) == (200, "ready")
    assert house.client.head("/ready").status_code == 200
    house.is_ready[0] = False
    assert house.client.get("/ready").status_code == 503


def test_metrics_come_in_the_format_that_is_asked_for(house: House) -> None:
    house.accounts.read("files", 3, 30)
    plain = house.client.get("/metrics")
    assert 'tailrace_read_lines_total{source="files"} 3.0' in plain.text
    assert plain.headers["content-type"].startswith("text/plain")
    asked = {"accept": "application/openmetrics-text; version=1.0.0"}
    assert house.client.get("/metrics", headers=asked).text.endswith("# EOF\n")


def test_status_tells_what_is_followed_and_what_became_of_it(house: House) -> None:
    house.accounts.read("files", 3, 30)
    house.accounts.settle("files", "stored", 2, 20)
    status = house.client.get("/status").json()
    assert status["host"] == "box"
    assert status["started"] == "2025-12-31T23:59:55Z"
    assert status["uptime_s"] == 5
    assert status["followed"] == [
        {"path": "/var/log/app.log", "offset": 10, "size": 20, "state": "following", "why": ""}
    ]
    assert status["accounts"]["files"]["lines"] == {"read": 3, "stored": 2, "reduced": 0, "rejected": 0, "pending": 1}
    assert status["accounts"]["files"]["closed"] is True


def test_an_unknown_path_is_one_line_of_text_or_json(house: House) -> None:
    assert house.client.get("/loki/api/v2alpha/tail").status_code == 404
    assert house.client.get("/loki/api/v1/nothing").text == "Not Found"
    assert house.client.get("/api/v1/nothing").json()["error"]["what"] == "Not Found"
    assert house.client.delete("/ready").status_code == 405


def test_the_interface_describes_itself(house: House) -> None:
    paths = house.client.get("/openapi.json").json()["paths"]
    assert "/loki/api/v1/query_range" in paths
    assert "/explore" not in paths


def test_the_configuration_is_shown_without_secrets(house: House) -> None:
    from dataclasses import replace

    import httpx
    import yaml

    from tailrace.web.app import create_app
    from web.conftest import _served

    config: dict[str, object] = {
        "data": "/srv",
        "channels": [{"url": "http://ann:pw@host:4318/v1", "token": "t0ken", "name": "out"}],
    }
    config["access"] = {"tokens": "required"}
    services = replace(house.services, config=lambda: config)
    with _served(create_app(services)) as address, httpx.Client(base_url=address, trust_env=False) as client:
        answer = client.get("/config")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert yaml.safe_load(answer.text) == {
        "data": "/srv",
        "channels": [{"url": "http://<secret>@host:4318/v1", "token": "<secret>", "name": "out"}],
        "access": {"tokens": "required"},
    }


def test_services_name_what_runs(house: House) -> None:
    assert house.client.get("/services").text.splitlines()[0] == "server => Running"
    house.is_ready[0] = False
    assert house.client.get("/services").text.splitlines()[0] == "server => Starting"
