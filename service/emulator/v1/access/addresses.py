"""IpAddress: the allow-list an organisation keeps (contract-v1 4.9)."""

from __future__ import annotations

import ipaddress
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response
from sqlalchemy import RowMapping, delete, func, insert, select

from service.emulator.answers import JSON, build_response, refuse_json
from service.emulator.clock import format_milliseconds
from service.emulator.tables import addresses
from service.emulator.v1.calls import Call, json_route, read_json_body
from service.emulator.v1.fhir.validation import find_uuid

MOST = 8

blueprint = Blueprint("addresses", __name__)


def _build_view(row: RowMapping | dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "organizationId": row["organization_id"],
        "ipAddress": {"address": row["address"]},
        "createdAt": format_milliseconds(row["created_us"]),
    }


@json_route(blueprint, "GET", "/IpAddress", consumes=None)
def list_addresses(call: Call) -> Response:
    """All addresses of the organisation."""
    query = select(addresses).where(addresses.c.organization_id == call.organization_id)
    views = [_build_view(row) for row in call.connection.execute(query).mappings()]
    body = {"entities": views, "count": len(views), "created_at": format_milliseconds(call.now_us)}
    return build_response(body, 200, JSON)


@json_route(blueprint, "POST", "/IpAddress")
def create_address(call: Call) -> Response:
    """One more address, eight at most."""
    wish = read_json_body().get("ip_address")
    query = select(func.count()).where(addresses.c.organization_id == call.organization_id)
    if (call.connection.execute(query).scalar() or 0) >= MOST:
        raise refuse_json(400, f"Max Ips for organization reached: {MOST}")
    try:
        address = str(ipaddress.ip_address(str(wish)))
    except ValueError:
        raise refuse_json(400, f"Invalid ip address: {wish}") from None
    row = {
        "id": str(uuid4()),
        "organization_id": call.organization_id,
        "address": address,
        "created_us": call.now_us,
    }
    call.connection.execute(insert(addresses), row)
    call.mark_effect()
    return build_response(_build_view(row), 200, JSON)


@json_route(blueprint, "DELETE", "/IpAddress/<address_id>", consumes=None)
def delete_address(call: Call, address_id: str) -> Response:
    """204."""
    gone = call.connection.execute(
        delete(addresses).where(
            addresses.c.id == find_uuid(address_id), addresses.c.organization_id == call.organization_id
        )
    )
    if gone.rowcount == 0:
        raise refuse_json(404, "Ip address not found")
    call.mark_effect()
    return build_response(None, 204, JSON)
