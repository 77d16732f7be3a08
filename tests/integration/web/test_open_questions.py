"""What waits for a person is counted, can be listed, and says how many people must say yes and how many have."""

from __future__ import annotations

from typing import Any

import pytest
from web_stage import REVIEWER, WELLS, Stage, write_roster

TWO_NEEDED = "It takes 2 different people to say yes to this."
ONE_OF_TWO = "One of two has said yes; another person must."


@pytest.fixture
def held(begun: Stage) -> str:
    """A file with three of twelve patients of one practitioner: it takes two people."""
    return begun.send(write_roster({WELLS: range(3)}))


@pytest.fixture
def suspended(begun: Stage) -> str:
    """A file that counts, but lets nobody go: it lacks two patients and has a row about nobody knows whom."""
    body = write_roster({WELLS: range(10), "3990000010": range(12, 20)})
    return begun.send(body + f",A,B,1940-01-01,F,{WELLS}\n".encode())


def read(stage: Stage, address: str) -> Any:
    answer = stage.browse().get(f"/api/v1/{address}", headers=stage.bearer("monitor"))
    assert answer.status_code == 200, answer.text
    return answer.json


def count(stage: Stage) -> tuple[int, int, int]:
    (status,) = read(stage, "status")["items"]
    return status["open_holds"], status["held_deliveries"], status["suspended_removals"]


def test_the_status_counts_every_open_question_and_names_the_suspended_removals(begun: Stage, suspended: str) -> None:
    assert count(begun) == (1, 0, 1)
    begun.send(write_roster({WELLS: range(3)}))
    assert count(begun) == (2, 1, 1)
    begun.accept(suspended)
    assert count(begun) == (1, 1, 0)


def test_what_waits_can_be_listed_whatever_its_state(begun: Stage, suspended: str) -> None:
    held = begun.send(write_roster({WELLS: range(3)}))
    assert [one["id"] for one in read(begun, "deliveries?waiting=true")["items"]] == [held, suspended]
    assert {one["state"] for one in read(begun, "deliveries?waiting=true&state=accepted")["items"]} == {"accepted"}
    others = read(begun, "deliveries?waiting=false")["items"]
    assert others and not {held, suspended} & {one["id"] for one in others}
    assert begun.browse().get("/api/v1/deliveries?waiting=perhaps", headers=begun.bearer("monitor")).status_code == 422
    page = begun.log_in(REVIEWER).get("/deliveries?waiting=true").text
    assert held in page and suspended in page and page.count('<th scope="row" class="nowrap">') == 2
    assert "lets nobody go yet" in page


def test_the_overview_shows_whose_removals_are_suspended(begun: Stage, suspended: str) -> None:
    page = begun.log_in(REVIEWER).get("/").text
    assert suspended in page and "lets nobody go yet" in page and "Nothing is held." not in page


def test_nothing_waits_where_nothing_is_asked(begun: Stage) -> None:
    assert count(begun) == (0, 0, 0)
    assert read(begun, "deliveries?waiting=true")["items"] == []
    first = read(begun, "deliveries")["items"][0]
    assert (first["people_needed"], first["people_agreed"]) == (None, None)
    assert "No delivery waits for a person" in begun.log_in(REVIEWER).get("/deliveries?waiting=true").text


def test_a_delivery_says_how_many_people_must_say_yes_and_how_many_have(begun: Stage, held: str) -> None:
    browser = begun.log_in(REVIEWER)
    one = read(begun, f"deliveries/{held}")
    assert (one["people_needed"], one["people_agreed"]) == (2, 0)
    assert TWO_NEEDED in browser.get("/holds").text and TWO_NEEDED in browser.get(f"/deliveries/{held}").text
    wish = {"verdict": "accept", "reason": "called the practice"}
    address = f"/api/v1/deliveries/{held}/decisions"
    first = begun.browse().post(address, json=wish, headers=begun.bearer("signer")).json
    assert first is not None and (first["people_needed"], first["people_agreed"]) == (2, 1)
    (listed,) = read(begun, "deliveries?waiting=true")["items"]
    assert (listed["people_needed"], listed["people_agreed"]) == (2, 1)
    assert ONE_OF_TWO in browser.get("/holds").text and ONE_OF_TWO in browser.get(f"/deliveries/{held}").text
    begun.accept(held)
    one = read(begun, f"deliveries/{held}")
    assert (one["state"], one["people_needed"], one["people_agreed"]) == ("accepted", None, None)


def test_a_yes_that_no_longer_holds_is_not_counted(begun: Stage, held: str) -> None:
    wish = {"verdict": "accept", "reason": "called the practice"}
    address = f"/api/v1/deliveries/{held}/decisions"
    assert begun.browse().post(address, json=wish, headers=begun.bearer("signer")).status_code == 201
    begun.advance(30)
    assert read(begun, f"deliveries/{held}")["people_agreed"] == 0
    assert TWO_NEEDED in begun.log_in(REVIEWER).get(f"/deliveries/{held}").text


def test_one_person_who_is_enough_is_not_counted_aloud(begun: Stage, suspended: str) -> None:
    one = read(begun, f"deliveries/{suspended}")
    assert (one["state"], one["people_needed"], one["people_agreed"]) == ("accepted", 1, 0)
    assert "different people" not in begun.log_in(REVIEWER).get("/holds").text
