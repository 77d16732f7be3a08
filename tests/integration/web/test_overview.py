"""GET /: the first page."""

from __future__ import annotations

from web_stage import ATTESTER, RIVERS, Stage


def test_the_officer_sees_what_lapses_and_how_full_the_groups_are(stage: Stage) -> None:
    stage.begin()
    page = stage.log_in(ATTESTER).get("/")
    assert page.status_code == 200
    assert "Lakeside Clinic" in page.text
    assert "Iris Rivers" in page.text and RIVERS in page.text
    assert "<b>20</b><span>61–90 days</span>" in page.text
    assert "8 of 5,000" in page.text
