"""Client tokens: minting, listing, showing and revoking (contract-v1 4.1, 4.2 and 4.7)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, request
from sqlalchemy import Connection, RowMapping, delete, insert, select

from service.emulator import macaroons
from service.emulator.answers import JSON, build_response, refuse_fields, refuse_json, refuse_unexpected
from service.emulator.clock import add_months, format_java, format_milliseconds, from_us, to_us
from service.emulator.state import State
from service.emulator.tables import tokens
from service.emulator.v1.calls import Call, json_route, read_json_body
from service.emulator.v1.fhir.validation import find_uuid, has_html

POLICY_MONTHS = 12

blueprint = Blueprint("tokens", __name__)


def save_token(
    connection: Connection,
    state: State,
    organization_id: str,
    label: str | None = None,
    expires_at: datetime | None = None,
) -> dict[str, Any]:
    """The row of a new client token, with the token itself under `token`; it is stored nowhere."""
    now = state.clock.now()
    policy_at = add_months(now, POLICY_MONTHS)
    row = {
        "id": str(uuid4()),
        "organization_id": organization_id,
        "label": label or f"Token for organization {organization_id}.",
        "created_us": to_us(now),
        "expires_us": to_us(expires_at or policy_at),
    }
    connection.execute(insert(tokens), row)
    return {**row, "token": _mint(state, row["id"], organization_id, policy_at)}


def _mint(state: State, token_id: object, organization_id: str, expires_at: datetime) -> str:
    """The macaroon carries the policy's year, whatever expiry was asked for (contract-v1 4.1)."""
    macaroon = macaroons.mint(state.root_key, str(token_id), state.public_url)
    for text in (
        "dpc_macaroon_version = 2",
        f"expires = {format_java(expires_at)}",
        f"organization_id = {organization_id}",
    ):
        macaroon = macaroons.add_caveat(macaroon, text)
    return macaroons.encode_tokens([macaroons.add_local_caveat(macaroon)])


def _build_view(row: RowMapping | dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "tokenType": "MACAROON",
        "label": row["label"],
        "createdAt": format_milliseconds(row["created_us"]),
        "expiresAt": format_milliseconds(row["expires_us"]),
    }


@json_route(blueprint, "POST", "/Token")
def create_token(call: Call) -> Response:
    """A new client token; the only answer that shows it."""
    body = read_json_body()
    expires_at = _read_expiry(call, body.get("expiresAt"), request.args.get("expiration"))
    label = _read_label(body.get("label"), request.args.get("label"))
    row = save_token(call.connection, call.state, call.organization_id, label, expires_at)
    call.mark_effect()
    return build_response({**_build_view(row), "token": row["token"]}, 200, JSON)


def _read_label(from_body: object, from_query: str | None) -> str | None:
    if from_query is not None and has_html(from_query):
        raise refuse_fields(400, ["query param label Cannot contain HTML"])
    if from_body is None:
        return from_query
    if has_html(str(from_body)):
        raise refuse_fields(422, ["label Cannot contain HTML"])
    return str(from_body)


def _read_expiry(call: Call, from_body: object, from_query: str | None) -> datetime | None:
    asked = from_query if from_body is None else str(from_body)
    if not asked:
        return None
    try:
        at = datetime.fromisoformat(asked)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        message = "query param expiration is invalid" if from_body is None else f"Could not parse date: {asked}"
        raise refuse_json(400, message)
    if at > add_months(call.now, POLICY_MONTHS):
        raise refuse_json(400, "Cannot set expiration after policy default")
    if at < call.now:
        raise refuse_json(400, "Cannot set expiration before current time")
    return from_us(to_us(at))


@json_route(blueprint, "GET", "/Token")
def list_tokens(call: Call) -> Response:
    """All client tokens of the organisation, without the tokens."""
    query = select(tokens).where(tokens.c.organization_id == call.organization_id)
    views = [_build_view(row) for row in call.connection.execute(query).mappings()]
    body = {"entities": views, "count": len(views), "created_at": format_milliseconds(call.now_us)}
    return build_response(body, 200, JSON)


@json_route(blueprint, "GET", "/Token/<token_id>")
def show_token(call: Call, token_id: str) -> Response:
    """One client token, without the token."""
    if find_uuid(token_id) is None:
        raise refuse_json(404)
    query = select(tokens).where(tokens.c.id == find_uuid(token_id), tokens.c.organization_id == call.organization_id)
    row = call.connection.execute(query).mappings().first()
    if row is None:
        raise refuse_json(404, "Cannot find token with matching ID")
    return build_response(_build_view(row), 200, JSON)


@json_route(blueprint, "DELETE", "/Token/<token_id>")
def delete_token(call: Call, token_id: str) -> Response:
    """204; access tokens made from it fail from now on."""
    if find_uuid(token_id) is None:
        raise refuse_json(404)
    gone = call.connection.execute(
        delete(tokens).where(tokens.c.id == find_uuid(token_id), tokens.c.organization_id == call.organization_id)
    )
    if gone.rowcount == 0:  # DELETE of an unknown id is a 500, unlike GET (contract-v1 4.2)
        raise refuse_unexpected()
    call.mark_effect()
    return build_response(None, 204, JSON)
