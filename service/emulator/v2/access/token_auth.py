"""Exchanging a client assertion for an access token; every refused one is a 500 (contract-v2 3.2 and 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from flask import Response, request
from jwt.utils import base64url_decode
from sqlalchemy import RowMapping, select

from service.emulator import macaroons
from service.emulator.answers import Refused
from service.emulator.v2.access.bearer import ACCESS_LIFE, mint_access_token
from service.emulator.v2.answers import Kind, build_answer, build_body, refuse
from service.emulator.v2.calls import Call
from service.emulator.v2.tables import client_tokens, public_keys, systems

ALGORITHMS = ["RS256", "RS384", "RS512"]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE = "system/*.*"
LONGEST = 300  # seconds between iat and exp
SYSTEM_CAVEAT = "system_id="

_FIELDS = (
    ("client_assertion_type", ASSERTION_TYPE, "invalid value for client_assertion_type"),
    ("grant_type", "client_credentials", "invalid value for grant_type"),
    ("scope", SCOPE, "invalid scope value"),
)


def exchange_token(call: Call) -> Response:
    """The access token, its life as a JSON string, labelled as FHIR (contract-v2 3.3)."""
    assertion = _read_assertion()
    header, claims = _read_jwt(assertion)
    system = _load_system(call, claims)
    call.note_organization(system["organization_id"])
    _check_signature(assertion, _load_key(call, header, system["id"], claims))
    _check_claims(call, claims)
    body = {
        "scope": SCOPE,
        "access_token": mint_access_token(call, system["id"], system["organization_id"]),
        "token_type": "bearer",
        "expires_in": str(int(ACCESS_LIFE.total_seconds())),
    }
    return build_answer(build_body(body))


def validate_token(call: Call) -> Response:
    """400, always: the path it is forwarded to does not exist (contract-v2 3.3)."""
    if not request.get_data():
        raise refuse(400, "Body is required")
    raise refuse(400, "Failed to validate token: Failed to validate token: 404 page not found", Kind.FAULT)


def _refuse(why: str) -> Refused:
    nested = orjson.dumps({"error": why, "error_description": ""}).decode()
    return refuse(500, f"Failed to authenticate token: Failed to authenticate token: {nested}", Kind.FAULT)


def _read_assertion() -> str:
    raw = request.get_data()
    if not raw:
        raise refuse(400, "Body is required")
    fields = parse_qs(raw.decode("utf-8", "replace"), keep_blank_values=True)
    form = {name: values[0] for name, values in fields.items()}
    for name, wanted, complaint in _FIELDS:
        if form.get(name) != wanted:
            raise _refuse(complaint)
    if not form.get("client_assertion"):
        raise _refuse("missing client_assertion")
    return form["client_assertion"]


def _read_jwt(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    parts = assertion.split(".")
    if len(parts) != 3:
        raise _refuse("token contains an invalid number of segments")
    try:
        header, claims = (orjson.loads(base64url_decode(part)) for part in parts[:2])
    except (ValueError, UnicodeError):
        raise _refuse("illegal base64 data or JSON in token") from None
    if not (isinstance(header, dict) and isinstance(claims, dict)):
        raise _refuse("json: cannot unmarshal token into an object")
    _check_types(claims)
    if header.get("alg") not in ALGORITHMS:
        raise _refuse(f"unexpected signing method: {header.get('alg')}")
    return header, claims


def _check_types(claims: Mapping[str, Any]) -> None:
    """Texts are single strings, times are whole numbers: a list or a float does not parse (contract-v2 3.2)."""
    for name in ("iss", "sub", "aud", "jti"):
        if claims.get(name) is not None and not isinstance(claims[name], str):
            raise _refuse(f"json: cannot unmarshal value into Go struct field CommonClaims.{name} of type string")
    for name in ("exp", "iat"):
        value = claims.get(name)
        if value is not None and (type(value) is not int or abs(value) >= 2**63):
            raise _refuse(f"json: cannot unmarshal value into Go struct field CommonClaims.{name} of type int64")


def _load_system(call: Call, claims: Mapping[str, Any]) -> RowMapping:
    """The system of the client token in `iss`."""
    token = _find_macaroon(call, claims.get("iss") or "")
    texts = [caveat.cid.decode("utf-8", "replace") for caveat in token.caveats] if token else []
    named = [text.removeprefix(SYSTEM_CAVEAT) for text in texts if text.startswith(SYSTEM_CAVEAT)]
    if not token or len(named) != 1:
        raise _refuse("Macaroon does not contain system id")
    query = (
        select(systems, client_tokens.c.expires_us)
        .join(client_tokens, client_tokens.c.system_id == systems.c.id)
        .where(systems.c.id == named[0], client_tokens.c.id == token.identifier.decode("latin-1"))
    )
    row = call.connection.execute(query).mappings().first()
    if row is None or row["expires_us"] <= call.now_us:
        raise _refuse("client token is expired or was deleted")
    return row


def _find_macaroon(call: Call, text: str) -> macaroons.Macaroon | None:
    try:
        tokens = macaroons.read_tokens(text)
    except macaroons.UnreadableMacaroon:
        return None
    return tokens[0] if macaroons.is_genuine(call.state.root_key, tokens) else None


def _load_key(call: Call, header: Mapping[str, Any], system_id: str, claims: Mapping[str, Any]) -> RSAPublicKey:
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise _refuse("missing public key id (kid) in jwt header")
    query = select(public_keys.c.pem).where(public_keys.c.id == kid, public_keys.c.system_id == system_id)
    pem: str | None = call.connection.execute(query).scalar()
    key = load_pem_public_key(pem.encode()) if pem else None
    if not isinstance(key, RSAPublicKey):
        raise _refuse(f"key not found for system: {claims['iss']}")  # the client token in clear (contract-v2 3.3)
    return key


def _check_signature(assertion: str, key: RSAPublicKey) -> None:
    try:
        jwt.PyJWS().decode(assertion, key, algorithms=ALGORITHMS)
    except (jwt.PyJWTError, ValueError):
        raise _refuse("crypto/rsa: verification error") from None


def _check_claims(call: Call, claims: Mapping[str, Any]) -> None:
    """Times first, without any leeway; a jti may come again (contract-v2 3.2)."""
    now, expires, issued = int(call.now.timestamp()), claims.get("exp") or 0, claims.get("iat") or 0
    rules = (
        (expires >= now, f"token is expired by {now - expires}s"),
        (issued <= now, "Token used before issued"),
        (claims.get("sub") == claims.get("iss"), "subject (sub) and issuer (iss) claims do not match"),
        (bool(claims.get("jti")), "missing Token ID (jti) claim"),
        (claims.get("aud") == f"{call.base}/Token/auth", "invalid audience (aud) claim"),
        (
            expires - issued <= LONGEST,
            "IssuedAt (iat) and ExpiresAt (exp) claims are more than 5 minutes apart",
        ),
    )
    for is_kept, complaint in rules:
        if not is_kept:
            raise _refuse(complaint)
