"""/deliveries and /deliveries/{id}."""

from __future__ import annotations

import pytest
from web_stage import FEED, FEEDER, OURS, REVIEWER, WELLS, Stage, write_mbi, write_roster

from service.workflows.deliveries import load_delivery


@pytest.fixture
def held(begun: Stage) -> str:
    """A file with three rows where twenty are usual: it takes two people."""
    return begun.send(write_roster({WELLS: range(3)}))


def test_deliveries_are_listed_by_state(begun: Stage, held: str) -> None:
    browser = begun.log_in(REVIEWER)
    assert browser.get("/deliveries").text.count('<th scope="row" class="nowrap">') == 3
    only = browser.get("/deliveries?state=held").text
    assert only.count('<th scope="row" class="nowrap">') == 1 and held in only


def test_a_held_delivery_says_why_and_what_waiting_costs(begun: Stage, held: str) -> None:
    page = begun.log_in(REVIEWER).get(f"/deliveries/{held}").text
    assert "The file has 3 rows; the last ones had about 20." in page
    assert "Waiting starts to cost attributions on" in page and "(in 90 days)" in page
    assert "It takes 2 different people" in page


def test_one_of_two_people_accepts_and_it_stays_held(begun: Stage, held: str) -> None:
    browser, address = begun.log_in(REVIEWER), f"/deliveries/{held}"
    form = {"verdict": "accept", "reason": "half the clinic is closed"}
    begun.post_form(browser, address, f"{address}/decision", form)
    assert "It takes another person" in browser.get(address).text
    assert load_delivery(begun.runtime, OURS, held).state == "held"


def test_a_rejected_delivery_names_who_rejected_it(begun: Stage, held: str) -> None:
    browser, address = begun.log_in(REVIEWER), f"/deliveries/{held}"
    begun.post_form(browser, address, f"{address}/decision", {"verdict": "reject", "reason": "cut off"})
    page = browser.get(address).text
    assert "The delivery is rejected" in page and REVIEWER in page and "cut off" in page


@pytest.mark.parametrize("form", [{}, {"verdict": "force", "reason": "x"}, {"verdict": "accept", "reason": " "}])
def test_a_decision_that_lacks_something_is_refused(begun: Stage, held: str, form: dict[str, str]) -> None:
    browser, address = begun.log_in(REVIEWER), f"/deliveries/{held}"
    begun.post_form(browser, address, f"{address}/decision", form)
    assert 'class="message refused"' in browser.get(address).text
    assert load_delivery(begun.runtime, OURS, held).state == "held"


def test_a_feeder_looks_but_does_not_decide(begun: Stage, held: str) -> None:
    browser, address = begun.log_in(FEEDER), f"/deliveries/{held}"
    assert "Accept the delivery" not in browser.get(address).text
    form = {"verdict": "accept", "reason": "let me"}
    assert begun.post_form(browser, "/deliveries", f"{address}/decision", form).status_code == 403


def test_a_delivery_that_is_not_held_cannot_be_decided(begun: Stage, held: str) -> None:
    browser, address = begun.log_in(REVIEWER), f"/deliveries/{held}"
    form = {"verdict": "reject", "reason": "cut off"}
    for _ in range(2):
        begun.post_form(browser, address, f"{address}/decision", form)
    assert "This delivery is not held." in browser.get(address).text


def test_without_a_delivery_the_list_names_the_next_step(stage: Stage) -> None:
    assert "Nothing has arrived yet" in stage.log_in(FEEDER).get("/deliveries").text


def test_what_a_file_says_of_itself_is_noted_where_the_feed_says_otherwise(begun: Stage) -> None:
    pairs = ",".join(f'{{"mbi":"{write_mbi(n)}","npi":"{WELLS}"}}' for n in range(12))
    body = f'{{"mode":"delta","pairs":[{pairs}]}}'.encode()
    headers = begun.bearer("feeder") | {"Content-Type": "application/json"}
    answer = begun.browse().post(f"/api/v1/feeds/{FEED}/deliveries", data=body, headers=headers)
    begun.settle()
    assert answer.json is not None
    page = begun.log_in(REVIEWER).get(f"/deliveries/{answer.json['id']}").text
    assert "read as a snapshot; the file calls itself a delta" in page
