"""The interface's description names every path, with its parameters, and each operation once."""

from web.conftest import House


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(house: House) -> None:
    paths = house.client.get("/openapi.json").json()["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert [operation["operationId"] for operation in operations if not operation.get("description")] == []


def test_every_path_of_lokis_reference_is_described_for_both_methods(house: House) -> None:
    paths = house.client.get("/openapi.json").json()["paths"]
    for path in (
        "query",
        "query_range",
        "labels",
        "label",
        "label/{name}/values",
        "series",
        "index/stats",
        "index/volume",
        "index/volume_range",
        "detected_labels",
        "detected_fields",
        "detected_field/{name}/values",
        "patterns",
        "format_query",
    ):
        found = paths[f"/loki/api/v1/{path}"]
        assert {"get", "post"} <= set(found)
        names = [one["name"] for one in found["get"]["parameters"] if one["in"] == "query"]
        form = found["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
        assert names == list(form["properties"])
        assert {"400", "429", "504"} <= set(found["get"]["responses"])
    assert {"get", "post", "put", "delete"} <= set(paths["/loki/api/v1/delete"])
    assert "requestBody" in paths["/loki/api/v1/push"]["post"]
    assert {"200", "204", "400", "413", "503"} <= set(paths["/ingest/jsonline"]["post"]["responses"])


def test_parameters_that_must_be_there_are_marked(house: House) -> None:
    paths = house.client.get("/openapi.json").json()["paths"]
    needed = {one["name"] for one in paths["/loki/api/v1/query_range"]["get"]["parameters"] if one["required"]}
    assert needed == {"query"}
