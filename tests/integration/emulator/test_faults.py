"""Faults on demand: before or after the effect, by call, by chance, by connection."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from emulator_customer import FHIR, Customer, Scene, read_text

pytestmark = pytest.mark.control

ADD = {"method": "POST", "path": r"/Group/[^/]+/\$add$"}


def control(customer: Customer, method: str, body: object = None) -> requests.Response:
    return requests.request(method, f"{customer.emulator.base_url}/_emulator/faults", json=body, timeout=10)


def plan(customer: Customer, **wish: Any) -> None:
    assert control(customer, "POST", wish).status_code == 200


def test_before_the_effect_nothing_is_written(roster: Scene) -> None:
    """contract-v1 2.4 and 12.9."""
    plan(roster.customer, **ADD, preset="timeout")
    answer = roster.add(roster.patients[2:])
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, FHIR)
    assert read_text(answer).startswith("HAPI-1361: Failed to parse response from server when performing")
    entry = roster.customer.emulator.log()[-1]
    assert (entry["status"], entry["effect"], entry["fault"]) == (500, False, "timeout")
    assert set(roster.read_members()) == set(roster.patients[:2])


def test_after_the_effect_the_write_is_committed(roster: Scene) -> None:
    """contract-v1 2.4 a and 14.2: a 500 may have succeeded."""
    plan(roster.customer, **ADD, preset="timeout", when="after")
    assert roster.add(roster.patients[2:]).status_code == 500
    entry = roster.customer.emulator.log()[-1]
    assert (entry["status"], entry["effect"]) == (500, True)
    assert set(roster.read_members()) == set(roster.patients)


@pytest.mark.parametrize(("when", "written"), [("before", 2), ("after", 4)])
def test_a_cut_connection_has_no_answer_at_all(roster: Scene, when: str, written: int) -> None:
    """contract-v1 12.9; the next request opens a new connection."""
    plan(roster.customer, **ADD, cut=True, when=when, times=1)
    with pytest.raises(requests.ConnectionError):
        roster.add(roster.patients[2:])
    assert roster.customer.emulator.log()[-1]["status"] is None
    assert len(roster.read_members()) == written


def test_a_truncated_body_breaks_off(roster: Scene) -> None:
    """The head promises more than comes."""
    plan(roster.customer, path=f"{roster.group_id}$", truncate=True, times=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        roster.customer.send("GET", f"/Group/{roster.group_id}")
    assert roster.customer.send("GET", f"/Group/{roster.group_id}").status_code == 200


@pytest.mark.parametrize(("preset", "status"), [("waf", 403), ("waf-429", 429)])
def test_the_wall_in_front_answers_html(customer: Customer, preset: str, status: int) -> None:
    """contract-v1 1.1: no DPC body."""
    plan(customer, preset=preset, times=1)
    answer = customer.send("GET", "/Patient")
    assert (answer.status_code, answer.headers["Content-Type"], "<html>" in answer.text) == (status, "text/html", True)
    assert customer.send("GET", "/Patient").status_code == 200


def test_a_token_can_expire_in_mid_run(customer: Customer) -> None:
    """contract-v1 12.9."""
    plan(customer, path="/Patient", nth=2, preset="expired-token")
    codes = [customer.send("GET", "/Patient").status_code for _ in range(3)]
    assert codes == [200, 401, 200]


def test_the_nth_call_and_the_number_of_times(customer: Customer) -> None:
    """Only matching calls count."""
    plan(customer, method="GET", path="/Patient$", nth=2, times=2, status=503, body="later")
    codes = []
    for _ in range(4):
        assert customer.send("GET", "/Practitioner").status_code == 200
        codes.append(customer.send("GET", "/Patient").status_code)
    assert codes == [200, 503, 503, 200]
    assert control(customer, "GET").json() == [{"name": "fault", "seen": 4, "fired": 2}]


def test_chance_repeats_with_its_seed(customer: Customer) -> None:
    """The same seed draws the same calls."""
    draws = []
    for _ in range(2):
        control(customer, "DELETE")
        plan(customer, path="/version", probability=0.5, seed=7, status=500)
        draws.append([customer.send("GET", "/version", headers={"Accept": "*/*"}).status_code for _ in range(20)])
    assert draws[0] == draws[1]
    assert set(draws[0]) == {200, 500}


def test_status_headers_and_body_are_free(customer: Customer) -> None:
    """A JSON body is written as JSON."""
    plan(customer, status=418, headers={"X-Tea": "yes"}, body={"pot": 1})
    answer = customer.send("GET", "/Patient")
    assert (answer.status_code, answer.headers["X-Tea"], answer.json()) == (418, "yes", {"pot": 1})
    assert "Date" in answer.headers and "X-Request-Id" in answer.headers


def test_latency_alone_delays_the_true_answer_and_nobody_else(customer: Customer) -> None:
    """A client's own timeout hits; the write behind it still lands."""
    plan(customer, path="/Practitioner$", method="POST", latency=0.4, when="after")
    started = time.monotonic()
    with pytest.raises(requests.Timeout):
        customer.send("POST", "/Practitioner", {"resourceType": "Practitioner"}, timeout=0.1)
    assert customer.send("GET", "/Practitioner").status_code == 200
    assert time.monotonic() - started < 0.4
    assert control(customer, "GET").json()[0]["fired"] == 1


def test_an_unknown_key_is_refused(customer: Customer) -> None:
    """A misspelt fault must not pass silently."""
    for wish in ({"staus": 500}, {"preset": "x"}, {"when": "later"}, {"path": "("}, 7):
        assert control(customer, "POST", wish).status_code == 400
    assert control(customer, "GET").json() == []


def test_faults_come_as_a_list_and_go_together(customer: Customer) -> None:
    """POST takes one or several; DELETE takes all away."""
    wishes = [{"path": "/Patient", "status": 500}, {"path": "/Group", "status": 502}]
    assert control(customer, "POST", wishes).json() == {"faults": 2}
    assert [customer.send("GET", path).status_code for path in ("/Patient", "/Group")] == [500, 502]
    assert control(customer, "DELETE").status_code == 204
    assert [customer.send("GET", path).status_code for path in ("/Patient", "/Group")] == [200, 200]


@pytest.mark.parametrize("wish", [{}, {"path": "/Group"}, {"method": "POST", "nth": 2}])
def test_a_fault_that_spoils_nothing_is_refused(roster: Scene, wish: dict[str, Any]) -> None:
    answer = control(roster.customer, "POST", wish)
    assert answer.status_code == 400
    assert "a fault needs one of: body, cut, latency" in answer.text
