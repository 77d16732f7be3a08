"""/reports and /reports/{kind}."""

from __future__ import annotations

import pytest
from web_stage import REVIEWER, Stage

from service.workflows.report import REPORT_KINDS


def test_every_report_is_offered(stage: Stage) -> None:
    page = stage.log_in(REVIEWER).get("/reports").text
    assert all(f'href="/reports/{kind}"' in page and f'href="/reports/{kind}.csv"' in page for kind in REPORT_KINDS)


@pytest.mark.parametrize("kind", REPORT_KINDS)
def test_every_report_shows_as_a_page_and_downloads(planned: Stage, kind: str) -> None:
    browser = planned.log_in(REVIEWER)
    assert browser.get(f"/reports/{kind}").status_code == 200
    sheet = browser.get(f"/reports/{kind}.csv")
    assert sheet.mimetype == "text/csv"
    assert sheet.headers["Content-Disposition"].startswith(f'attachment; filename="{kind}-2027-')


def test_a_report_that_does_not_exist_is_not_found(stage: Stage) -> None:
    browser = stage.log_in(REVIEWER)
    assert browser.get("/reports/gossip").status_code == 404
    assert browser.get("/reports/gossip.csv").status_code == 404
