"""How a customer comes by systems, keys and client tokens."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from v2_customer import NPI, ORGANIZATION_NPI, Customer, build_key_pair, onboard

from service.emulator.server import Emulator, EmulatorOptions


def test_an_implementer_has_one_system_for_each_organization(customer: Customer) -> None:
    """contract-v2 10: Pending, Active, and 409 for a second one."""
    implementer = customer.control("POST", "/v2/Implementer", {"name": "Vendor"}).json()["id"]
    relation = customer.control("POST", f"/v2/Implementer/{implementer}/org", {"npi": ORGANIZATION_NPI})
    assert (relation.status_code, relation.json()["status"]) == (201, "Pending")
    path = f"/v2/Implementer/{implementer}/Org/{customer.organization_id}/system"
    assert customer.control("GET", path).status_code == 404
    key = {"key": customer.key.pem, "signature": customer.key.signature}
    system = customer.control("POST", path, key)
    assert system.status_code == 201
    assert customer.control("GET", path).json() == {"system_id": system.json()["system_id"]}
    listed = customer.control("GET", f"/v2/Implementer/{implementer}/org").json()
    assert [one["status"] for one in listed] == ["Active"]
    again = customer.control("POST", path, key)
    assert again.status_code == 409
    assert again.json()["message"] == "a system for this implementer/org relation already exists"


def test_an_unknown_organization_has_no_relation_and_no_system(customer: Customer) -> None:
    """contract-v2 10."""
    implementer = customer.control("POST", "/v2/Implementer", {"name": "Vendor"}).json()["id"]
    assert customer.control("POST", f"/v2/Implementer/{implementer}/org", {"npi": NPI}).status_code == 422
    path = f"/v2/Implementer/{implementer}/Org/{customer.organization_id}/system"
    assert customer.control("POST", path, {}).status_code == 404
    assert customer.control("POST", "/organizations/x/v2-systems", {}).status_code == 404


def test_several_client_tokens_serve_one_system_until_they_are_deleted(customer: Customer) -> None:
    """contract-v2 3.1: several for rotation."""
    second = customer.control("POST", "/v2/token", {"system_id": customer.system_id}).json()
    first = customer.client_token
    for token in (second["client_token"], first):
        customer.client_token = token
        customer.log_in()
    assert customer.control("DELETE", f"/v2/token/{second['id']}").status_code == 200
    assert customer.control("DELETE", f"/v2/token/{second['id']}").status_code == 404
    customer.client_token = second["client_token"]
    assert customer.exchange(customer.sign(customer.build_claims())).status_code == 500


def test_a_key_is_rsa_of_2048_bits_with_a_signature_over_the_snippet(customer: Customer) -> None:
    """contract-v2 3.1 and 10; the sentence differs from version 1's."""

    def add(pem: str, signature: str | None) -> tuple[int, str]:
        wish = {"system_id": customer.system_id, "key": pem, "signature": signature}
        answer = customer.control("POST", "/v2/key", wish)
        return answer.status_code, answer.json().get("message", "")

    good, small = customer.key, build_key_pair(1024)
    other = good.private.sign(b"This is the snippet used to verify a key pair in DPC.", PKCS1v15(), SHA256())
    assert add(good.pem, good.signature)[0] == 201
    assert add(good.pem, None) == (400, "Signature is required when adding a public key")
    assert add(good.pem, base64.b64encode(other).decode())[0] == 400
    assert add(small.pem, small.signature)[0] == 400
    assert add("x", good.signature)[0] == 400
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert add(pem, good.signature)[0] == 400


def test_a_deleted_key_signs_nothing_any_more(customer: Customer) -> None:
    """contract-v2 10."""
    assert customer.control("DELETE", f"/v2/key/{customer.key_id}").status_code == 200
    assert customer.exchange(customer.sign(customer.build_claims())).status_code == 500


@pytest.mark.parametrize("body", [b"[]", b"x"])
def test_a_wish_is_a_json_object(customer: Customer, body: bytes) -> None:
    """The control surface refuses what it cannot read."""
    url = f"{customer.emulator.base_url}/_emulator/v2/Implementer"
    assert customer.session.post(url, data=body, timeout=10).status_code == 400


def test_what_was_onboarded_survives_a_restart(tmp_path_factory: pytest.TempPathFactory, customer: Customer) -> None:
    """Own tables in the emulator's database: credentials and Groups are still there."""
    data = tmp_path_factory.mktemp("emulator") / "emulator.db"
    with Emulator(EmulatorOptions(data=data)) as first:
        settled = onboard(first, customer.key, customer.session)
        group_id = settled.create_group([1, 2])
    with Emulator(EmulatorOptions(data=data)) as second:
        settled.emulator = second
        settled.log_in()
        assert settled.export(group_id).status_code == 202
