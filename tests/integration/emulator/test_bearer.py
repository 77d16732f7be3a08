"""Who may come in: the access token, its macaroon, and the three shapes of 401."""

from __future__ import annotations

import base64
import hmac
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from emulator_customer import FHIR, Customer, read_text

from service.emulator.macaroons import add_caveat, encode_binary, encode_tokens, read_tokens
from service.emulator.server import Emulator

BAD = "HTTP 401 Unauthorized, Credentials are required to access this resource."


def ask(customer: Customer, token: str) -> tuple[int, str]:
    answer = customer.send("GET", "/Practitioner", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.headers["Content-Type"]


def narrow_golden(emulator: Emulator, *caveats: str) -> str:
    macaroon = read_tokens(emulator.golden_macaroon())[0]
    for caveat in caveats:
        macaroon = add_caveat(macaroon, caveat)
    return encode_binary(macaroon)


def test_a_fresh_access_token_is_accepted(customer: Customer) -> None:
    """contract-v1 3.1."""
    answer = customer.send("GET", "/Practitioner")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, FHIR)


def test_the_token_parameter_works_when_there_is_no_authorization_header(customer: Customer) -> None:
    """contract-v1 3.1."""
    answer = customer.send("GET", f"/Practitioner?token={customer.token}", headers={"Authorization": None})
    assert answer.status_code == 200


