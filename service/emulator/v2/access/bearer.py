"""Access tokens of version 2: minting, and the check of all requests but the public ones (contract-v2 3.4)."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import orjson
from flask import request

from service.emulator.state import State
from service.emulator.v2.answers import Dropped, Kind, refuse
from service.emulator.v2.calls import Call

ACCESS_LIFE = timedelta(minutes=20)
_ALGORITHM = "HS512"


def _derive_key(state: State) -> bytes:
    return hmac.new(state.root_key, b"v2 access tokens", hashlib.sha512).digest()


def mint_access_token(call: Call, system_id: str, organization_id: str) -> str:
    """A token of twenty minutes; the organisation stands in its `system_data`."""
    claims = {
        "use": "AccessToken",
        "jti": str(uuid4()),
        "iat": int(call.now.timestamp()),
        "exp": int((call.now + ACCESS_LIFE).timestamp()),
        "sys": system_id,
        "system_data": orjson.dumps({"organizationID": organization_id}).decode(),
    }
    return jwt.PyJWS().encode(orjson.dumps(claims), _derive_key(call.state), _ALGORITHM)


def authenticate(call: Call) -> str:
    """The organisation of the bearer. Refuses with 403; a value without `Bearer ` crashes the server."""
    header = request.headers.get("Authorization", "").strip()
    if not header:
        raise refuse(403, "Missing access token", Kind.FAULT)
    parts = header.split("Bearer ")
    if len(parts) < 2:
        raise Dropped
    organization_id = _find_organization(call, parts[1])
    if organization_id is None:
        raise refuse(403, "Invalid access token", Kind.FAULT)
    return organization_id


def _find_organization(call: Call, token: str) -> str | None:
    try:
        payload = jwt.PyJWS().decode(token, _derive_key(call.state), [_ALGORITHM])
    except (jwt.PyJWTError, UnicodeError):
        return None
    claims: dict[str, Any] = orjson.loads(payload)
    if claims["exp"] < call.now.timestamp():
        return None
    return str(orjson.loads(claims["system_data"])["organizationID"])
