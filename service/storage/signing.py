"""Signed checkpoints: C2SP signed notes under an Ed25519 key that never enters the database."""

from __future__ import annotations

import base64
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from service.domain.errors import LedgerBroken

KEY_NAME = "rollcall"
_ALGORITHM = b"\x01"
_DASH = "\u2014"


class Signer:
    """Signs and checks notes with one Ed25519 seed of 32 bytes; `repr` does not show it."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key: bytes = self._private.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return "Signer()"

    def sign_note(self, body: str) -> str:
        """Answer the note: body, empty line, one signature line (C2SP signed-note, Ed25519)."""
        signature = self._private.sign(body.encode())
        blob = base64.b64encode(_hash_key(self.public_key) + signature).decode()
        return f"{body}\n{_DASH} {KEY_NAME} {blob}\n"


def open_note(note: str, public_key: bytes) -> str:
    """Answer the body of a note if it is signed by this key; raises LedgerBroken."""
    body, _, lines = note.rpartition("\n\n")
    for line in lines.splitlines():
        parts = line.split(" ")
        if (
            len(parts) == 3
            and parts[0] == _DASH
            and parts[1] == KEY_NAME
            and _is_signed(body + "\n", parts[2], public_key)
        ):
            return body + "\n"
    raise LedgerBroken("A checkpoint is not signed by the key of this installation.")


def _is_signed(body: str, blob: str, public_key: bytes) -> bool:
    try:
        raw = base64.b64decode(blob, validate=True)
        Ed25519PublicKey.from_public_bytes(public_key).verify(raw[4:], body.encode())
    except (ValueError, InvalidSignature):
        return False
    return raw[:4] == _hash_key(public_key)


def _hash_key(public_key: bytes) -> bytes:
    return hashlib.sha256(KEY_NAME.encode() + b"\n" + _ALGORITHM + public_key).digest()[:4]
