"""Public keys."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from emulator_customer import Customer, KeyPair, build_key_pair

pytestmark = pytest.mark.control  # it takes away the only key


def ask(customer: Customer, method: str, path: str, body: Any = None) -> requests.Response:
    kind = "application/json" if body is not None else None
    return customer.send(method, path, body, headers={"Accept": "*/*", "Content-Type": kind})


def forget_key(customer: Customer) -> None:
    assert ask(customer, "DELETE", f"/Key/{customer.key_id}").status_code == 200


def test_a_key_is_registered_listed_and_removed(customer: Customer, key_pair: KeyPair) -> None:
    """contract-v1 4.8."""
    forget_key(customer)
    body = {"key": key_pair.pem, "signature": key_pair.signature}
    answer = ask(customer, "POST", "/Key?label=primary", body)
    created = answer.json()
    assert (answer.status_code, created["label"]) == (200, "primary")
    assert created["publicKey"].startswith("-----BEGIN PUBLIC KEY-----\n")
    assert ask(customer, "GET", f"/Key/{created['id']}").json() == created
    assert ask(customer, "GET", "/Key").json()["entities"] == [created]
    deleted = ask(customer, "DELETE", f"/Key/{created['id']}")
    assert (deleted.status_code, deleted.content) == (200, b"")
    assert ask(customer, "GET", f"/Key/{created['id']}").json()["message"] == "Cannot find public key"
    assert ask(customer, "DELETE", f"/Key/{created['id']}").json()["message"] == "Cannot find certificate"


def test_the_default_label_is_a_number(customer: Customer, key_pair: KeyPair) -> None:
    """contract-v1 4.8."""
    forget_key(customer)
    body = {"key": key_pair.pem, "signature": key_pair.signature}
    kind, _, number = ask(customer, "POST", "/Key", body).json()["label"].partition(":")
    assert (kind, -(2**31) <= int(number) < 2**31) == ("key", True)


def test_a_label_is_at_most_twenty_five_characters(customer: Customer) -> None:
    """contract-v1 4.8: checked before anything in the body."""
    answer = ask(customer, "POST", f"/Key?label={'x' * 26}", {})
    assert (answer.status_code, answer.json()["message"]) == (400, "Key label cannot be more than 25 characters")


def test_key_and_signature_are_both_needed(customer: Customer, key_pair: KeyPair) -> None:
    """contract-v1 4.8."""
    assert ask(customer, "POST", "/Key", {"key": key_pair.pem}).status_code == 500
    assert ask(customer, "POST", "/Key", {"signature": key_pair.signature}).status_code == 500


def test_only_rsa_keys_of_4096_bits_pass(customer: Customer) -> None:
    """contract-v1 4.8."""
    curve = ec.generate_private_key(ec.SECP384R1()).public_key()
    pem = curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    small = build_key_pair(2048)
    for key, status, message in (
        ("no key", 400, "Public key could not be parsed"),
        (pem, 422, "ECC keys are not currently supported"),
        (small.pem, 400, "Public key is not valid"),
    ):
        answer = ask(customer, "POST", "/Key", {"key": key, "signature": small.signature})
        assert answer.json() == {"code": status, "message": message}
        assert answer.status_code == status


@pytest.mark.parametrize("signature", ["!", "YWJj"])
def test_possession_must_be_proven(customer: Customer, key_pair: KeyPair, signature: str) -> None:
    """contract-v1 4.8."""
    answer = ask(customer, "POST", "/Key", {"key": key_pair.pem, "signature": signature})
    assert (answer.status_code, answer.json()["message"]) == (400, "Public key could not be verified")


def test_a_key_is_unique_among_all_organisations(customer: Customer, stranger: Customer, key_pair: KeyPair) -> None:
    """contract-v1 4.8."""
    for one in (customer, stranger):
        answer = ask(one, "POST", "/Key?label=again", {"key": key_pair.pem, "signature": key_pair.signature})
        assert (answer.status_code, "duplicate key" in answer.json()["message"]) == (400, True)


def test_keys_of_others_cannot_be_seen(customer: Customer, stranger: Customer) -> None:
    """contract-v1 4.8."""
    assert ask(stranger, "GET", f"/Key/{customer.key_id}").status_code == 404
    assert ask(stranger, "DELETE", f"/Key/{customer.key_id}").status_code == 404
    assert ask(stranger, "GET", f"/Key/{uuid.uuid4()}").status_code == 404
