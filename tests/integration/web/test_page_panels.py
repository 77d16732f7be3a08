"""/practitioners/{npi} and /practitioners/{npi}/patients/{ref}."""

from __future__ import annotations

import re

from web_stage import OURS, REVIEWER, RIVERS, WELLS, Stage, write_mbi

from service.storage.people import find_accesses


def test_a_panel_shows_period_evidence_and_status_masked(planned: Stage) -> None:
    page = planned.log_in(REVIEWER).get(f"/practitioners/{WELLS}?bucket=8-15")
    assert page.status_code == 200
    assert "Dolores Wells" in page.text and "12 patients" in page.text
    assert "(in 14 days)" in page.text or "(in 13 days)" in page.text
    assert "No accepted delivery lists the patient." in page.text
    assert not any(write_mbi(n) in page.text or f"Family{n}" in page.text for n in range(12))


def test_an_empty_bucket_says_so(planned: Stage) -> None:
    assert "Nobody here" in planned.log_in(REVIEWER).get(f"/practitioners/{WELLS}?bucket=expired").text


def test_one_attribution_tells_its_whole_history_and_the_look_is_recorded(planned: Stage) -> None:
    browser = planned.log_in(REVIEWER)
    links = re.findall(
        rf'href="(/practitioners/{RIVERS}/patients/[^"]+)"', browser.get(f"/practitioners/{RIVERS}").text
    )
    page = browser.get(links[0])
    assert page.status_code == 200
    assert page.text.count("<time") >= 6 and "signed it in person" in page.text
    assert not any(write_mbi(n) in page.text for n in range(25))
    with planned.runtime.database.read() as connection:
        newest = max(find_accesses(connection, OURS), key=lambda access: access.at)
        assert newest.actor == REVIEWER


def test_a_patient_whom_nobody_knows_is_not_found(planned: Stage) -> None:
    assert planned.log_in(REVIEWER).get(f"/practitioners/{WELLS}/patients/none").status_code == 404
