"""GET /api/v1/deliveries/{id}/effects, .../departures, POST .../decisions, and what the page says of them."""

from __future__ import annotations

import json
import re

import pytest
from emulator_customer import build_npi
from web_stage import ATTESTER, FEED, OURS, REVIEWER, WELLS, Stage, check_problem, write_mbi, write_roster

from service.domain.identifiers import mask_mbi
from service.workflows.deliveries import load_delivery
from service.workflows.holds import find_holds

REASON = "called the practice"


@pytest.fixture
def held(begun: Stage) -> str:
    """A file with three of twelve patients of one practitioner: it takes two people."""
    return begun.send(write_roster({WELLS: range(3)}))


@pytest.fixture
def blind(begun: Stage) -> str:
    """A file that counts, but lacks two patients and has a row about nobody knows whom."""
    body = write_roster({WELLS: range(10), "3990000010": range(12, 20)})
    return begun.send(body + f",A,B,1940-01-01,F,{WELLS}\n".encode())


def list_departed(stage: Stage, delivery: str, question: str = "") -> dict[str, object]:
    address = f"/api/v1/deliveries/{delivery}/departures{question}"
    answer = stage.browse().get(address, headers=stage.bearer("reader"))
    assert answer.status_code == 200 and answer.json is not None, answer.text
    return dict(answer.json)


def test_what_a_file_would_change_is_told_in_numbers(begun: Stage, held: str) -> None:
    answer = begun.browse().get(f"/api/v1/deliveries/{held}/effects", headers=begun.bearer("feeder"))
    effect = {"npi": WELLS, "known": 12, "listed": 3, "added": 0, "absent": 9, "ended": 9}
    assert answer.json == {"total": 1, "items": [effect], "next": None}


def test_whom_it_would_let_go_is_told_with_masked_numbers_and_the_look_is_recorded(begun: Stage, held: str) -> None:
    found = list_departed(begun, held, "?limit=4")
    marks = {"at_once": True, "listed_elsewhere": False}
    expected = [{"npi": WELLS, "masked_mbi": mask_mbi(write_mbi(n)), **marks} for n in range(3, 12)]
    assert found["total"] == 9
    assert found["items"] == expected[:4]
    assert list_departed(begun, held, f"?limit=200&cursor={found['next']}")["items"] == expected[4:]
    with begun.runtime.database.read() as connection:
        looks = connection.exec_driver_sql("SELECT rows FROM access_log WHERE action = 'read-departures'").scalars()
        assert list(looks) == [4, 5]


def test_all_of_them_can_be_downloaded(begun: Stage, held: str) -> None:
    address = f"/api/v1/deliveries/{held}/departures?format=csv"
    lines = begun.browse().get(address, headers=begun.bearer("reader")).text.splitlines()
    assert lines[0] == "npi,masked_mbi,at_once,listed_elsewhere" and len(lines) == 10
    assert lines == begun.log_in(REVIEWER).get(f"/deliveries/{held}/departures.csv").text.splitlines()


def test_a_delivery_is_decided_by_two_people_over_the_api_and_the_page(begun: Stage, held: str) -> None:
    address = f"/api/v1/deliveries/{held}/decisions"
    body = {"verdict": "accept", "reason": REASON}
    first = begun.browse().post(address, json=body, headers=begun.bearer("signer"))
    assert first.status_code == 201 and first.json is not None
    assert (first.json["state"], first.json["people_needed"]) == ("open", 2)
    begun.accept(held)
    assert load_delivery(begun.runtime, OURS, held).state == "accepted"


def test_without_a_token_nobody_is_told_anything(begun: Stage, held: str) -> None:
    for what in ("effects", "departures"):
        check_problem(begun.browse().get(f"/api/v1/deliveries/{held}/{what}"), 401, "not_authenticated")
    check_problem(begun.browse().post(f"/api/v1/deliveries/{held}/decisions"), 401, "not_authenticated")


