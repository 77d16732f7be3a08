"""POST /Token/auth and /Token/validate: every check, in order."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from emulator_customer import Customer

from service.emulator.macaroons import Macaroon, encode_tokens, mint


def refuse(customer: Customer, claims: dict[str, Any], **options: Any) -> tuple[int, str]:
    answer = customer.exchange(customer.sign(claims, **options))
    return answer.status_code, answer.json()["message"]


def test_a_good_assertion_gives_an_access_token(customer: Customer) -> None:
    """contract-v1 4.4."""
    answer = customer.exchange(customer.sign(customer.build_claims()))
    token = answer.json()
    assert answer.status_code == 200
    assert {name: token[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "bearer",
        "expires_in": 300,
        "scope": "system/*.*",
    }


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_every_rsa_algorithm_is_accepted(customer: Customer, algorithm: str) -> None:
    """contract-v1 4.3."""
    assert customer.exchange(customer.sign(customer.build_claims(), algorithm=algorithm)).status_code == 200


def test_missing_fields_are_reported_together(customer: Customer) -> None:
    """contract-v1 4.5 step 1."""
    answer = customer.exchange("", scope=None, grant_type="", client_assertion_type=None)
    assert answer.status_code == 400
    assert re.fullmatch(r"[0-9a-f]{16}", answer.json()["id"])
    assert sorted(answer.json()["errors"]) == [
        "arg0 Scope is required",
        "arg1 Grant type is required",
        "arg2 Assertion type is required",
        "arg3 Assertion is required",
    ]
    assert customer.exchange("x", scope=None).json()["errors"] == ["arg0 Scope is required"]


def test_fields_are_compared_in_order(customer: Customer) -> None:
    """contract-v1 4.5 steps 2 to 5."""
    wrong = {"grant_type": "a", "client_assertion_type": "b", "scope": "c"}
    messages = []
    for name in (*wrong, None):
        answer = customer.exchange("d", **wrong)
        messages.append((answer.status_code, answer.json()["message"]))
        wrong.pop(name or "", None)
    assert messages == [
        (400, "Grant Type must be 'client_credentials'"),
        (
            400,
            "Client Assertion Type must be 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'",
        ),
        (400, "Access Scope must be 'system/*.*'"),
        (401, "Invalid JWT"),
    ]


def test_a_body_that_is_no_form_is_a_415(customer: Customer) -> None:
    """contract-v1 1.3."""
    headers: dict[str, str | None] = {"Accept": "*/*", "Content-Type": "application/json"}
    assert customer.send("POST", "/Token/auth", {}, headers=headers).status_code == 415


def test_the_subject_must_be_a_macaroon_of_an_organisation(customer: Customer) -> None:
    """contract-v1 4.5 step 6."""
    assert refuse(customer, customer.build_claims(sub=None)) == (401, "JWT must have client_id")
    assert refuse(customer, customer.build_claims(sub="word"))[0] == 500
    bare: Macaroon = mint(b"key", str(uuid.uuid4()), "here")
    claims = customer.build_claims(sub=encode_tokens([bare]))
    assert refuse(customer, claims) == (401, "JWT client token must have organization_id")


def test_the_key_must_be_known_to_the_organisation(customer: Customer, stranger: Customer) -> None:
    """contract-v1 4.5 step 7."""
    claims = customer.build_claims()
    assert refuse(customer, claims, headers={})[0] == 500
    assert refuse(customer, claims, headers={"kid": "abc"}) == (401, "Invalid Public Key ID")
    unknown = str(uuid.uuid4())
    message = f"Cannot find public key with id: {unknown}"
    assert refuse(customer, claims, headers={"kid": unknown}) == (401, message)
    stranger.key_id = customer.key_id
    message = f"Cannot find public key with id: {customer.key_id}"
    assert refuse(stranger, stranger.build_claims()) == (401, message)


def test_signature_audience_and_times_all_say_invalid(customer: Customer) -> None:
    """contract-v1 4.5 step 8."""
    now = int(customer.emulator.now().timestamp())
    for changes in ({"aud": None}, {"aud": "https://elsewhere"}, {"exp": now - 1}, {"nbf": now + 2}):
        assert refuse(customer, customer.build_claims(**changes)) == (401, "Invalid JWT")
    signed = customer.sign(customer.build_claims())
    other = customer.sign(customer.build_claims())
    answer = customer.exchange(signed.rpartition(".")[0] + "." + other.rpartition(".")[2])
    assert (answer.status_code, answer.json()["message"]) == (401, "Invalid JWT")
    accepted = customer.build_claims(aud=["x", f"{customer.emulator.v1_url}/Token/auth"], nbf=now)
    assert customer.exchange(customer.sign(accepted)).status_code == 200


def test_claims_are_asked_for_in_order(customer: Customer) -> None:
    """contract-v1 4.5 steps 9 to 11."""
    missing: dict[str, Any] = {"iss": None, "jti": None, "exp": None}
    assert refuse(customer, customer.build_claims(**missing)) == (400, "Claim issuer must be present")
    missing["iss"] = "other"
    assert refuse(customer, customer.build_claims(**missing)) == (400, "Issuer and Subject must be identical")
    del missing["iss"]
    assert refuse(customer, customer.build_claims(**missing)) == (400, "Claim id must be present")
    del missing["jti"]
    assert refuse(customer, customer.build_claims(**missing)) == (400, "Claim expiration must be present")


@pytest.mark.control
def test_an_assertion_may_live_five_minutes_and_no_second_more(customer: Customer) -> None:
    """contract-v1 4.3 and 4.5 step 11: zero leeway on the server's clock."""
    customer.emulator.set_clock(customer.emulator.now().replace(microsecond=0))
    now = int(customer.emulator.now().timestamp())
    assert refuse(customer, customer.build_claims(exp=now + 301)) == (401, "Not authorized")
    assert customer.exchange(customer.sign(customer.build_claims(exp=now + 300))).status_code == 200


