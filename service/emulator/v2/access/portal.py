"""What CMS's portal does behind the scenes: implementers, systems, keys and client tokens (contract-v2 3.1 and 10)."""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta
from typing import Any
from uuid import uuid4

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from sqlalchemy import Connection, Table, delete, insert, select, update

from service.emulator import macaroons
from service.emulator import tables as shared
from service.emulator.answers import refuse_json
from service.emulator.clock import to_us
from service.emulator.state import State
from service.emulator.v2 import tables
from service.emulator.v2.access.token_auth import SYSTEM_CAVEAT

SNIPPET = b"This is the snippet used to verify a key pair."
FEWEST_BITS = 2048
TOKEN_LIFE = timedelta(days=365)


def create_implementer(connection: Connection, name: str) -> dict[str, str]:
    """A new implementer: an EHR vendor that serves organisations."""
    row = {"id": str(uuid4()), "name": name}
    connection.execute(insert(tables.implementers), row)
    return row


def create_relation(connection: Connection, implementer_id: str, npi: str) -> dict[str, str]:
    """The relation of an implementer and the organisation with this NPI; pending until it has a system."""
    query = select(shared.organizations.c.id).where(shared.organizations.c.npi == npi)
    organization_id = connection.execute(query).scalar()
    known = connection.execute(select(tables.implementers).where(tables.implementers.c.id == implementer_id)).first()
    if organization_id is None or known is None:
        raise refuse_json(422, "no such implementer or organization")
    row = {"implementer_id": implementer_id, "organization_id": organization_id, "status": "Pending"}
    if _find_relation(connection, implementer_id, organization_id) is None:
        connection.execute(insert(tables.relations), row)
    return row


def list_relations(connection: Connection, implementer_id: str) -> list[dict[str, Any]]:
    """The organisations of an implementer, each with the status of the relation."""
    query = select(tables.relations).where(tables.relations.c.implementer_id == implementer_id)
    return [{str(name): value for name, value in row.items()} for row in connection.execute(query).mappings()]


def _find_relation(connection: Connection, implementer_id: str, organization_id: str) -> object:
    relations = tables.relations
    wanted = (relations.c.implementer_id == implementer_id) & (relations.c.organization_id == organization_id)
    return connection.execute(select(relations.c.status).where(wanted)).scalar()


def create_system(
    connection: Connection, state: State, organization_id: str, wish: dict[str, Any], implementer_id: str | None = None
) -> dict[str, str]:
    """A system with its first key and client token; for an implementer one for each organisation, else 409."""
    if implementer_id is not None:
        _check_relation(connection, implementer_id, organization_id)
    else:
        _check_exists(connection, shared.organizations, organization_id)
    row = {"id": str(uuid4()), "organization_id": organization_id, "implementer_id": implementer_id}
    connection.execute(insert(tables.systems), row)
    _note_version(connection, state, organization_id)
    system_id = str(row["id"])
    return {
        "system_id": system_id,
        "client_token": create_client_token(connection, state, system_id)["client_token"],
        "key_id": create_key(connection, system_id, wish),
    }


def _check_exists(connection: Connection, table: Table, row_id: str) -> None:
    if connection.execute(select(table.c.id).where(table.c.id == row_id)).first() is None:
        raise refuse_json(404)


def _check_relation(connection: Connection, implementer_id: str, organization_id: str) -> None:
    if _find_relation(connection, implementer_id, organization_id) is None:
        raise refuse_json(404)
    if find_system(connection, implementer_id, organization_id) is not None:
        raise refuse_json(409, "a system for this implementer/org relation already exists")
    relations = tables.relations
    wanted = (relations.c.implementer_id == implementer_id) & (relations.c.organization_id == organization_id)
    connection.execute(update(relations).where(wanted).values(status="Active"))


def find_system(connection: Connection, implementer_id: str, organization_id: str) -> str | None:
    """The id of the system of a relation."""
    systems = tables.systems
    query = select(systems.c.id).where(
        systems.c.implementer_id == implementer_id, systems.c.organization_id == organization_id
    )
    found: str | None = connection.execute(query).scalar()
    return found


def _note_version(connection: Connection, state: State, organization_id: str) -> None:
    """The organisation as version 2 knows it: its update counter begins at 0."""
    versions = tables.organization_versions
    if connection.execute(select(versions).where(versions.c.organization_id == organization_id)).first() is None:
        row = {"organization_id": organization_id, "version": 0, "updated_us": to_us(state.clock.now())}
        connection.execute(insert(versions), row)


def update_organization(connection: Connection, state: State, organization_id: str, name: str) -> None:
    """A new name; the update counter goes up (contract-v2 4)."""
    organizations, versions = shared.organizations, tables.organization_versions
    query = select(organizations.c.body).where(organizations.c.id == organization_id)
    body = connection.execute(query).scalar()
    if body is None:
        raise refuse_json(404)
    _note_version(connection, state, organization_id)
    connection.execute(
        update(organizations).where(organizations.c.id == organization_id).values(body={**body, "name": name})
    )
    values = {"version": versions.c.version + 1, "updated_us": to_us(state.clock.now())}
    connection.execute(update(versions).where(versions.c.organization_id == organization_id).values(values))


def create_client_token(connection: Connection, state: State, system_id: str, label: str = "") -> dict[str, str]:
    """The id and text of one more client token, which lives for 365 days."""
    _check_exists(connection, tables.systems, system_id)
    expires_at = state.clock.now() + TOKEN_LIFE
    row = {"id": str(uuid4()), "system_id": system_id, "label": label, "expires_us": to_us(expires_at)}
    connection.execute(insert(tables.client_tokens), row)
    macaroon = macaroons.mint(state.root_key, str(row["id"]), "localhost")
    macaroon = macaroons.add_caveat(macaroon, SYSTEM_CAVEAT + system_id)
    return {"id": str(row["id"]), "client_token": macaroons.encode_binary(macaroon)}


def create_key(connection: Connection, system_id: str, wish: dict[str, Any]) -> str:
    """The id of one more public key: RSA of 2048 bits at least, with proof of possession."""
    _check_exists(connection, tables.systems, system_id)
    if not wish.get("signature"):
        raise refuse_json(400, "Signature is required when adding a public key")
    key = _read_key(str(wish.get("key")))
    try:
        key.verify(base64.b64decode(str(wish["signature"])), SNIPPET, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        raise refuse_json(400, "Public key could not be verified") from None
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    row = {"id": str(uuid4()), "system_id": system_id, "pem": pem}
    connection.execute(insert(tables.public_keys), row)
    return row["id"]


def _read_key(pem: str) -> RSAPublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise refuse_json(400, "Public key could not be parsed") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < FEWEST_BITS:
        raise refuse_json(400, "Public key is not RSA of at least 2048 bits")
    return key


def delete_credential(connection: Connection, kind: str, credential_id: str) -> None:
    """Take back a client token (`token`) or a public key (`key`); 404 when there is none."""
    table = tables.client_tokens if kind == "token" else tables.public_keys
    if connection.execute(delete(table).where(table.c.id == credential_id)).rowcount == 0:
        raise refuse_json(404)