def test_a_feeder_is_told_numbers_but_not_whom(begun: Stage, held: str) -> None:
    answer = begun.browse().get(f"/api/v1/deliveries/{held}/departures", headers=begun.bearer("feeder"))
    check_problem(answer, 403, "not_allowed")


@pytest.mark.parametrize("body", [{}, {"verdict": "release", "reason": "x"}, {"verdict": "accept", "reason": ""}])
def test_a_decision_that_lacks_something_is_refused(begun: Stage, held: str, body: dict[str, str]) -> None:
    address = f"/api/v1/deliveries/{held}/decisions"
    assert begun.browse().post(address, json=body, headers=begun.bearer("signer")).status_code == 422


def test_a_delivery_that_does_not_exist_is_not_found(begun: Stage) -> None:
    for what in ("effects", "departures"):
        answer = begun.browse().get(f"/api/v1/deliveries/none/{what}", headers=begun.bearer("reader"))
        check_problem(answer, 404, "not_found")


def test_when_nothing_waits_nobody_is_about_to_be_let_go(begun: Stage) -> None:
    accepted = begun.send(write_roster({WELLS: range(12), "3990000010": range(12, 20)}) + b"\n")
    answer = begun.browse().get(f"/api/v1/deliveries/{accepted}/departures", headers=begun.bearer("reader"))
    check_problem(answer, 409, "wrong_state")


def test_the_page_shows_what_would_change_beside_the_last_files(begun: Stage, held: str) -> None:
    page = begun.log_in(REVIEWER).get(f"/deliveries/{held}").text
    assert "9 known patients are missing from the file; 9 would be let go at once" in page
    assert "Beside the last files that counted" in page
    assert "Whom it leaves out (CSV, masked)" in page


def test_a_file_that_counts_but_lets_nobody_go_is_decided_on_its_page(begun: Stage, blind: str) -> None:
    browser, address = begun.log_in(REVIEWER), f"/deliveries/{blind}"
    assert f'href="{address}"' in browser.get("/holds").text
    assert "Accepted, but nobody is let go yet" in browser.get(address).text
    begun.post_form(browser, address, f"{address}/decision", {"verdict": "accept", "reason": REASON})
    assert "Whom the file leaves out counts as left out" in browser.get(address).text
    assert find_holds(begun.runtime, OURS) == []
    assert load_delivery(begun.runtime, OURS, blind).state == "accepted"


def test_refusing_keeps_everybody_and_the_file(begun: Stage, blind: str) -> None:
    browser, address = begun.log_in(ATTESTER), f"/deliveries/{blind}"
    begun.post_form(browser, address, f"{address}/decision", {"verdict": "reject", "reason": REASON})
    assert "Nobody is let go because of this file." in browser.get(address).text
    assert load_delivery(begun.runtime, OURS, blind).state == "accepted"


def test_findings_can_be_kept_as_json(begun: Stage, blind: str) -> None:
    kept = begun.log_in(REVIEWER).get(f"/deliveries/{blind}/findings.json")
    assert kept.headers["Content-Disposition"].endswith('.json"')
    (finding,) = json.loads(kept.text)["items"]
    assert (finding["code"], finding["is_blind"], finding["position"]) == ("mbi_missing", True, "20")


def test_a_declared_count_that_differs_holds_the_file(begun: Stage) -> None:
    headers = begun.bearer("feeder") | {"Content-Type": "text/csv", "X-Roster-Count": "21"}
    body = write_roster({WELLS: range(12), "3990000010": range(12, 20)})
    answer = begun.browse().post(f"/api/v1/feeds/{FEED}/deliveries", data=body + b"\n", headers=headers)
    begun.settle()
    assert answer.json is not None
    delivery = load_delivery(begun.runtime, OURS, answer.json["id"])
    assert (delivery.state, delivery.hold_code, delivery.declared_count) == ("held", "count_mismatch", 21)


