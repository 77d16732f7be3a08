"""Client tokens."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
import requests
from emulator_customer import Customer

from service.emulator.macaroons import read_tokens

pytestmark = pytest.mark.control  # it takes away the only token

JSON = "application/json"


def ask(customer: Customer, method: str, path: str, body: Any = None) -> requests.Response:
    kind = JSON if body is not None else None
    return customer.send(method, path, body, headers={"Accept": JSON, "Content-Type": kind})


def test_a_new_token_is_shown_once_and_works(customer: Customer) -> None:
    """contract-v1 4.1 and 4.2."""
    answer = ask(customer, "POST", "/Token", {"label": "second"})
    created = answer.json()
    assert (answer.status_code, created["tokenType"], created["label"]) == (200, "MACAROON", "second")
    assert created["createdAt"].endswith("+00:00") and len(created["createdAt"]) == 29
    shown = ask(customer, "GET", f"/Token/{created['id']}").json()
    assert shown == {name: value for name, value in created.items() if name != "token"}
    customer.client_token = created["token"]
    customer.log_in()
    assert customer.send("GET", "/Patient").status_code == 200


def test_without_a_label_and_expiry_the_defaults_hold(customer: Customer) -> None:
    """contract-v1 4.1; the caveat carries the policy's year."""
    created = ask(customer, "POST", "/Token").json()
    assert created["label"] == f"Token for organization {customer.organization_id}."
    expected = customer.emulator.now().replace(year=customer.emulator.now().year + 1)
    assert created["expiresAt"] == expected.isoformat(timespec="milliseconds")
    [client] = read_tokens(created["token"])
    assert client.identifier.decode() == created["id"]
    assert client.location == customer.emulator.base_url + "/api"
    assert client.find_values("expires")[0].startswith(created["expiresAt"][:19])


def test_the_body_wins_over_the_query(customer: Customer) -> None:
    """contract-v1 4.1."""
    created = ask(customer, "POST", "/Token?label=query", {"label": "body"}).json()
    assert created["label"] == "body"
    assert ask(customer, "POST", "/Token?label=query").json()["label"] == "query"


def test_an_expiry_is_bounded_by_now_and_the_policy(customer: Customer) -> None:
    """contract-v1 4.1."""
    now = customer.emulator.now()
    for days, message in (
        (400, "Cannot set expiration after policy default"),
        (-1, "Cannot set expiration before current time"),
    ):
        wish = (now + timedelta(days=days)).isoformat()
        answer = ask(customer, "POST", "/Token", {"expiresAt": wish})
        assert (answer.status_code, answer.json()["message"]) == (400, message)
    answer = ask(customer, "POST", "/Token", {"expiresAt": "soon"})
    assert answer.json() == {"code": 400, "message": "Could not parse date: soon"}
    wish = (now + timedelta(days=30)).isoformat(timespec="milliseconds")
    assert ask(customer, "POST", "/Token", {"expiresAt": wish}).json()["expiresAt"] == wish


def test_html_in_a_label_is_refused(customer: Customer) -> None:
    """contract-v1 4.1."""
    assert ask(customer, "POST", "/Token?label=%3Cb%3E").status_code == 400
    assert ask(customer, "POST", "/Token", {"label": "<b>"}).status_code == 422


def test_a_body_that_is_no_json_is_a_400(customer: Customer) -> None:
    """contract-v1 2.3."""
    answer = ask(customer, "POST", "/Token", b"{nope")
    assert answer.status_code == 400
    assert "Value could not be parsed as JSON" in answer.text


def test_all_tokens_are_listed_without_their_secrets(customer: Customer) -> None:
    """contract-v1 4.2."""
    ask(customer, "POST", "/Token")
    listed = ask(customer, "GET", "/Token").json()
    assert (listed["count"], len(listed["entities"])) == (2, 2)
    assert "created_at" in listed
    assert not any("token" in one for one in listed["entities"])


def test_unknown_tokens_are_404_to_read_and_500_to_delete(customer: Customer, stranger: Customer) -> None:
    """contract-v1 4.2."""
    foreign = read_tokens(customer.client_token)[0].identifier.decode()
    for unknown in (str(uuid.uuid4()), foreign):
        answer = ask(stranger, "GET", f"/Token/{unknown}")
        assert answer.json() == {"code": 404, "message": "Cannot find token with matching ID"}
        answer = ask(stranger, "DELETE", f"/Token/{unknown}")
        assert answer.status_code == 500
        assert answer.json()["message"].startswith("There was an error processing your request. It has been logged")


def test_a_deleted_token_still_exchanges_but_opens_nothing(customer: Customer) -> None:
    """contract-v1 4.2 and 4.5: a 200 from /Token/auth is not proof."""
    token_id = read_tokens(customer.client_token)[0].identifier.decode()
    assert ask(customer, "DELETE", f"/Token/{token_id}").status_code == 204
    assert customer.send("GET", "/Patient").status_code == 401
    customer.log_in()
    assert customer.send("GET", "/Patient").status_code == 401
