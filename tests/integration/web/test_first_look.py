"""What somebody sees who looks for the first time: which time it is, why a file was rejected, what can be asked for."""

from __future__ import annotations

from dataclasses import replace

from web_stage import OURS, REVIEWER, Stage, check_problem

from service.web.app import close_app, create_app
from service.workflows.deliveries import load_delivery


def test_the_pages_of_a_trial_say_whose_time_it_is_and_others_do_not(stage: Stage) -> None:
    assert "Trial: the time here is the emulator" not in stage.browse().get("/login").text
    settings = replace(stage.runtime.settings, clock=f"emulator:{stage.emulator.base_url}")
    app = create_app(replace(stage.runtime, settings=settings))
    try:
        page = app.test_client().get("/login").text
    finally:
        close_app(app)
    assert "Trial: the time here is the emulator" in page
    assert f"{stage.runtime.now():%Y-%m-%d %H:%M} UTC" in page


def test_a_file_that_cannot_be_used_says_what_to_do_about_it(begun: Stage) -> None:
    rejected = begun.send(bytes(range(128, 256)) * 20)
    view = load_delivery(begun.runtime, OURS, rejected)
    assert view.state == "rejected" and view.hold_reason is not None and view.file_error is not None
    assert view.file_error not in view.hold_reason
    assert view.hold_reason.endswith(".") and " " in view.hold_reason
    page = begun.log_in(REVIEWER).get(f"/deliveries/{rejected}").text.replace("&#39;", "'")
    assert f"Rejected: {view.hold_reason}" in page


def test_every_operation_of_the_api_has_a_name_of_its_own(stage: Stage) -> None:
    document = stage.browse().get("/api/v1/openapi.json").json
    assert document is not None
    operations = [one for path in document["paths"].values() for verb, one in path.items() if verb in ("get", "post")]
    names = [one["operationId"] for one in operations]
    assert len(names) == len(set(names)) > 10


def test_a_report_in_a_shape_that_does_not_exist_is_refused_rather_than_sent_as_another(planned: Stage) -> None:
    asked = planned.bearer("reader") | {"Accept": "image/png"}
    check_problem(planned.browse().get("/api/v1/reports/expiring", headers=asked), 406, "not_acceptable")
    anything = asked | {"Accept": "*/*"}
    assert planned.browse().get("/api/v1/reports/expiring", headers=anything).mimetype == "application/json"
