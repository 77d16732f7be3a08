"""Public keys: registering with proof of possession, listing and removing (contract-v1 4.8)."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Any
from uuid import uuid4

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from flask import Blueprint, Response, request
from sqlalchemy import Connection, RowMapping, delete, insert, or_, select

from service.emulator.answers import JSON, build_response, refuse_fields, refuse_json, refuse_unexpected
from service.emulator.clock import format_milliseconds, to_us
from service.emulator.state import State
from service.emulator.tables import public_keys
from service.emulator.v1.calls import Call, json_route, read_json_body
from service.emulator.v1.fhir.validation import find_uuid, has_html

SNIPPET = b"This is the snippet used to verify a key pair in DPC."
LABEL_LENGTH = 25
DER_LENGTH = 550  # bytes; a 4096-bit key in DER has exactly this many

blueprint = Blueprint("keys", __name__)


def save_key(
    connection: Connection, state: State, organization_id: str, wish: dict[str, Any], label: object
) -> dict[str, Any]:
    """The row of a new key; `wish` holds key and signature. Refused in the order of contract-v1 4.8."""
    name = str(label) if label else f"key:{int.from_bytes(secrets.token_bytes(4), signed=True)}"
    if len(name) > LABEL_LENGTH:
        raise refuse_json(400, "Key label cannot be more than 25 characters")
    if not isinstance(wish.get("key"), str) or not isinstance(wish.get("signature"), str):
        raise refuse_unexpected()
    key = _read_key(wish["key"])
    _check_possession(key, wish["signature"])
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    _check_unused(connection, organization_id, pem, name)
    row = {
        "id": str(uuid4()),
        "organization_id": organization_id,
        "label": name,
        "pem": pem,
        "created_us": to_us(state.clock.now()),
    }
    connection.execute(insert(public_keys), row)
    return row


def _read_key(pem: str) -> RSAPublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise refuse_json(400, "Public key could not be parsed") from None
    if isinstance(key, EllipticCurvePublicKey):
        raise refuse_json(422, "ECC keys are not currently supported")
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if not isinstance(key, RSAPublicKey) or len(der) < DER_LENGTH:
        raise refuse_json(400, "Public key is not valid")
    return key


def _check_possession(key: RSAPublicKey, signature: str) -> None:
    try:
        key.verify(base64.b64decode(signature, validate=False), SNIPPET, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        raise refuse_json(400, "Public key could not be verified") from None


def _check_unused(connection: Connection, organization_id: str, pem: str, label: str) -> None:
    same_label = (public_keys.c.organization_id == organization_id) & (public_keys.c.label == label)
    query = select(public_keys.c.pem).where(or_(public_keys.c.pem == pem, same_label))
    if connection.execute(query).first() is not None:
        raise refuse_json(400, "ERROR: duplicate key value violates unique constraint")


def _build_view(row: RowMapping | dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "publicKey": row["pem"],
        "createdAt": format_milliseconds(row["created_us"]),
        "label": row["label"],
    }


@json_route(blueprint, "POST", "/Key")
def create_key(call: Call) -> Response:
    """A new public key of the organisation."""
    label = request.args.get("label")
    if label is not None and has_html(label):
        raise refuse_fields(400, ["query param label Cannot contain HTML"])
    row = save_key(call.connection, call.state, call.organization_id, read_json_body(), label)
    call.mark_effect()
    return build_response(_build_view(row), 200, JSON)


@json_route(blueprint, "GET", "/Key", consumes=None)
def list_keys(call: Call) -> Response:
    """All keys of the organisation."""
    query = select(public_keys).where(public_keys.c.organization_id == call.organization_id)
    views = [_build_view(row) for row in call.connection.execute(query).mappings()]
    body = {"entities": views, "count": len(views), "created_at": format_milliseconds(call.now_us)}
    return build_response(body, 200, JSON)


@json_route(blueprint, "GET", "/Key/<key_id>", consumes=None)
def show_key(call: Call, key_id: str) -> Response:
    """One key of the organisation."""
    if find_uuid(key_id) is None:
        raise refuse_json(404)
    query = select(public_keys).where(
        public_keys.c.id == find_uuid(key_id), public_keys.c.organization_id == call.organization_id
    )
    row = call.connection.execute(query).mappings().first()
    if row is None:
        raise refuse_json(404, "Cannot find public key")
    return build_response(_build_view(row), 200, JSON)


@json_route(blueprint, "DELETE", "/Key/<key_id>", consumes=None)
def delete_key(call: Call, key_id: str) -> Response:
    """200 without a body."""
    if find_uuid(key_id) is None:
        raise refuse_json(404)
    gone = call.connection.execute(
        delete(public_keys).where(
            public_keys.c.id == find_uuid(key_id), public_keys.c.organization_id == call.organization_id
        )
    )
    if gone.rowcount == 0:
        raise refuse_json(404, "Cannot find certificate")
    call.mark_effect()
    return build_response(None, 200, JSON)
