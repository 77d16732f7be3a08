"""What CMS's portal does for a customer before the first API call: organisation, client token, first key."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, insert, select

from service.emulator import macaroons, tables
from service.emulator.answers import refuse_json
from service.emulator.state import State
from service.emulator.v1.access.keys import save_key
from service.emulator.v1.access.token_auth import build_access_token
from service.emulator.v1.access.tokens import save_token
from service.emulator.v1.fhir.validation import is_npi

_ADDRESS = {
    "use": "work",
    "type": "both",
    "line": ["1 Example Street"],
    "city": "Springfield",
    "state": "IL",
    "postalCode": "62701",
    "country": "US",
}


def create_organization(connection: Connection, state: State, npi: str, name: str) -> tuple[str, str]:
    """The id and first client token of a new organisation. Refuses a bad or known NPI with 400."""
    if not is_npi(npi):
        raise refuse_json(400, "The NPI is not valid")
    known = connection.execute(select(tables.organizations.c.id).where(tables.organizations.c.npi == npi))
    if known.first():
        raise refuse_json(400, "An organization with this NPI exists")
    organization_id = str(uuid4())
    body = {"name": name, "address": [_ADDRESS]}
    connection.execute(insert(tables.organizations), {"id": organization_id, "npi": npi, "body": body})
    token: str = save_token(connection, state, organization_id)["token"]
    return organization_id, token


def create_access_token(connection: Connection, state: State, organization_id: str) -> str:
    """An access token of five minutes without key and assertion, for trying things out by hand."""
    table = tables.organizations
    if not connection.execute(select(table.c.id).where(table.c.id == organization_id)).first():
        raise refuse_json(404)
    client_token: str = save_token(connection, state, organization_id, "For trying things out")["token"]
    return build_access_token(state, macaroons.read_tokens(client_token)[0])


def create_second_group(connection: Connection, organization_id: str, npi: str) -> str:
    """The id of an empty Group for a practitioner who may have one: what two racing POSTs leave (contract-v1 9.4)."""
    table = tables.practitioners
    query = select(table.c.id).where(table.c.organization_id == organization_id, table.c.npi == npi)
    practitioner_id = connection.execute(query).scalar()
    if practitioner_id is None:
        raise refuse_json(404)
    group_id = str(uuid4())
    row = {"id": group_id, "organization_id": organization_id, "practitioner_id": practitioner_id}
    connection.execute(insert(tables.groups), row)
    return group_id


def create_key(connection: Connection, state: State, organization_id: str, wish: dict[str, Any]) -> dict[str, Any]:
    """The row of a new key for an organisation; same checks as POST /Key, 404 for an unknown organisation."""
    table = tables.organizations
    if not connection.execute(select(table.c.id).where(table.c.id == organization_id)).first():
        raise refuse_json(404)
    return save_key(connection, state, organization_id, wish, wish.get("label"))
