"""GET /api/v1/practitioners and /api/v1/practitioners/{npi}/attributions."""

from __future__ import annotations

from web_stage import OURS, RIVERS, WELLS, Stage, check_problem, write_mbi

from service.storage.people import find_accesses


def test_practitioners_show_what_ends_when_and_how_full_the_group_is(planned: Stage) -> None:
    answer = planned.browse().get("/api/v1/practitioners", headers=planned.bearer("reader"))
    assert answer.status_code == 200 and answer.json is not None
    shown = {item["npi"]: item for item in answer.json["items"]}
    assert shown[WELLS]["buckets"]["8-15"] == 12
    assert (shown[RIVERS]["name"], shown[RIVERS]["stored"], shown[RIVERS]["limit"]) == ("Iris Rivers", 8, 5000)


def test_attributions_are_masked_filtered_and_paged(planned: Stage) -> None:
    headers = planned.bearer("reader")
    seen, address = [], f"/api/v1/practitioners/{WELLS}/attributions?bucket=8-15&limit=5"
    while address:
        answer = planned.browse().get(address, headers=headers)
        assert answer.json is not None
        assert not any(write_mbi(n) in answer.text for n in range(12))
        seen += [item["patient_ref"] for item in answer.json["items"]]
        link = answer.headers.get("Link", "<>")
        address = link[1 : link.index(">")]
    assert len(seen) == len(set(seen)) == 12


def test_reading_a_panel_is_recorded(planned: Stage) -> None:
    planned.browse().get(f"/api/v1/practitioners/{WELLS}/attributions", headers=planned.bearer("reader"))
    with planned.runtime.database.read() as connection:
        newest = max(find_accesses(connection, OURS), key=lambda access: access.at)
        assert (newest.actor, newest.action, newest.subject) == ("client:reader", "read-panel", WELLS)


def test_without_a_token_there_is_no_panel(stage: Stage) -> None:
    for address in ("/api/v1/practitioners", f"/api/v1/practitioners/{WELLS}/attributions"):
        check_problem(stage.browse().get(address), 401, "not_authenticated")


def test_an_unknown_bucket_is_refused(begun: Stage) -> None:
    answer = begun.browse().get(
        f"/api/v1/practitioners/{WELLS}/attributions?bucket=soon", headers=begun.bearer("reader")
    )
    check_problem(answer, 422, "invalid_input")


def test_a_practitioner_whom_nobody_lists_is_not_found(begun: Stage) -> None:
    answer = begun.browse().get("/api/v1/practitioners/1234567893/attributions", headers=begun.bearer("reader"))
    check_problem(answer, 404, "not_found")