def test_no_credentials_give_plain_text_and_a_challenge(customer: Customer) -> None:
    """contract-v1 3.2, first row."""
    for header in (None, "Basic abc"):
        answer = customer.send("GET", "/Practitioner", headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert answer.text == "Credentials are required to access this resource."
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="realm"'


def test_a_bad_token_gives_an_outcome_without_id_also_on_plain_endpoints(customer: Customer) -> None:
    """contract-v1 3.2, second row."""
    for path in ("/Practitioner", "/Token"):
        answer = customer.send("GET", path, headers={"Authorization": "Bearer nonsense", "Accept": "*/*"})
        assert (answer.status_code, answer.headers["Content-Type"]) == (401, FHIR)
        assert "WWW-Authenticate" not in answer.headers
        assert read_text(answer) == BAD
        assert "id" not in answer.json()
        assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "MSG_AUTH_REQUIRED"


def test_the_client_token_itself_is_no_bearer(customer: Customer) -> None:
    """contract-v1 3.1: undischarged."""
    assert ask(customer, customer.client_token) == (401, FHIR)


def test_an_access_token_ends_after_five_minutes_without_leeway(emulator: Emulator, customer: Customer) -> None:
    """contract-v1 3.2."""
    emulator.advance("PT5M")
    assert ask(customer, customer.token)[0] == 200
    emulator.advance("PT1S")
    assert ask(customer, customer.token)[0] == 401


def test_every_part_of_an_access_token_is_signed(customer: Customer) -> None:
    """contract-v1 4.7: chain and bound discharge."""
    document = json.loads(base64.urlsafe_b64decode(customer.token))
    assert customer.token.startswith("W3sidiI6Miwi")
    assert [sorted(one) for one in document] == [["c", "i", "l", "s64", "v"], ["i", "s64", "v"]]
    assert [caveat.get("l") for caveat in document[0]["c"]] == [None, None, None, "local", None]
    spoils: list[Callable[[Any], object]] = [
        lambda d: d[0]["c"].pop(),
        lambda d: d[0]["c"].append({"i64": base64.urlsafe_b64encode(b"dpc_macaroon_version = 2").decode()}),
        lambda d: d.pop(),
        lambda d: d[1].update(s64=d[0]["s64"]),
        lambda d: d[0].update(s64=d[1]["s64"]),
        lambda d: d[0].update(i=str(uuid.uuid4())),
    ]
    for spoil in spoils:
        spoiled = json.loads(json.dumps(document))
        spoil(spoiled)
        token = base64.urlsafe_b64encode(json.dumps(spoiled).encode()).decode()
        assert ask(customer, token) == (401, FHIR)


def test_raw_json_is_accepted_as_a_token(customer: Customer) -> None:
    """contract-v1 4.7."""
    raw = json.dumps(json.loads(base64.urlsafe_b64decode(customer.token)))
    assert ask(customer, raw)[0] == 200


def test_an_identifier_that_is_no_uuid_is_a_500(customer: Customer) -> None:
    """contract-v1 3.2, last row."""
    assert ask(customer, '{"v":2,"i":"abc","s64":"AAAA"}')[0] == 500


def test_a_client_token_may_be_extended_before_the_exchange(emulator: Emulator, customer: Customer) -> None:
    """contract-v1 4.7: extending needs no key; the caveats are still checked."""
    whole = customer.client_token
    extended = encode_tokens([add_caveat(read_tokens(whole)[0], f"organization_id = {customer.organization_id}")])
    customer.client_token = extended
    assert ask(customer, customer.log_in())[0] == 200
    customer.client_token = encode_tokens([add_caveat(read_tokens(whole)[0], "colour = red")])
    assert ask(customer, customer.log_in())[0] == 401


def test_a_client_token_ends_after_a_year(emulator: Emulator, customer: Customer) -> None:
    """contract-v1 4.1 and 4.5: the exchange still answers 200."""
    emulator.advance("P366D")
    assert ask(customer, customer.log_in())[0] == 401


@pytest.mark.control
def test_a_golden_macaroon_narrowed_to_an_organisation_acts_for_it(customer: Customer) -> None:
    """contract-v1 4.7."""
    emulator = customer.emulator
    assert emulator.golden_macaroon().startswith("MDA")
    good = (
        "dpc_macaroon_version = 1",
        f"organization_id = {customer.organization_id}",
        "expires = 2100-01-01T00:00:00Z",
    )
    answer = customer.send(
        "GET", "/Organization", headers={"Authorization": f"Bearer {narrow_golden(emulator, *good)}"}
    )
    assert answer.json()["entry"][0]["resource"]["id"] == customer.organization_id
    for wrong in (
        (),
        (f"organization_id = {uuid.uuid4()}",),
        (good[1], "expires = 2001-01-01T00:00:00Z"),
        (good[1], "dpc_macaroon_version = 0"),
        (good[1], f"organization_id = {uuid.uuid4()}"),
    ):
        assert ask(customer, narrow_golden(emulator, *wrong)) == (401, FHIR)


def test_foreign_and_unknown_ids_look_the_same(customer: Customer, stranger: Customer) -> None:
    """contract-v1 3.1: ownership."""
    practitioner, patient = customer.create_practitioner(), customer.create_patient()
    group = customer.create_group(practitioner, [patient])["id"]
    for kind, own in (("Group", group), ("Patient", patient), ("Practitioner", practitioner["id"])):
        assert customer.send("GET", f"/{kind}/{own}").status_code == 200
        for path in (f"/{kind}/{own}", f"/{kind}/{uuid.uuid4()}"):
            answer = stranger.send("GET", path)
            assert (answer.status_code, read_text(answer)) == (404, f"{kind} not found")
        answer = stranger.send("GET", f"/{kind}/not-a-uuid")
        assert (answer.status_code, read_text(answer)) == (404, "HTTP 404 Not Found")


@pytest.mark.control
def test_the_signature_chain_is_the_documented_one(customer: Customer) -> None:
    """contract-v1 4.7, recomputed here with nothing but HMAC-SHA256."""

    def sign(key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, "sha256")

    def decode(text: str) -> bytes:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    root, discharge = json.loads(base64.urlsafe_b64decode(customer.token))
    signature = sign(sign(b"macaroons-key-generator", customer.emulator.state.root_key), root["i"].encode())
    for caveat in root["c"]:
        cid = decode(caveat["i64"])
        if "v64" in caveat:
            assert len(decode(caveat["v64"])) == 72
            assert discharge["i"].encode("latin-1") == cid
            signature = sign(signature, sign(signature, decode(caveat["v64"])) + sign(signature, cid))
        else:
            assert cid.decode().count(" = ") == 1
            signature = sign(signature, cid)
    assert decode(root["s64"]) == signature
    assert len(customer.token) < 2000
