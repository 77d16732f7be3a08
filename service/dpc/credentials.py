"""The keys and the client token with which one organisation speaks to DPC."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from service.domain.errors import InvalidInput

KEY_BITS = 4096  # DPC refuses smaller RSA keys and all elliptic-curve keys (contract-v1 4.8)
SNIPPET = b"This is the snippet used to verify a key pair in DPC."  # contract-v1 4.8: 53 bytes, no newline


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one organisation needs to speak to DPC; `base_url` includes the version, without a final slash.

    The private key is held as an object: parsing it from PEM costs about 190 ms each time.
    """

    base_url: str
    client_token: str = field(repr=False)
    key_id: str
    private_key: RSAPrivateKey = field(repr=False)
    organization_id: str


def generate_key_pair() -> tuple[bytes, str]:
    """Answers (private PEM in PKCS#8, public PEM as SubjectPublicKeyInfo) of a new 4096-bit RSA key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    private_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public_pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private_pem, public_pem.decode("ascii")


def load_private_key(pem: bytes) -> RSAPrivateKey:
    """Answers the RSA key of an unencrypted PEM.

    Raises InvalidInput when the text is no RSA private key; the text is never repeated.
    """
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise InvalidInput("The private key cannot be read as an unencrypted PEM.") from None
    except UnsupportedAlgorithm:
        raise InvalidInput("The private key is of a kind that cannot be used.") from None
    if not isinstance(key, RSAPrivateKey):
        raise InvalidInput("DPC accepts RSA keys only.")
    return key


def sign_snippet(private_key: RSAPrivateKey) -> str:
    """Answers the base64 SHA256withRSA signature that proves possession of the key (contract-v1 4.8)."""
    signature = private_key.sign(SNIPPET, padding.PKCS1v15(), hashes.SHA256())
    return base64.b64encode(signature).decode("ascii")
