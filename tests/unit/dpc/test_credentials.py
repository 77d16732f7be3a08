"""Keys are what DPC accepts, and neither keys nor tokens ever show."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from service.domain.errors import InvalidInput
from service.dpc.credentials import SNIPPET, Credentials, load_private_key, sign_snippet


def to_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_the_snippet_is_signed_as_dpc_verifies_it() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signature = base64.b64decode(sign_snippet(load_private_key(to_pem(key))))
    key.public_key().verify(signature, SNIPPET, padding.PKCS1v15(), hashes.SHA256())
    assert len(SNIPPET) == 53


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----"])
def test_what_is_no_key_is_refused_without_being_repeated(pem: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_private_key(pem)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_elliptic_curve_keys_are_refused() -> None:
    with pytest.raises(InvalidInput):
        load_private_key(to_pem(ec.generate_private_key(ec.SECP384R1())))


def test_credentials_show_neither_key_nor_token() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    shown = repr(Credentials("https://example.org/api/v1", "secret-token", "key-id", key, "organization-id"))
    assert "secret-token" not in shown
    assert "RSAPrivateKey" not in shown
