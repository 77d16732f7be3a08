"""GET /api/v1/deliveries and /api/v1/deliveries/{id}."""

from __future__ import annotations

from web_stage import WELLS, Stage, check_problem, write_roster


def test_deliveries_are_listed_newest_first_in_pages(begun: Stage) -> None:
    headers = begun.bearer("monitor")
    first = begun.browse().get("/api/v1/deliveries?limit=1", headers=headers)
    assert first.json is not None
    assert [item["number"] for item in first.json["items"]] == [2]
    link = first.headers["Link"]
    assert link.endswith('; rel="next"')
    second = begun.browse().get(link[1 : link.index(">")], headers=headers)
    assert second.json is not None
    assert [item["number"] for item in second.json["items"]] == [1]
    assert second.json["next"] is None and "Link" not in second.headers


def test_held_deliveries_can_be_asked_for_and_say_when_waiting_costs(begun: Stage) -> None:
    held = begun.send(write_roster({WELLS: range(3)}))
    answer = begun.browse().get("/api/v1/deliveries?state=held", headers=begun.bearer("monitor"))
    assert answer.json is not None
    assert [item["id"] for item in answer.json["items"]] == [held]
    one = begun.browse().get(f"/api/v1/deliveries/{held}", headers=begun.bearer("feeder"))
    assert one.json is not None
    assert one.json["state"] == "held" and one.json["hold_reason"] and one.json["costs_from_at"].endswith("Z")


def test_without_a_token_there_is_no_list(stage: Stage) -> None:
    check_problem(stage.browse().get("/api/v1/deliveries"), 401, "not_authenticated")


def test_a_token_without_the_scope_sees_no_delivery(stage: Stage) -> None:
    answer = stage.browse().get("/api/v1/deliveries", headers=stage.bearer("signer"))
    check_problem(answer, 403, "not_allowed")


def test_a_question_that_is_not_understood_is_refused_not_ignored(stage: Stage) -> None:
    for question in ("limit=0", "limit=9999", "state=lost", "colour=blue", "cursor=%20"):
        answer = stage.browse().get(f"/api/v1/deliveries?{question}", headers=stage.bearer("monitor"))
        assert answer.status_code == 422, question


def test_a_delivery_that_does_not_exist_is_not_found(stage: Stage) -> None:
    answer = stage.browse().get("/api/v1/deliveries/none", headers=stage.bearer("monitor"))
    check_problem(answer, 404, "not_found")


def test_reading_twice_answers_the_same(begun: Stage) -> None:
    headers = begun.bearer("monitor")
    first, again = (begun.browse().get("/api/v1/deliveries", headers=headers) for _ in range(2))
    assert first.json == again.json
