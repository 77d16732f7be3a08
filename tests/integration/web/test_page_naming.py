"""POST /practitioners/{npi}/name: the name without which DPC registers nobody."""

from __future__ import annotations

from web_stage import ADMIN, FEEDER, REVIEWER, Stage, write_roster

NAMELESS = "3990000044"


def send_nameless(stage: Stage) -> None:
    stage.send(write_roster({NAMELESS: range(40, 43)}))
    stage.settle()


def test_a_practitioner_who_is_only_a_number_gets_a_name_and_the_form_goes_away(stage: Stage) -> None:
    send_nameless(stage)
    browser = stage.log_in(REVIEWER)
    page = f"/practitioners/{NAMELESS}"
    assert "This practitioner has no name yet" in browser.get(page).text
    answer = stage.post_form(browser, page, f"{page}/name", {"given": "Mara", "family": "Ponds"})
    assert answer.status_code == 303
    shown = browser.get(page).text
    assert "Mara Ponds" in shown and "has no name yet" not in shown


def test_the_next_plan_can_register_them(stage: Stage) -> None:
    send_nameless(stage)
    browser = stage.log_in(REVIEWER)
    page = f"/practitioners/{NAMELESS}"
    stage.post_form(browser, page, f"{page}/name", {"given": "Mara", "family": "Ponds"})
    plan = stage.draw()
    assert plan.head.counts["create"] == 1
    assert not [row for row in plan.left_out if row.rule == "practitioner_undescribed"]


def test_a_name_that_dpc_would_refuse_is_refused_with_the_next_step(stage: Stage) -> None:
    send_nameless(stage)
    browser = stage.log_in(REVIEWER)
    page = f"/practitioners/{NAMELESS}"
    stage.post_form(browser, page, f"{page}/name", {"given": "A&B", "family": "Ponds"})
    shown = browser.get(page).text
    assert "DPC needs a given and a family name" in shown and "has no name yet" in shown


def test_a_practitioner_whom_no_roster_names_cannot_be_named(stage: Stage) -> None:
    send_nameless(stage)
    browser = stage.log_in(REVIEWER)
    page = f"/practitioners/{NAMELESS}"
    stage.post_form(browser, page, "/practitioners/3990000051/name", {"given": "Mara", "family": "Ponds"})
    assert "No roster of this organisation names this practitioner." in browser.get("/").text


def test_without_the_role_there_is_neither_form_nor_effect(stage: Stage) -> None:
    send_nameless(stage)
    for email in (FEEDER, ADMIN):
        answer = stage.log_in(email).get(f"/practitioners/{NAMELESS}")
        assert answer.status_code == 403
