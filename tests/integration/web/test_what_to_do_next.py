"""What a page or the API proposes can be done: by whom it is proposed to, and with this very file."""

from __future__ import annotations

import pytest
from web_stage import ADMIN, ATTESTER, FEED, OURS, REVIEWER, WELLS, Stage, check_problem, write_mbi, write_roster

from service.domain.people import Actor
from service.workflows.deliveries import load_delivery
from service.workflows.people import add_client, issue_token

AMBIGUOUS = f"NPI,MBI,MBI\n{WELLS},{write_mbi(1)},{write_mbi(2)}\n{WELLS},{write_mbi(3)},{write_mbi(4)}\n"
ODD = f"Member,Doctor\n{write_mbi(1)},{WELLS}\n{write_mbi(2)},{WELLS}\n"
ACCEPT, REJECT = 'value="accept"', 'value="reject"'


def bear_admin(stage: Stage) -> dict[str, str]:
    made = add_client(
        stage.runtime, OURS, name="setter", scopes=("setup:write",), person_email=ADMIN, actor=Actor.operator()
    )
    token = issue_token(stage.runtime, made.client_id, made.client_secret)
    return {"Authorization": f"Bearer {token.access_token}"}


def test_a_caller_of_the_api_is_not_told_what_to_type_at_a_terminal(planned: Stage) -> None:
    answer = planned.browse().patch("/api/v1/feeds/none", json={"mode": "delta"}, headers=bear_admin(planned))
    check_problem(answer, 404, "not_found")
    assert "rollcall" not in answer.text and "list of feeds" in answer.text
    wrong = planned.browse().patch(
        f"/api/v1/feeds/{FEED}", json={"settings": {"header_hash": "0" * 63}}, headers=bear_admin(planned)
    )
    assert wrong.status_code == 422 and "rollcall" not in wrong.text


@pytest.mark.parametrize(("body", "code"), [(AMBIGUOUS, "ambiguous_columns"), (ODD, "header_unrecognised")])
def test_a_file_whose_columns_are_not_known_says_how_to_name_them(stage: Stage, body: str, code: str) -> None:
    headers = stage.bearer("feeder") | {"Content-Type": "text/csv"}
    refused = stage.browse().post(f"/api/v1/feeds/{FEED}/deliveries", data=body.encode(), headers=headers)
    assert refused.status_code == 422 and refused.json is not None
    assert refused.json["code"] == code
    assert f"PATCH /api/v1/feeds/{FEED} with settings.column_mapping" in refused.json["next_action"]
    assert "rollcall" not in refused.json["next_action"]
    page = stage.log_in(REVIEWER).get(refused.headers["Location"].replace("/api/v1", "")).text
    assert f"rollcall feed map {FEED} --org {OURS} --delivery 1" in page


def test_the_columns_are_named_as_proposed_and_the_same_file_counts(stage: Stage) -> None:
    headers = stage.bearer("feeder") | {"Content-Type": "text/csv"}
    address = f"/api/v1/feeds/{FEED}"
    assert stage.browse().post(f"{address}/deliveries", data=ODD.encode(), headers=headers).status_code == 422
    change = {"settings": {"column_mapping": {"mbi": "Member", "npi": "Doctor"}}}
    assert stage.browse().patch(address, json=change, headers=bear_admin(stage)).status_code == 200
    taken = stage.browse().post(f"{address}/deliveries", data=ODD.encode(), headers=headers)
    assert taken.status_code == 202 and taken.json is not None
    assert (taken.json["state"], taken.json["present_count"]) == ("accepted", 2)


def test_nothing_is_offered_that_can_never_work(begun: Stage) -> None:
    headers = begun.bearer("feeder") | {"Content-Type": "text/csv", "X-Roster-Count": "25"}
    body = write_roster({WELLS: range(12), "3990000010": range(12, 20)}) + b"\n"
    sent = begun.browse().post(f"/api/v1/feeds/{FEED}/deliveries", data=body, headers=headers)
    begun.settle()
    delivery = sent.headers["Location"].rpartition("/")[2]
    assert load_delivery(begun.runtime, OURS, delivery).file_error == "count_mismatch"
    page = begun.log_in(REVIEWER).get(f"/deliveries/{delivery}").text
    assert ACCEPT not in page and REJECT in page
    assert "another number of rows than was declared" in page
    wish = {"verdict": "accept", "reason": "called the practice"}
    refused = begun.browse().post(f"/api/v1/deliveries/{delivery}/decisions", json=wish, headers=begun.bearer("signer"))
    check_problem(refused, 409, "wrong_state")
    assert "another number of rows than was declared" in refused.text and "read to its end" not in refused.text


def test_what_may_count_is_offered(begun: Stage) -> None:
    held = begun.send(write_roster({WELLS: range(3)}))
    page = begun.log_in(ATTESTER).get(f"/deliveries/{held}").text
    assert ACCEPT in page and REJECT in page
