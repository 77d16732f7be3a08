"""GET /: the first page."""

from __future__ import annotations

from web_stage import FEEDER, OURS, REVIEWER, RIVERS, WELLS, Stage, write_mbi, write_roster

from service.storage import people
from service.web.pages.overview import build_strips, find_heat
from service.workflows.plans import find_plans


def test_the_officer_sees_in_one_look_what_lapses_and_how_full_the_groups_are(begun: Stage) -> None:
    page = begun.log_in(REVIEWER).get("/")
    assert page.status_code == 200
    assert "Lakeside Clinic" in page.text
    assert "Iris Rivers" in page.text and RIVERS in page.text
    assert "<b>20</b><span>61–90 days</span>" in page.text
    assert "8 of 5,000" in page.text


def test_a_plan_that_waits_calls_for_its_signature(planned: Stage) -> None:
    page = planned.log_in(REVIEWER).get("/").text
    plan = find_plans(planned.runtime, OURS)[0]
    assert f"Plan {plan.number} waits for a signature" in page
    assert f'href="/plans/{plan.id}"' in page


def test_what_is_held_stands_there_with_its_reason_and_what_waiting_costs(planned: Stage) -> None:
    planned.send(write_roster({WELLS: range(3)}))
    page = planned.log_in(REVIEWER).get("/").text
    assert "The file has 3 rows" in page
    assert "6 of 20 active patients of the organisation would be removed." in page
    assert "Waiting costs no attribution for now." in page or "Waiting starts to cost attributions" in page


def test_no_patient_value_stands_on_the_page(planned: Stage) -> None:
    page = planned.log_in(REVIEWER).get("/").text
    assert not any(write_mbi(n) in page or f"Family{n}" in page for n in range(25))


def test_before_the_first_roster_the_page_names_the_next_step(stage: Stage) -> None:
    page = stage.log_in(REVIEWER).get("/").text
    assert "No attribution is known yet" in page and "rollcall receive" in page


def test_a_feeder_is_led_to_the_deliveries(stage: Stage) -> None:
    assert stage.log_in(FEEDER).get("/").headers["Location"] == "/deliveries"


def test_a_bucket_with_one_person_among_thousands_stays_visible() -> None:
    strips = build_strips({"expired": 1, "0-7": 0, "61-90": 9999})
    assert [strip.bucket for strip in strips] == ["expired", "61-90"]
    assert strips[0].width == 6
    assert max(strip.start + strip.width for strip in strips) <= 1000


def test_the_tint_grows_with_the_share() -> None:
    assert [find_heat(n, 100) for n in (0, 1, 30, 60, 100)] == [0, 1, 2, 3, 4]


def test_an_incident_says_in_its_own_words_what_is_wrong(begun: Stage) -> None:
    def open_one(kind: str, cause: str) -> None:
        with begun.runtime.database.begin() as connection:
            incident = people.Incident(kind=kind, npi=WELLS, cause=cause, opened_at=begun.runtime.now())
            people.open_incident(connection, OURS, incident)

    open_one("unapproved-attribution", "2 active attributions at DPC are on no roster of this practice.")
    open_one("lapsing", "stale_evidence")
    page = " ".join(begun.log_in(REVIEWER).get("/").text.split())
    assert "DPC holds what nobody here approved for the Group of <a" in page
    assert "2 active attributions at DPC are on no roster of this practice. Since" in page
    assert "will lapse</strong>The last delivery that lists the patient is too old to attest on. Since" in page
    assert page.count("will lapse") == 1
