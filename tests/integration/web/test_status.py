"""GET /api/v1/status."""

from __future__ import annotations

import pytest
from web_stage import OURS, Stage, check_problem


@pytest.mark.parametrize("client", ["feeder", "monitor", "reader", "signer"])
def test_any_token_sees_the_state_of_its_own_organisation_only(planned: Stage, client: str) -> None:
    answer = planned.browse().get("/api/v1/status", headers=planned.bearer(client))
    assert answer.status_code == 200 and answer.json is not None
    (status,) = answer.json["items"]
    assert (status["organization_id"], status["open_holds"]) == (OURS, 1)
    assert status["last_change_at"].startswith("2026-11-20T14:00:00") and status["next_run_at"].endswith("Z")


def test_without_a_token_there_is_no_status(stage: Stage) -> None:
    check_problem(stage.browse().get("/api/v1/status"), 401, "not_authenticated")


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer ", "Bearer not-a-token", "bearer é"])
def test_a_header_that_is_no_valid_bearer_is_refused(stage: Stage, header: str) -> None:
    check_problem(stage.browse().get("/api/v1/status", headers={"Authorization": header}), 401, "not_authenticated")
