"""POST /api/v1/token."""

from __future__ import annotations

import pytest
from web_stage import Stage, check_problem

GRANT = {"grant_type": "client_credentials"}


def test_a_client_gets_a_bearer_token_of_fifteen_minutes(stage: Stage) -> None:
    client_id, secret = stage.scenery.clients["reader"]
    answer = stage.browse().post("/api/v1/token", data=GRANT | {"client_id": client_id, "client_secret": secret})
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["token_type"] == "Bearer" and answer.json["expires_in"] == 900
    assert set(answer.json["scope"].split()) == {"plans:read", "status:read"}
    used = stage.browse().get("/api/v1/plans", headers={"Authorization": f"Bearer {answer.json['access_token']}"})
    assert used.status_code == 200


def test_id_and_secret_may_travel_as_http_basic(stage: Stage) -> None:
    answer = stage.browse().post("/api/v1/token", data=GRANT, auth=stage.scenery.clients["monitor"])
    assert answer.status_code == 200 and answer.json is not None and answer.json["scope"] == "status:read"


def test_without_id_and_secret_there_is_no_token(stage: Stage) -> None:
    check_problem(stage.browse().post("/api/v1/token", data=GRANT), 401, "not_authenticated")


@pytest.mark.parametrize(
    "form",
    [{}, {"grant_type": "password"}, GRANT | {"colour": "blue"}, GRANT | {"client_id": "", "client_secret": "x"}],
)
def test_a_form_that_is_no_token_request_names_its_mistakes(stage: Stage, form: dict[str, str]) -> None:
    answer = stage.browse().post("/api/v1/token", data=form)
    check_problem(answer, 422, "unprocessable_entity")
    assert answer.json is not None and answer.json["mistakes"]


def test_an_unknown_client_and_a_wrong_secret_are_refused_in_the_same_words(stage: Stage) -> None:
    client_id, _ = stage.scenery.clients["reader"]
    answers = [
        stage.browse().post("/api/v1/token", data=GRANT, auth=pair)
        for pair in ((client_id, "wrong"), ("nobody", "wrong"))
    ]
    for answer in answers:
        check_problem(answer, 401, "not_authenticated")
    assert answers[0].json == answers[1].json


def test_a_second_token_does_not_end_the_first(stage: Stage) -> None:
    first, second = stage.bearer("monitor"), stage.bearer("monitor")
    assert first != second
    for bearer in (first, second):
        assert stage.browse().get("/api/v1/status", headers=bearer).status_code == 200