@pytest.mark.control
def test_a_jti_serves_once_in_five_minutes_even_when_a_later_step_fails(customer: Customer) -> None:
    """contract-v1 4.5 step 10."""
    now = int(customer.emulator.now().timestamp())
    spent = customer.build_claims(exp=now + 900)
    assert refuse(customer, spent) == (401, "Not authorized")
    assert refuse(customer, {**spent, "exp": now + 200}) == (401, "Invalid JWT")
    customer.emulator.advance("PT5M")
    assert customer.exchange(customer.sign({**spent, "exp": now + 500})).status_code == 200


def test_validate_names_the_first_fault_and_spends_nothing(customer: Customer) -> None:
    """contract-v1 4.6."""
    now = int(customer.emulator.now().timestamp())

    def validate(assertion: str) -> tuple[int, str]:
        headers: dict[str, str | None] = {"Accept": "*/*", "Content-Type": "text/plain", "Authorization": None}
        answer = customer.send("POST", "/Token/validate", assertion.encode(), headers=headers)
        return answer.status_code, answer.json()["message"] if answer.content else ""

    good = customer.build_claims()
    assert validate("nonsense") == (400, "JWT is not formatted correctly")
    assert validate(customer.sign(good, headers={})) == (400, "JWT header must have `kid` value")
    assert validate(customer.sign(good, headers={"kid": "x"})) == (400, "`kid` value must be a UUID")
    for changes, message in (
        ({"exp": None}, "Claim `expiration` must be present"),
        ({"exp": now - 1}, "JWT is expired"),
        ({"exp": now + 400}, "Token expiration cannot be more than 5 minutes in the future"),
        ({"iss": None}, "Claim `issuer` must be present"),
        ({"jti": None}, "Claim `id` must be present"),
        ({"sub": None}, "Claim `subject` must be present"),
        ({"iss": "x"}, "Issuer and Subject must be identical"),
        ({"aud": None}, "Claim `audience` must be present"),
        ({"aud": "x"}, "Audience claim value is incorrect"),
        (
            {"iss": customer.key_id, "sub": customer.key_id},
            "Cannot use Token ID as `client_token`, must use actual token value",
        ),
        ({"iss": "x", "sub": "x"}, "Client token is not formatted correctly"),
    ):
        assert validate(customer.sign(customer.build_claims(**changes))) == (400, message)
    assert validate(customer.sign(good)) == (200, "")
    assert customer.exchange(customer.sign(good)).status_code == 200
    assert validate(customer.sign(good)) == (400, "Token ID cannot be re-used")