@pytest.mark.parametrize("count", ["many", "-1", "1.5", "99999999999"])
def test_a_count_that_is_no_number_is_refused(begun: Stage, count: str) -> None:
    headers = begun.bearer("feeder") | {"X-Roster-Count": count}
    answer = begun.browse().post(f"/api/v1/feeds/{FEED}/deliveries", data=b"MBI,NPI\n", headers=headers)
    assert answer.status_code == 422


def write_npis(n: int) -> list[str]:
    """So many practitioners of the sandbox kind, in order, none of them among the others here."""
    return [build_npi(300000000 + place) for place in range(n)]


def test_every_practitioner_whom_a_file_changes_is_listed_over_pages(begun: Stage) -> None:
    npis = write_npis(230)
    delivery = begun.send(write_roster({WELLS: range(4), **{npi: [100 + n] for n, npi in enumerate(npis)}}))
    listed, cursor = [], ""
    while cursor is not None:
        address = f"/api/v1/deliveries/{delivery}/effects?limit=100{cursor}"
        answer = begun.browse().get(address, headers=begun.bearer("reader"))
        assert answer.json is not None and answer.json["total"] == 231
        listed += [item["npi"] for item in answer.json["items"]]
        assert len(listed) <= 231
        cursor = answer.json["next"] and f"&cursor={answer.json['next']}"
        assert ("Link" in answer.headers) == bool(cursor)
    assert listed == [WELLS, *sorted(npis)]


def test_a_cursor_that_no_list_gave_out_is_refused(begun: Stage, held: str) -> None:
    for cursor in ("1", "x", "3999999999"):
        address = f"/api/v1/deliveries/{held}/effects?cursor={cursor}"
        check_problem(begun.browse().get(address, headers=begun.bearer("reader")), 422, "invalid_input")


def test_the_page_shows_every_practitioner_over_pages(begun: Stage) -> None:
    npis = write_npis(60)
    delivery = begun.send(write_roster({WELLS: range(4), **{npi: [100 + n] for n, npi in enumerate(npis)}}))
    browser = begun.log_in(REVIEWER)
    first = browser.get(f"/deliveries/{delivery}").text
    assert "It would change 61 practitioners." in first
    (link,) = re.findall(r'href="([^"]+effects=[^"]+)"', first)
    second = browser.get(link.partition("#")[0]).text
    listed = [re.findall(r'<th scope="row" class="nowrap">(\d{10})</th>', page) for page in (first, second)]
    assert listed == [[WELLS, *npis[:49]], npis[49:]]
    assert "First page" in second and "effects=" not in second


def test_a_refused_file_comes_in_again_when_the_sender_says_so(begun: Stage, held: str) -> None:
    browser, address = begun.log_in(REVIEWER), f"/deliveries/{held}"
    begun.post_form(browser, address, f"{address}/decision", {"verdict": "reject", "reason": REASON})
    assert f"rollcall receive FILE --org {OURS} --feed {FEED} --again" in browser.get(address).text
    assert begun.send(write_roster({WELLS: range(3)})) == held
    headers = begun.bearer("feeder") | {"Content-Type": "text/csv", "X-Roster-Again": "true"}
    body = write_roster({WELLS: range(3)})
    answer = begun.browse().post(f"/api/v1/feeds/{FEED}/deliveries", data=body, headers=headers)
    begun.settle()
    assert answer.status_code == 202 and answer.json is not None and answer.json["id"] != held
    assert load_delivery(begun.runtime, OURS, answer.json["id"]).state == "held"


def test_a_wish_to_take_it_again_is_true_or_false(begun: Stage) -> None:
    headers = begun.bearer("feeder") | {"X-Roster-Again": "yes"}
    answer = begun.browse().post(f"/api/v1/feeds/{FEED}/deliveries", data=b"MBI,NPI\n", headers=headers)
    check_problem(answer, 422, "invalid_input")
