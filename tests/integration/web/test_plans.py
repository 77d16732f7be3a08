"""GET /api/v1/plans and /api/v1/plans/{id}."""

from __future__ import annotations

from web_stage import OURS, RIVERS, WELLS, Stage, check_problem, write_mbi

from service.workflows.plans import find_plans


def test_plans_are_listed_newest_first(planned: Stage) -> None:
    answer = planned.browse().get("/api/v1/plans?limit=1", headers=planned.bearer("reader"))
    assert answer.status_code == 200 and answer.json is not None
    (plan,) = answer.json["items"]
    assert (plan["number"], plan["state"], plan["held_n"]) == (2, "drafted", 6)
    assert (plan["counts"]["renew"], plan["counts"]["add"]) == (14, 5)
    assert 'rel="next"' in answer.headers["Link"]


def test_a_plan_shows_every_change_with_its_evidence_and_what_is_held(planned: Stage) -> None:
    plan = find_plans(planned.runtime, OURS)[0]
    answer = planned.browse().get(f"/api/v1/plans/{plan.id}", headers=planned.bearer("reader"))
    assert answer.status_code == 200 and answer.json is not None
    panels = {panel["npi"]: panel["rows"] for panel in answer.json["practitioners"]}
    assert sum(row["kind"] == "add" for row in panels[RIVERS]) == 5
    assert sum(row["held"] for row in panels[WELLS]) == 6
    assert all(row["line"] and row["delivery_number"] for row in panels[RIVERS])
    (hold,) = answer.json["holds"]
    assert hold["n"] == 6 and hold["people_needed"] == 2 and hold["reason"]
    assert answer.json["costs_from_at"].endswith("Z")


def test_mbis_are_masked(planned: Stage) -> None:
    plan = find_plans(planned.runtime, OURS)[0]
    answer = planned.browse().get(f"/api/v1/plans/{plan.id}", headers=planned.bearer("reader"))
    assert not any(write_mbi(n) in answer.text for n in range(30))


def test_without_a_token_there_is_no_plan(stage: Stage) -> None:
    check_problem(stage.browse().get("/api/v1/plans"), 401, "not_authenticated")


def test_a_token_without_the_scope_reads_no_plan(stage: Stage) -> None:
    check_problem(stage.browse().get("/api/v1/plans", headers=stage.bearer("feeder")), 403, "not_allowed")


def test_a_cursor_that_no_list_gave_out_is_refused(stage: Stage) -> None:
    answer = stage.browse().get("/api/v1/plans?cursor=there", headers=stage.bearer("reader"))
    check_problem(answer, 422, "invalid_input")


def test_a_plan_that_does_not_exist_is_not_found(stage: Stage) -> None:
    check_problem(stage.browse().get("/api/v1/plans/none", headers=stage.bearer("reader")), 404, "not_found")
