"""GET /api/v1/openapi.json and /api/docs."""

from __future__ import annotations

import re

from web_stage import Stage

from service.web.access import find_rule


def test_the_document_names_every_route_of_the_api_and_its_scopes(stage: Stage) -> None:
    document = stage.browse().get("/api/v1/openapi.json").json
    assert document is not None and document["openapi"] == "3.1.0"
    for rule in stage.app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1/") or rule.endpoint.startswith("documentation."):
            continue
        path = document["paths"][rule.rule.replace("<", "{").replace(">", "}")]
        (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        operation = path[method.lower()]
        access = find_rule(stage.app, rule.endpoint)
        assert access is not None
        assert operation["security"] == ([] if access.kind == "everybody" else [{"bearer": list(access.scopes)}])
        assert operation["summary"]


def test_every_reference_in_the_document_leads_somewhere(stage: Stage) -> None:
    answer = stage.browse().get("/api/v1/openapi.json")
    assert answer.json is not None
    names = set(re.findall(r'"#/components/(\w+)/([\w.-]+)"', answer.text))
    assert names
    for kind, name in names:
        assert name in answer.json["components"][kind]


def test_the_page_shows_every_path_and_asks_no_other_host(stage: Stage) -> None:
    document = stage.browse().get("/api/v1/openapi.json").json
    page = stage.browse().get("/api/docs")
    assert page.status_code == 200 and document is not None
    assert all(path in page.text for path in document["paths"])
    assert "://" not in page.text.replace("http://www.w3.org", "")


def test_every_problem_type_has_its_place_on_the_page(stage: Stage) -> None:
    page = stage.browse().get("/api/docs").text
    answer = stage.browse().get("/api/v1/plans").json
    assert answer is not None
    assert f'id="{answer["type"].split("#")[1]}"' in page


def test_the_page_speaks_to_people_who_have_not_read_the_source(stage: Stage) -> None:
    page = stage.browse().get("/api/docs").text
    assert "`" not in page and "contract-v1" not in page and "None" not in page
