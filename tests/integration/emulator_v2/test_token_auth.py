"""Exchanging a client assertion."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
import requests
from v2_customer import FHIR, Customer, build_key_pair, fault, read_issue, rule


def read_refusal(answer: requests.Response) -> str:
    """The reason inside a refused exchange: JSON within the text of a 500."""
    status, severity, code, text = read_issue(answer)
    assert (status, severity, code) == (500, "error", "Exception")
    prefix = "Failed to authenticate token: Failed to authenticate token: "
    nested = json.loads(text.removeprefix(prefix))
    assert text.startswith(prefix) and nested["error_description"] == ""
    return str(nested["error"])


def test_an_access_token_lives_for_twenty_minutes_and_says_so_in_a_string(customer: Customer) -> None:
    """contract-v2 3.3: labelled as FHIR, expires_in is a JSON string."""
    answer = customer.exchange(customer.sign(customer.build_claims()))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, FHIR)
    body = answer.json()
    assert body.pop("access_token").count(".") == 2
    assert body == {"scope": "system/*.*", "token_type": "bearer", "expires_in": "1200"}


def test_the_token_ends_with_its_twenty_minutes(customer: Customer) -> None:
    """contract-v2 2.2 and 3.3."""
    path = f"/Organization/{customer.organization_id}"
    customer.emulator.advance("PT19M")
    assert customer.send("GET", path).status_code == 200
    customer.emulator.advance("PT2M")
    assert read_issue(customer.send("GET", path)) == fault(403, "Invalid access token")
    customer.log_in()
    assert customer.send("GET", path).status_code == 200


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_three_algorithms_sign(customer: Customer, algorithm: str) -> None:
    """contract-v2 3.2."""
    assert customer.exchange(customer.sign(customer.build_claims(), algorithm=algorithm)).status_code == 200


def test_pss_does_not_sign(customer: Customer) -> None:
    """contract-v2 3.2: no PS*."""
    assert read_refusal(customer.exchange(customer.sign(customer.build_claims(), algorithm="PS384")))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"client_assertion_type": "other"}, "invalid value for client_assertion_type"),
        ({"client_assertion_type": None, "grant_type": None}, "invalid value for client_assertion_type"),
        ({"grant_type": "password", "scope": None}, "invalid value for grant_type"),
        ({"scope": "system/*.read"}, "invalid scope value"),
        ({"client_assertion": None}, "missing client_assertion"),
    ],
)
def test_every_form_field_has_one_value(customer: Customer, changes: dict[str, str | None], why: str) -> None:
    """contract-v2 3.3: 500 for each, first failure wins."""
    assert read_refusal(customer.exchange(customer.sign(customer.build_claims()), **changes)) == why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sub": "other"}, "subject (sub) and issuer (iss) claims do not match"),
        ({"jti": None}, "missing Token ID (jti) claim"),
        ({"jti": ""}, "missing Token ID (jti) claim"),
        ({"aud": "https://sandbox.dpc.cms.gov/api/v2/Token/auth"}, "invalid audience (aud) claim"),
        ({"iat": None}, "IssuedAt (iat) and ExpiresAt (exp) claims are more than 5 minutes apart"),
        ({"iss": "not-a-macaroon"}, "Macaroon does not contain system id"),
    ],
)
def test_a_claim_that_breaks_a_rule_is_named(customer: Customer, changes: dict[str, Any], why: str) -> None:
    """contract-v2 3.2 and 3.3."""
    assert read_refusal(customer.exchange(customer.sign(customer.build_claims(**changes)))) == why


def test_exp_is_at_most_three_hundred_seconds_after_iat(customer: Customer) -> None:
    """contract-v2 3.2."""
    now = int(customer.emulator.now().timestamp())
    assert customer.exchange(customer.sign(customer.build_claims(iat=now, exp=now + 300))).status_code == 200
    why = read_refusal(customer.exchange(customer.sign(customer.build_claims(iat=now - 1, exp=now + 300))))
    assert why == "IssuedAt (iat) and ExpiresAt (exp) claims are more than 5 minutes apart"


def test_the_clock_has_no_leeway(customer: Customer) -> None:
    """contract-v2 3.2 and T6."""
    now = int(customer.emulator.now().timestamp())
    assert "expired" in read_refusal(customer.exchange(customer.sign(customer.build_claims(exp=now - 1))))
    late = customer.build_claims(iat=now + 2, exp=now + 100)
    assert "used before issued" in read_refusal(customer.exchange(customer.sign(late)))


@pytest.mark.parametrize("claim", ["exp", "iat"])
def test_a_fraction_of_a_second_does_not_parse(customer: Customer, claim: str) -> None:
    """contract-v2 3.2: time.time() fails."""
    claims = customer.build_claims()
    claims[claim] += 0.5
    assert "cannot unmarshal" in read_refusal(customer.exchange(customer.sign(claims)))


def test_a_list_of_audiences_does_not_parse(customer: Customer) -> None:
    """contract-v2 3.2."""
    claims = customer.build_claims()
    claims["aud"] = [claims["aud"]]
    assert "cannot unmarshal" in read_refusal(customer.exchange(customer.sign(claims)))


def test_one_assertion_serves_twice(customer: Customer) -> None:
    """contract-v2 3.2: replay is not checked."""
    assertion = customer.sign(customer.build_claims())
    assert [customer.exchange(assertion).status_code for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("kid", [{}, {"kid": 7}, {"kid": None}])
def test_the_key_id_is_a_text(customer: Customer, kid: dict[str, Any]) -> None:
    """contract-v2 3.2."""
    head = base64.urlsafe_b64encode(json.dumps({"alg": "RS384", **kid}).encode()).decode().rstrip("=")
    _, payload, signature = customer.sign(customer.build_claims()).split(".")
    why = read_refusal(customer.exchange(f"{head}.{payload}.{signature}"))
    assert why == "missing public key id (kid) in jwt header"


def test_a_key_of_another_system_is_not_found_and_the_answer_shows_the_client_token(
    customer: Customer, stranger: Customer
) -> None:
    """contract-v2 3.3: the text embeds the client token."""
    why = read_refusal(customer.exchange(customer.sign(customer.build_claims(), {"kid": stranger.key_id})))
    assert why.startswith("key not found for system") and customer.client_token in why


def test_a_signature_by_another_key_is_refused(customer: Customer) -> None:
    """contract-v2 3.3."""
    other = build_key_pair().private
    assert "verification" in read_refusal(customer.exchange(customer.sign(customer.build_claims(), key=other)))


@pytest.mark.parametrize("assertion", ["x", "a.b", "a.b.c", "....", "e30.e30.e30", "é.é.é"])
def test_what_is_no_jwt_is_a_500_too(customer: Customer, assertion: str) -> None:
    """contract-v2 3.3."""
    assert read_refusal(customer.exchange(assertion))


def test_an_empty_body_is_a_400(customer: Customer) -> None:
    """contract-v2 3.3."""
    for path in ("/Token/auth", "/Token/validate"):
        assert read_issue(customer.send("POST", path)) == rule("Body is required")


def test_validation_never_works(customer: Customer) -> None:
    """contract-v2 3.3."""
    answer = customer.send("POST", "/Token/validate", b"token=" + customer.token.encode())
    status, _, _, text = read_issue(answer)
    assert status == 400
    assert text.startswith("Failed to validate token: ") and text.endswith("404 page not found")


def test_the_callers_media_types_do_not_matter(customer: Customer) -> None:
    """contract-v2 3.3: the proxy sets its own."""
    raw = (
        "grant_type=client_credentials&scope=system%2F*.*&client_assertion_type="
        "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion="
        + customer.sign(customer.build_claims())
    ).encode()
    headers: dict[str, str | None] = {"Content-Type": "text/html", "Accept": "image/png", "Authorization": None}
    assert customer.send("POST", "/Token/auth", raw, headers=headers).status_code == 200


def test_a_client_token_lives_for_a_year(customer: Customer) -> None:
    """contract-v2 3.1."""
    customer.emulator.set_clock(customer.emulator.now() + timedelta(days=364, hours=23))
    customer.log_in()
    customer.emulator.set_clock(customer.emulator.now() + timedelta(hours=2))
    assert read_refusal(customer.exchange(customer.sign(customer.build_claims())))
