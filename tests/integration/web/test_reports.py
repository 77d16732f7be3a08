"""GET /api/v1/reports/{kind}."""

from __future__ import annotations

import csv
import io

import pytest
from web_stage import Stage, check_problem

from service.workflows.report import REPORT_KINDS


@pytest.mark.parametrize("kind", REPORT_KINDS)
def test_every_report_comes_as_json_and_as_csv_with_the_same_rows(planned: Stage, kind: str) -> None:
    headers = planned.bearer("reader")
    told = planned.browse().get(f"/api/v1/reports/{kind}", headers=headers)
    assert told.status_code == 200 and told.json is not None
    sheet = planned.browse().get(f"/api/v1/reports/{kind}", headers=headers | {"Accept": "text/csv"})
    rows = list(csv.reader(io.StringIO(sheet.text)))
    assert rows[0] == told.json["columns"]
    assert abs(len(rows) - 1 - len(told.json["rows"])) <= 1  # the first reading is itself an activity


def test_without_a_token_there_is_no_report(stage: Stage) -> None:
    check_problem(stage.browse().get("/api/v1/reports/expiring"), 401, "not_authenticated")


def test_a_shape_that_is_not_offered_is_refused(stage: Stage) -> None:
    answer = stage.browse().get("/api/v1/reports/expiring?format=docx", headers=stage.bearer("reader"))
    check_problem(answer, 422, "unprocessable_entity")


def test_a_report_that_does_not_exist_is_not_found(stage: Stage) -> None:
    answer = stage.browse().get("/api/v1/reports/gossip", headers=stage.bearer("reader"))
    check_problem(answer, 404, "not_found")
